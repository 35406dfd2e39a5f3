"""Figures of daemons."""

from __future__ import annotations

from cloud_monitor.metrics.daemon_figures import OF_DAEMON
from cloud_monitor.metrics.paths import build_path, parse_path


def test_every_daemon_figure_is_a_metric_with_its_attribute() -> None:
    for kind, figures in OF_DAEMON.items():
        assert len({figure.name for figure in figures}) == len(figures)
        for figure in figures:
            path = build_path(f"condor_{kind}_{figure.name}", grid="g", name="n")
            assert parse_path(path).metric.unit == figure.unit
