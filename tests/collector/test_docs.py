"""docs/metrics.md says what the code says: paste what a failing test prints."""

from __future__ import annotations

from cloud_monitor.metrics.paths import METRICS, Metric
from tests.collector.support import ROOT

PRODUCERS = {
    "clouds": "Cloud Scheduler and HTCondor compared",
    "cloudscheduler": "Cloud Scheduler",
    "collector": "The collector itself",
    "commands": "Commands of the operator",
    "condor_jobs": "HTCondor, jobs",
    "condor_slots": "HTCondor, machines and daemons",
    "fleet": "Worker fleet",
    "host": "Head node",
}


def metric_tables() -> dict[str, str]:
    """Heading -> table, one for each producer; a further host's paths are said in words."""
    tables = {}
    for producer, heading in sorted(PRODUCERS.items(), key=lambda item: item[1]):
        own = [
            metric for metric in METRICS if metric.producer == producer and not metric.key.startswith("host_")
        ]
        rows = [
            f"| `{metric.template}` | {metric.unit} | {metric.kind} | {metric.meaning} |" for metric in own
        ]
        tables[heading] = "\n".join(["| path | unit | kind | meaning |", "|---|---|---|---|", *rows])
    return tables


def test_every_metric_is_documented_under_its_producer() -> None:
    text = (ROOT / "docs/metrics.md").read_text()
    for heading, table in metric_tables().items():
        section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
        assert table in section, f"\n## {heading}\n\n{table}"


def test_every_producer_has_a_heading_and_no_documented_path_is_foreign() -> None:
    assert {metric.producer for metric in METRICS} == set(PRODUCERS)
    text = (ROOT / "docs/metrics.md").read_text()
    documented = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    assert documented == {metric.template for metric in METRICS if not is_of_further_host(metric)}


def is_of_further_host(metric: Metric) -> bool:
    return metric.template.startswith("grids.{grid}.hosts.{host}.")
