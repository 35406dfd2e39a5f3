"""`worker machines`: what operators ask for and are told; the manager over machines of this host."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.services.needs import need
from tests.services.support import wait_until
from worker.__main__ import main
from worker.machines.model import MachineOrder
from worker.machines.providers.base import ProviderRefused, QuotaRefused, open_provider
from worker.machines.providers.local import LocalOptions, LocalProvider

CONFIG = """
fleet = "{fleet}"
[preset.small]
cores = 1
memory_gb = 1
[preset.huge]
cores = 32
memory_gb = 1
[provider.here]
kind = "local"
folder = "{folder}/machines"
[group.tryout]
most = 2
[[group.tryout.place]]
provider = "here"
preset = "small"
price_per_hour = 0.5
[[group.tryout.place]]
provider = "here"
preset = "huge"
"""


def run(folder: Path, *arguments: str) -> str:
    config = folder / "machines.toml"
    config.write_text(CONFIG.format(fleet=f"cmd-{os.getpid()}", folder=folder))
    environment = {
        "WORKER_MACHINES_CONFIG": str(config),
        "WORKER_DATABASE_URL": f"sqlite:///{folder / 'queue.db'}",
    }
    done = CliRunner().invoke(main, ["machines", *arguments], env=environment)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return f"error: {done.exception}"
    return done.output


def test_a_dry_run_says_the_size_the_price_and_the_quota(tmp_path: Path) -> None:
    assert run(tmp_path, "create", "small", "--dry-run") == (
        "here/small: local (1 cores, 1 GB memory), 0.5 an hour; the quota leaves 8 more\n"
    )
    assert run(tmp_path, "create", "huge", "--dry-run") == "here/huge: no size has all of preset huge\n"
    assert run(tmp_path, "create", "vast").startswith("error: no group has preset vast")


def test_what_is_asked_for_waits_for_the_manager_which_a_dry_run_shows(tmp_path: Path) -> None:
    assert run(tmp_path, "create", "small", "--count", "2").startswith("asked for, as wish 1")
    assert run(tmp_path, "pause", "tryout").startswith("asked for, as wish 2")
    assert run(tmp_path, "pause", "other").startswith("error: there is no group other; there are tryout")
    assert run(tmp_path, "delete", "nobody").startswith("error: there is no machine nobody")
    assert run(tmp_path, "autoscale", "--dry-run") == "tryout: 0 wanted: no work is left\n"
    assert run(tmp_path, "list") == "0 machines\n"
    assert json.loads(run(tmp_path, "groups", "--json")) == []
    assert "no machine manager is running" in run(tmp_path, "groups")


def test_a_round_of_the_manager_is_told_and_kept(tmp_path: Path) -> None:
    assert run(tmp_path, "pause", "tryout").startswith("asked for")
    assert run(tmp_path, "autoscale", "--once") == "tryout: 0 wanted: paused; no work is left\n"
    (group,) = json.loads(run(tmp_path, "groups", "--json"))
    assert (group["paused"], group["reason"]) == (True, "no_work")


def test_a_machine_of_this_host_is_made_once_listed_stopped_and_ended(tmp_path: Path) -> None:
    need("root")
    cloud = LocalProvider("here", LocalOptions(folder=tmp_path, most=1, boot_s=600), f"one-{os.getpid()}")
    name = f"one-{os.getpid()}-1"  # other runs of these tests have theirs
    order = MachineOrder(name, "g", "local")
    try:
        assert cloud.create(order) == cloud.create(order) == name
        (machine,) = cloud.list().machines
        assert (machine.name, machine.group) == (name, "g")
        processes = cloud.root / f"g@{name}" / "cgroup.procs"
        wait_until(lambda: processes.read_text().strip(), "its first process")
        first = processes.read_text().split()[0]
        environment = Path(f"/proc/{first}/environ")  # empty in the moment in which its program begins
        wait_until(lambda: "WORKER_CPUS=1" in environment.read_text().split("\0"), "CPUs of its own")
        with pytest.raises(QuotaRefused, match="there are 1 machines already"):
            cloud.create(MachineOrder("one-2", "g", "local"))
        assert cloud.limits().machines.left == 0
    finally:
        cloud.delete(name)
        cloud.delete(name)  # gone is no error
        assert cloud.list().machines == ()
        cloud.root.rmdir()
    wait_until(lambda: not processes_of(name), "its processes have ended, those that had just begun too")


def processes_of(machine: str) -> str:
    found = subprocess.run(["pgrep", "-f", f"{machine} 600"], capture_output=True, text=True, check=False)
    return found.stdout


def test_an_option_that_a_provider_does_not_take_is_named() -> None:
    with pytest.raises(ProviderRefused, match="provider here: mosst: Extra inputs are not permitted"):
        open_provider("local", "here", {"mosst": 3}, "f")


def test_a_replay_of_an_empty_past_says_so_for_both_rules(tmp_path: Path) -> None:
    assert run(tmp_path, "pause", "tryout").startswith("asked for")  # makes the queue
    nothing = "0 images, 0 late, 0.0 machine hours, 0.00, at most 0 machines, 0 made, 0 reversals"
    assert run(tmp_path, "replay", "--days", "7") == (
        f"tryout by deadline (used): {nothing}\ntryout by thresholds: {nothing}\n"
    )
