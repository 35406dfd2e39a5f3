"""A grid's figures as Prometheus's gauges: names, labels, base units and HELP, made from the catalog. Pure.

A name that once was given stays: where the catalog's key would make another one, NAMES has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cloud_monitor.metrics.catalog import BY_KEY, METRICS, PRODUCERS, UNITS, Metric, is_of_further_host
from cloud_monitor.metrics.paths import match_path
from webapp.model.snapshot_view import SnapshotView
from webapp.model.tree import Snapshot, Value

PREFIX = "cloud_monitor_"
_LEFT_OUT = frozenset({"live_host", "proof"})  # one for each VM; a number that only the collector reads
_UNIT_SUFFIXES = ("_bytes_per_s", "_mb", "_pct", "_s")
_STEMS = {"sysinfo_": "host_", "source_": "collector_source_", "destination_": "collector_destination_"}

NAMES: Mapping[str, str] = {
    "heartbeat": "grid_heartbeat",
    "cloud_quota": "cloud_quota_vms",
    "cloud_vms": "cloud_type_vms",  # cloud_vms and its like are the sums over types
    "cloud_idle": "cloud_type_vms_idle",
    "cloud_lost": "cloud_type_vms_lost",
    "cloud_unreg": "cloud_type_vms_unregistered",
    "cloud_kflops": "cloud_flops",
    "fleet_rate": "fleet_images_per_second",
    "fleet_cost": "fleet_cost_per_1000_images",
    "fleet_host_pages_total": "fleet_host_pages",
    "sysinfo_load": "host_load1",
    "sysinfo_ram": "host_memory_percent",
    "sysinfo_ram_mb": "host_memory_bytes",
    "sysinfo_disks": "host_file_system_percent",
    "sysinfo_si": "host_swapped_in_bytes_per_second",
    "sysinfo_so": "host_swapped_out_bytes_per_second",
    "owner": "collector_owner",
}
_LABELS = {"jobtype": "type", "vmtype": "type", "slottype": "type"}


class Gauge(NamedTuple):
    name: str
    text: str
    labels: tuple[str, ...]
    fields: tuple[str, ...]  # of the path, for each label
    frame: str  # a sample as far as its value, with %s for each field
    factor: float  # to the base unit


def _gauge(
    name: str,
    text: str,
    labels: tuple[str, ...],
    fields: tuple[str, ...],
    factor: float = 1.0,
    fixed: str = "",
) -> Gauge:
    """`fixed` is the value of one more label than there are fields, where the path has a literal for it."""
    values = ["%s"] * len(fields) + [fixed] * bool(fixed)
    cells = ",".join(f'{label}="{value}"' for label, value in zip(labels, values, strict=True))
    return Gauge(PREFIX + name, text, labels, fields, f"{PREFIX}{name}{{{cells}}} ", factor)


def _gauge_of(metric: Metric) -> Gauge:
    """The gauge that a metric's values go into; metrics that differ in a label alone share one."""
    further = is_of_further_host(metric)
    own = BY_KEY[metric.key.removeprefix("host_")] if further else metric
    named = BY_KEY.get(own.family, own)
    fields = _fields_of(metric)
    of = "A further scheduler host" if further else PRODUCERS[metric.producer].title
    return _gauge(
        name=("further_" if further else "") + _name_of(named),
        text=f"{of}: {named.meaning}.",
        labels=tuple(_label_of(field, named) for field in (*fields, *_fields_of(named)[len(fields) :])),
        fields=fields,
        factor=UNITS[metric.unit].factor,
        fixed="" if named is own else metric.template.rpartition(".")[2],
    )


def _fields_of(metric: Metric) -> tuple[str, ...]:
    segments = metric.template.split(".")
    return tuple(segment.partition("{")[2].rstrip("}") for segment in segments if "{" in segment)


def _label_of(field: str, metric: Metric) -> str:
    return "state" if field == "status" and metric.unit == "vms" else _LABELS.get(field, field)


def _name_of(metric: Metric) -> str:
    if metric.key in NAMES:
        return NAMES[metric.key]
    stem, base = metric.key, UNITS[metric.unit].base
    if base:
        stem = next((stem.removesuffix(each) for each in _UNIT_SUFFIXES if stem.endswith(each)), stem)
    for prefix, better in _STEMS.items():
        if stem.startswith(prefix):
            stem = better + stem.removeprefix(prefix)
    if metric.about == "grid" and not stem.startswith(("azure_", "condor_", "fleet_")):
        stem = f"grid_{stem}"
    return f"{stem}_{base}" if base and not stem.endswith(f"_{base}") else stem


GAUGES: Mapping[str, Gauge] = {
    metric.key: _gauge_of(metric) for metric in METRICS if metric.key.removeprefix("host_") not in _LEFT_OUT
}


def expose_grids(view: SnapshotView) -> str:
    """Every fresh figure of the grids that are shown, in Prometheus's text format.

    Written here and not by prometheus_client, which takes five times as long for a hundred thousand samples.
    """
    samples: dict[str, list[str]] = {}  # by the gauge's name
    for gauge, names, value in _sums_over_types(view.snapshot):
        _add_sample(samples, gauge, names, value, view)
    shown = {grid.name for grid in view.snapshot.grids}
    for value in view.snapshot.values.values():
        matched = match_path(value.path)
        if matched is None or matched[1]["grid"] not in shown:
            continue
        metric, names = matched
        if metric.key in GAUGES:
            _add_sample(samples, GAUGES[metric.key], names, value, view)
    return "".join(
        f"# HELP {name} {_TEXTS[name]}\n# TYPE {name} gauge\n{''.join(lines)}"
        for name, lines in sorted(samples.items())
    )


def _add_sample(
    samples: dict[str, list[str]], gauge: Gauge, names: Mapping[str, str], value: Value, view: SnapshotView
) -> None:
    if value.value is None or not view.is_fresh(value):
        return
    lines = samples.get(gauge.name)
    if lines is None:
        lines = samples[gauge.name] = []
    labels = gauge.frame % tuple([_escape(names[field]) for field in gauge.fields])
    lines.append(f"{labels}{value.value * gauge.factor!r}\n")


def _escape(text: str) -> str:
    """A label's value; names inside the grammar of paths need nothing."""
    if text.isidentifier():
        return text
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


_TYPES_TOGETHER = {
    key: _gauge(name, f"All types of VM together: {BY_KEY[key].meaning}.", ("grid", "cloud", *labels), fields)
    for key, name, labels, fields in (
        ("cloud_vms", "cloud_vms", ("state",), ("grid", "cloud", "status")),
        ("cloud_idle", "cloud_vms_idle", (), ("grid", "cloud")),
        ("cloud_lost", "cloud_vms_lost", (), ("grid", "cloud")),
        ("cloud_unreg", "cloud_vms_unregistered", (), ("grid", "cloud")),
    )
}
_TEXTS = {gauge.name: gauge.text for gauge in (*GAUGES.values(), *_TYPES_TOGETHER.values())}


def _sums_over_types(snapshot: Snapshot) -> Iterator[tuple[Gauge, Mapping[str, str], Value]]:
    for grid in snapshot.grids:
        for cloud in grid.clouds:
            names, total = {"grid": grid.name, "cloud": cloud.name}, cloud.total
            for state, value in total.states.items():
                yield _TYPES_TOGETHER["cloud_vms"], names | {"status": state}, value
            yield _TYPES_TOGETHER["cloud_idle"], names, total.idle
            yield _TYPES_TOGETHER["cloud_lost"], names, total.lost
            yield _TYPES_TOGETHER["cloud_unreg"], names, total.unreg
