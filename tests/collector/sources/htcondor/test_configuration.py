"""A pool whose configuration only a setting names: a run under cron knows no shell's CONDOR_CONFIG."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.collector.support import collector_environment, run_collector
from tests.collector.test_check import rows_of
from tests.services.condor import CondorPool

ADVICE = "name the pool's condor_config, as `condor_config_val -config` shows it"


def test_the_setting_brings_a_pool_that_the_environment_does_not_name(
    condor_pool: CondorPool, tmp_path: Path
) -> None:
    environment = collector_environment(
        tmp_path, "127.0.0.1:1", SOURCES="auto", CONDOR_CONFIG=condor_pool.config
    )
    rows = rows_of(environment, 1)
    assert rows["source", "condor_slots"]["level"] == "ok"
    assert int(rows["source", "condor_slots"]["text"].split()[0]) > 10
    found = f" (COLLECTOR_CONDOR_CONFIG={condor_pool.config})"
    assert all(
        rows["source", name]["text"].endswith(f" s{found}") for name in ("condor_jobs", "condor_slots")
    )
    assert not rows["source", "host"]["text"].endswith(found)
    rows = rows_of(environment | {"COLLECTOR_CONDOR_CONFIG": "/nowhere/condor_config"}, 1)
    for source in ("condor_jobs", "condor_slots"):
        assert rows["source", source]["level"] == "failed"
        found = "COLLECTOR_CONDOR_CONFIG=/nowhere/condor_config"
        told = f"{found}: No such file or directory: {ADVICE} ({found})"
        assert rows["source", source]["text"] == told
    assert rows["source", "host"]["level"] == "ok"


@pytest.mark.parametrize("variable", ["CONDOR_CONFIG", "COLLECTOR_CONDOR_CONFIG"])
def test_a_configuration_that_is_none_is_one_line_and_told_once(variable: str, tmp_path: Path) -> None:
    """HTCondor's library has lines of its own for the terminal, which cron would mail each minute."""
    (tmp_path / "broken").write_text("nonsense\n")
    for named, told in (
        (tmp_path / "nowhere", f"{variable}={tmp_path}/nowhere: No such file or directory: {ADVICE}"),
        (tmp_path, f"{variable}={tmp_path}: Is a directory: {ADVICE}"),
        (
            tmp_path / "broken",
            "its process ended without an answer (status 1): Configuration Error Line 1 while reading global "
            f"config source {tmp_path}/broken",
        ),
    ):
        environment = collector_environment(
            tmp_path / "state", "127.0.0.1:1", SOURCES="auto", CONNECT_TIMEOUT_S="0.1"
        )
        first, again = (run_collector(environment=environment | {variable: str(named)}) for _ in range(2))
        assert [line for line in first.stderr.splitlines() if "127.0.0.1" not in line] == [
            f"collector: ERROR: condor_jobs, condor_slots: {told}"
        ]
        assert again.stderr == ""
