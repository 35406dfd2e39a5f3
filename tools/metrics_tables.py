"""What is made of the catalog: the tables of docs/metrics.md, the embedded Carbon's storage-aggregation.conf.

`python -m tools.metrics_tables` writes both anew.
"""

from __future__ import annotations

import re
from pathlib import Path

from cloud_monitor.metrics.catalog import METRICS, PRODUCERS, is_of_further_host
from cloud_monitor.metrics.storage import storage_aggregation
from webapp.metrics.gauges import GAUGES, PREFIX

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs/metrics.md"
STORAGE = ROOT / "embedded/storage-aggregation.conf"
_TABLE = re.compile(r"^\| path \|.*?(?=^(?!\|)|\Z)", re.MULTILINE | re.DOTALL)


def metrics_table(producer: str) -> str:
    """The metrics of one producer in Markdown; a further host's paths are said in words."""
    rows = ["| path | unit | kind | over time | gauge | meaning |", "|---|---|---|---|---|---|"]
    for metric in METRICS:
        if metric.producer == producer and not is_of_further_host(metric):
            gauge = f"`{GAUGES[metric.key].name.removeprefix(PREFIX)}`" if metric.key in GAUGES else ""
            cells = (metric.unit, metric.kind, metric.statistic, gauge, metric.meaning)
            rows.append(f"| `{metric.template}` | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def fill_tables(text: str) -> str:
    """The page with the table below each producer's heading as the catalog has it."""
    for name, producer in PRODUCERS.items():
        before, title, rest = text.partition(f"\n## {producer.title}\n")
        table = metrics_table(name)
        text = before + title + _TABLE.sub(lambda _, table=table: table, rest, count=1)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    DOCS.write_text(fill_tables(DOCS.read_text()))
    STORAGE.write_text(storage_aggregation())
