"""Tables and plot of docs/small-machine.md, from what `bench.edge --report docs/small-machine.json` kept.

`python -m tools.small_machine_tables` writes them anew.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from tools.small_machine_plot import draw_plot

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE, RECORD, PLOT = (DOCS / f"small-machine.{end}" for end in ("md", "json", "svg"))
SERVICES = {"web": "page", "collector": "collector", "store": "store"}
# Of the stack that this one descends from, as it tells of itself: between runs, and at the peak.
ANCESTOR_MB = {"between": "~90", "peak": "~150"}
_BLOCK = r"(?<=<!-- {name} -->\n).*?(?=<!-- end -->)"

Record = dict[str, Any]


def memory_table(record: Record) -> str:
    edge, default = record["profiles"]["edge"], record["profiles"]["default"]
    limits = record["limits_mb"] or {}
    peak, default_peak = _highest(edge["peaks_mb"]), _highest(default["peaks_mb"])
    rows = [
        ["memory, MB", *SERVICES.values(), "all", "with Carbon and Graphite", "the stack before"],
        _over_steps("between two runs, median", edge, default, "between_mb", median, ANCESTOR_MB["between"]),
        _over_steps("between two runs, most", edge, default, "between_mb", max, ""),
        [
            "between two runs, as if nothing else ran here",
            *([""] * len(SERVICES)),
            *(
                _mb(median(alone)) if None not in (alone := one["alone_mb"]) else ""
                for one in (edge, default)
            ),
            "",
        ],
        [
            "at the highest moment",
            *(_mb(peak.get(service, 0)) for service in SERVICES),
            _mb(sum(peak.values())),
            _mb(sum(default_peak.values())),
            ANCESTOR_MB["peak"],
        ],
        [
            "limit",
            *(f"{limits[service]:g}" if service in limits else "" for service in SERVICES),
            f"{limits['all']:g}" if "all" in limits else "",
            "none",
            "",
        ],
    ]
    return _table(rows)


def use_table(record: Record) -> str:
    """CPU-seconds a minute, and MB written an hour."""
    edge, default = record["profiles"]["edge"], record["profiles"]["default"]
    rows = [["use", *SERVICES.values(), "all", "with Carbon and Graphite"]]
    for title, key, seconds in (
        ("CPU-seconds a minute", "cpu_s", 60),
        ("MB written to disk an hour", "written_mb", 3600),
    ):
        used, beside = edge[key], default[key]
        rate, rate_beside = seconds / edge["seconds"], seconds / default["seconds"]
        rows.append(
            [
                title,
                *(f"{used[service] * rate:.1f}" for service in SERVICES),
                f"{sum(used.values()) * rate:.1f}",
                f"{sum(beside.values()) * rate_beside:.1f}",
            ]
        )
    return _table(rows)


def request_table(record: Record) -> str:
    edge, default = record["profiles"]["edge"], record["profiles"]["default"]
    rows = [["pages", "answered", "failed", "median, ms", "99 % within, ms", "a second"]]
    for title, told, per_s in (
        ("one each half second", edge["visits"], "2"),
        ("1,000 at once, by 8 visitors", record["burst"], f"{record['burst']['per_s']}"),
        ("one each half second, with Carbon and Graphite", default["visits"], "2"),
    ):
        times = [f"{told.get(name, '')}" for name in ("p50_ms", "p99_ms")]
        rows.append([title, f"{told['pages']:,}", f"{told['failed']}", *times, per_s])
    return _table(rows)


def when_line(record: Record) -> str:
    edge, default = record["profiles"]["edge"], record["profiles"]["default"]
    day = datetime.fromtimestamp(record["began_at"], UTC).strftime("%-d %B %Y")
    load = edge["load"]
    return (
        f"Measured on {day} over {len(edge['between_mb'])} minutes, and {len(default['between_mb'])} with "
        f"Carbon and Graphite, with {edge['series']:,} series, on {record['cpus']} cores that others loaded "
        f"meanwhile: the load average was {min(load):g} to {max(load):g}, {median(load):g} in the middle. "
        f"{edge['polls_missed']} polls were missed, {record['killed']} processes killed by a limit.\n"
    )


def fill_page(text: str, record: Record) -> str:
    """The page with what stands between its marks as the record has it."""
    for name, made in (
        ("when", when_line(record)),
        ("memory", memory_table(record)),
        ("use", use_table(record)),
        ("requests", request_table(record)),
    ):
        pattern = re.compile(_BLOCK.format(name=name), re.DOTALL)
        text = pattern.sub(lambda _, made=made: made, text, count=1)  # type: ignore[misc]
    return text


def _over_steps(title: str, edge: Record, default: Record, key: str, middle: Any, before: str) -> list[str]:
    by_service = [middle(parts.get(service, 0) for parts in edge[key]) for service in SERVICES]
    return [
        title,
        *map(_mb, by_service),
        _mb(middle(sum(parts.values()) for parts in edge[key])),
        _mb(middle(sum(parts.values()) for parts in default[key])),
        before,
    ]


def _highest(peaks: list[dict[str, float]]) -> dict[str, float]:
    return max(peaks, key=lambda parts: sum(parts.values()))


def _mb(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _table(rows: list[list[str]]) -> str:
    head, *rest = rows
    lines = [head, ["---"] * len(head), *rest]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    kept = json.loads(RECORD.read_text())
    PAGE.write_text(fill_page(PAGE.read_text(), kept))
    PLOT.write_text(draw_plot(kept))
