"""The catalog: every line is whole, and what is made from it says what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_monitor.metrics.catalog import METRICS, PRODUCERS, UNITS, Metric, is_of_further_host
from cloud_monitor.metrics.paths import build_path
from cloud_monitor.metrics.statistics import MAX, Statistic
from cloud_monitor.metrics.storage import CARBON_METHODS, main, method_of, storage_aggregation
from tools.metrics_tables import DOCS, STORAGE, fill_tables

# Durations in seconds of which the largest is not the one to look for
NOT_THE_WORST = {
    "condor_schedd_wait_sum_s", "condor_schedd_running_sum_s", "condor_schedd_badput_sum_s",  # grow for ever
    "condor_schedd_recent_wait_sum_s", "condor_schedd_recent_running_sum_s",  # levels: of the last 20 minutes
    "condor_schedd_recent_badput_sum_s",
    "condor_negotiator_cycle_end",  # a point in time
    "fleet_next_deadline", "fleet_batch_deadline_s", "fleet_batch_margin_s",  # countdowns
    "fleet_batch_cpu_s", "fleet_batch_wall_s",  # grow while it is worked on
}  # fmt: skip

literals = sorted({part for metric in METRICS for part in metric.template.split(".") if "{" not in part})
names = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True) | st.sampled_from(literals)

_config = RawConfigParser()
_config.read_string(storage_aggregation())
CARBON = [_config[name] for name in _config.sections()]


def path_of(metric: Metric, data: st.DataObject) -> str:
    fields = re.findall(r"\{(\w+)\}", metric.template)
    return build_path(metric.key, **{field: data.draw(names) for field in fields})


def test_every_metric_has_a_unit_a_statistic_and_a_producer_that_are_known() -> None:
    for metric in METRICS:
        assert metric.unit in UNITS, metric
        assert metric.statistic in get_args(Statistic), metric
        assert metric.producer in PRODUCERS, metric
    assert {metric.unit for metric in METRICS} == set(UNITS)
    assert {metric.producer for metric in METRICS} == set(PRODUCERS)


def test_waits_ages_and_durations_are_watched_for_their_worst_and_nothing_else_is() -> None:
    seconds = {metric.key for metric in METRICS if metric.unit == "s" and not is_of_further_host(metric)}
    worst = {metric.key for metric in METRICS if metric.statistic == MAX and not is_of_further_host(metric)}
    assert seconds - worst == NOT_THE_WORST
    assert worst <= seconds


def test_a_further_host_has_the_figures_of_the_grids_own_with_the_same_statistic() -> None:
    own = {metric.key: metric for metric in METRICS if metric.about == "host"}
    for key, metric in own.items():
        if is_of_further_host(metric):
            twin = own[key.removeprefix("host_")]
            assert metric[2:] == twin[2:]


@given(st.sampled_from(METRICS), st.data())
def test_carbon_rolls_up_every_path_by_its_metrics_statistic(metric: Metric, data: st.DataObject) -> None:
    """By the first pattern that matches, as Carbon does; also where names are words of other templates."""
    path = path_of(metric, data)
    first = next(section for section in CARBON if re.search(section["pattern"], path))
    assert first["aggregationMethod"] == method_of(path)
    assert float(first["xFilesFactor"]) == 0


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("grids.g.wait.all.p95_s", "max"),
        ("grids.g.fleet.images_per_s", "average"),  # ends as a wait does, and is none
        ("grids.g.condor.schedd.s.upload_bytes_per_s", "average"),
        ("grids.g.condor.schedd.s.wait_sum_s", "last"),
        ("grids.g.hosts.h.sysinfo.cores", "last"),
        ("grids.g.collector.failures", "sum"),
        ("grids.g.jobs.all.running", "average"),
        ("servers.web.latency_s", "average"),  # somebody else's
    ],
)
def test_the_method_of_a_path(path: str, method: str) -> None:
    assert method_of(path) == method


def test_the_embedded_carbons_patterns_are_the_catalogs() -> None:
    assert STORAGE.read_text() == storage_aggregation(), "make docs"


def test_the_methods_of_the_files_of_a_store_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("grids/g/wait/all/p95_s.wsp", "grids/g/jobs/all/idle.wsp", "grids/g/note.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert main([str(tmp_path)]) == 0
    found = set(capsys.readouterr().out.splitlines())
    assert found == {
        f"average {tmp_path}/grids/g/jobs/all/idle.wsp", f"max {tmp_path}/grids/g/wait/all/p95_s.wsp",
    }  # fmt: skip
    assert main([]) == 0
    assert capsys.readouterr().out == storage_aggregation()
    assert main([str(tmp_path / "nowhere")]) == 2
    assert set(CARBON_METHODS.values()) == {"average", "max", "last", "sum"}


def test_the_documented_loop_gives_old_files_their_method(tmp_path: Path, carbon_python: Path) -> None:
    """On files of a real Whisper, made with the method that an earlier version had for their names."""
    methods = {"grids/g/fleet/images_per_s.wsp": "average", "grids/g a/wait/all/p50_s.wsp": "max"}
    for name in methods:
        (tmp_path / name).parent.mkdir(parents=True)
        make = "import sys, whisper; whisper.create(sys.argv[1], [(60, 10), (600, 10)], 0.5, sys.argv[2])"
        subprocess.run([carbon_python, "-c", make, tmp_path / name, "last"], check=True)
    text = (DOCS.parent / "operations.md").read_text()
    loop = text.split("## The store's coarse archives")[1].split("```sh")[1].split("```")[0]
    path = f"{Path(sys.executable).parent}:{carbon_python.parent}:{os.environ['PATH']}"
    script = loop.replace("/var/lib/graphite/whisper", str(tmp_path))
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], check=True, env=os.environ | {"PATH": path})
    read = (
        "import sys, whisper; i = whisper.info(sys.argv[1]); print(i['aggregationMethod'], i['xFilesFactor'])"
    )
    for name, method in methods.items():
        command = [carbon_python, "-c", read, tmp_path / name]
        said = subprocess.run(command, check=True, capture_output=True, text=True)
        assert said.stdout.split() == [method, "0.0"]


def test_every_metric_is_documented_under_its_producer() -> None:
    text = DOCS.read_text()
    assert fill_tables(text) == text, "make docs"
    documented = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert sorted(documented) == sorted(
        metric.template for metric in METRICS if not is_of_further_host(metric)
    )
