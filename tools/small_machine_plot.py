"""The plot of docs/small-machine.md: memory by service and minute, with limits, as SVG for light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

WIDTH, HEIGHT = 760, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 150, 16, 44
_TICK_MB = 20
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.ground { fill: #ffffff } .grid { stroke: #d8dee4 } .limit { stroke-dasharray: 2 4; stroke-width: 1.5 }
polyline { fill: none; stroke-width: 2 }
.peak { stroke-dasharray: 6 3 } .collector { stroke: #1a7f37 }
.peak, .all { stroke: #24292f } .web { stroke: #0969da } .store { stroke: #bc4c00 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .ground { fill: #0d1117 } .grid { stroke: #30363d }
  .peak, .all { stroke: #e6edf3 } .web { stroke: #58a6ff } .store { stroke: #f0883e }
  .collector { stroke: #3fb950 }
}
"""


class Line(NamedTuple):
    kind: str
    title: str
    values_mb: Sequence[float]  # one a minute


def draw_plot(record: dict[str, Any]) -> str:
    """The SVG of a record that `bench.edge --report` kept."""
    edge, limits_mb = record["profiles"]["edge"], record["limits_mb"] or {}
    lines = lines_of(edge)
    shown_limits = {name: limits_mb[name] for name in ("web", "store") if name in limits_mb}
    most_mb = max([*shown_limits.values(), *(max(line.values_mb) for line in lines)])
    top_mb = (int(most_mb) // _TICK_MB + 1) * _TICK_MB
    steps = len(edge["between_mb"])
    step_min = record["step_s"] / 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="Memory of page, store and collector by minute, in MB">',
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>',
    ]
    right = WIDTH - _RIGHT

    def x_of(step: float) -> float:
        return _LEFT + (right - _LEFT) * step / max(1, steps - 1)

    def y_of(mb: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * mb / top_mb

    for mb in range(0, top_mb + 1, _TICK_MB):
        parts.append(f'<path class="grid" d="M{_LEFT} {y_of(mb):.1f}H{right}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y_of(mb) + 4:.1f}" text-anchor="end">{mb}</text>')
    every = 10 if steps > 20 else 1
    for step in range(every - 1, steps, every):
        label = f"{(step + 1) * step_min:.0f}"
        parts.append(
            f'<text x="{x_of(step):.1f}" y="{HEIGHT - _BOTTOM + 18}" text-anchor="middle">{label}</text>'
        )
    middle = (_LEFT + right) / 2
    parts.append(
        f'<text x="{middle:.0f}" y="{HEIGHT - 6}" text-anchor="middle">minutes since the start</text>'
    )
    parts.append(
        f'<text transform="translate(13 {(HEIGHT - _BOTTOM + _TOP) / 2:.0f}) rotate(-90)" '
        'text-anchor="middle">memory (PSS), MB</text>'
    )
    for name, mb in shown_limits.items():
        parts.append(f'<path class="limit {name}" d="M{_LEFT} {y_of(mb):.1f}H{right}"/>')
    for line in lines:
        points = " ".join(f"{x_of(step):.1f},{y_of(mb):.1f}" for step, mb in enumerate(line.values_mb))
        parts.append(f'<polyline class="{line.kind}" points="{points}"/>')
    labels = [(y_of(line.values_mb[-1]), line.title) for line in lines]
    names = {"web": "limit of the page", "store": "limit of the store"}
    labels += [(y_of(mb), names[name]) for name, mb in shown_limits.items()]
    for y, title in apart(labels):
        parts.append(f'<text x="{right + 8}" y="{y + 4:.1f}">{title}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def lines_of(edge: dict[str, Any]) -> list[Line]:
    """What is drawn: each service and all between two runs, and the highest sum of each minute."""
    between = edge["between_mb"]
    return [
        Line("peak", "all, highest", [sum(parts.values()) for parts in edge["peaks_mb"]]),
        Line("all", "all, between runs", [sum(parts.values()) for parts in between]),
        Line("web", "page", [parts.get("web", 0.0) for parts in between]),
        Line("store", "store", [parts.get("store", 0.0) for parts in between]),
        Line("collector", "collector", [parts.get("collector", 0.0) for parts in between]),
    ]


def apart(labels: Sequence[tuple[float, str]], line_height: float = 15) -> list[tuple[float, str]]:
    """The labels from above to below, each at least a line below the one before."""
    placed: list[tuple[float, str]] = []
    for y, title in sorted(labels):
        placed.append((max(y, placed[-1][0] + line_height) if placed else y, title))
    return placed
