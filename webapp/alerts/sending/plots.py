"""Which figures tell of an alert, as targets of a plot (pure)."""

from __future__ import annotations

from urllib.parse import unquote

from cloud_monitor.metrics.paths import ROOT, is_clean
from webapp.alerts.model import AlertKey
from webapp.alerts.observe import key_of
from webapp.alerts.rules.rules import AlertRule
from webapp.model.health import (
    CLOUD_SILENT,
    CLOUD_UNREACHABLE,
    GRID_SILENT,
    HEARTBEAT_LOST,
    POLL_FAILING,
    Key,
)

_OF_CLOUD = {
    CLOUD_UNREACHABLE: "vms.*.total", CLOUD_SILENT: "vms.*.total", "vms_error": "vms.*.error",
    "vms_lost": "lost.*", "vms_unreg": "unreg.*",
}  # fmt: skip
_OF_HOST = {
    "cpu_pct": "sysinfo.cpu", "ram_pct": "sysinfo.ram", "swap_pct": "sysinfo.swap",
    "disk_pct": "sysinfo.disk", "spool_age_s": "collector.spool_age_s", "clock_ahead_s": "collector.clock_s",
}  # fmt: skip
_OF_GRID = {
    "held_pct": ("jobs.all.held", "jobs.all.total"), "chunks_failed": ("fleet.chunks.failed",),
    GRID_SILENT: ("collector.points",),
}  # fmt: skip


def plot_targets(key: AlertKey, rule: AlertRule | None) -> tuple[str, ...]:
    """Those of its place; none where nothing is stored of it."""
    if rule is None:
        return ()
    if rule.figure:
        names = [unquote(name, errors="surrogatepass") for name in key.place.split("/")]
        if len(names) != len(rule.names) or not all(map(is_clean, names)):
            return ()
        filled = dict(zip(rule.names, names, strict=True))
        paths = filter(None, (rule.figure, rule.of, rule.minus))
        return tuple(path.format(**filled) for path in paths)
    return _of_condition(key_of(rule.when or "", key.place))


def _of_condition(key: Key) -> tuple[str, ...]:
    if key.kind == POLL_FAILING or not all(map(is_clean, filter(None, key[1:]))) or not key.grid:
        return ()
    grid = f"{ROOT}.{key.grid}"
    host = f"{grid}.hosts.{key.host}" if key.host else grid
    if key.kind == HEARTBEAT_LOST and key.part:
        return (f"{host}.heartbeat.{key.part}",)
    if key.kind in _OF_CLOUD and key.cloud:
        return (f"{grid}.clouds.{key.cloud}.{_OF_CLOUD[key.kind]}",)
    if key.kind in _OF_HOST:
        return (f"{host}.{_OF_HOST[key.kind]}",)
    return tuple(f"{grid}.{path}" for path in _OF_GRID.get(key.kind, ()))
