"""What the poll asks for: few globs that together cover every path of the catalog. Pure."""

from __future__ import annotations

from functools import cache

from cloud_monitor.metrics.paths import METRICS


@cache
def poll_targets() -> tuple[str, ...]:
    """One glob for every first name and depth in the catalog.

    Where the paths of one depth differ in a literal, the glob lists the literals; where one of them has a
    name there, it takes any. It so covers more than the catalog, and what is not in it is left out later.
    """
    groups: dict[tuple[str, int], list[list[str]]] = {}
    for metric in METRICS:
        segments = metric.template.split(".")
        groups.setdefault((segments[0], len(segments)), []).append(segments)
    return tuple(
        ".".join(_glob({segments[at] for segments in group}) for at in range(depth))
        for (_, depth), group in sorted(groups.items())
    )


def _glob(alternatives: set[str]) -> str:
    if any("{" in segment for segment in alternatives):
        return "*"
    return alternatives.pop() if len(alternatives) == 1 else f"{{{','.join(sorted(alternatives))}}}"
