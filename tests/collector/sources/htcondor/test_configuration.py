"""A pool whose configuration only a setting names: a run under cron knows no shell's CONDOR_CONFIG."""

from __future__ import annotations

from pathlib import Path

from tests.collector.support import collector_environment
from tests.collector.test_check import rows_of
from tests.services.condor import CondorPool


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
        told = "COLLECTOR_CONDOR_CONFIG: /nowhere/condor_config: No such file or directory"
        found = "COLLECTOR_CONDOR_CONFIG=/nowhere/condor_config"
        assert rows["source", source]["text"] == f"{told} ({found})"
    assert rows["source", "host"]["level"] == "ok"
