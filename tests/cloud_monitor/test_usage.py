"""Load under every kind of bound: captured trees of /proc and /sys/fs/cgroup, and this machine itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cloud_monitor.system.cgroups import read_groups
from cloud_monitor.system.usage import (
    CpuUse,
    HostSample,
    MemoryUse,
    cpu_pct_between,
    rates_between,
    read_disk,
    read_disks,
    read_host_sample,
    read_process_memory,
)
from tests.services.needs import need
from tests.services.support import wait_until

DATA = Path(__file__).parents[1] / "data/load"
MB = 1 << 20


def unpack(name: str, root: Path) -> Path:
    """A captured tree: sections `=== path` with the file's text."""
    for section in (DATA / f"{name}.txt").read_text().split("=== ")[1:]:
        path, _, text = section.partition("\n")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def load_of(
    root: Path, previous: HostSample | None = None, at_s: float = 100.0, whole_machine: bool = False
) -> HostSample:
    return read_host_sample(
        previous, proc=root / "proc", root=root, clock=lambda: at_s, whole_machine=whole_machine
    )


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_host_without_limits(tmp_path: Path) -> None:
    load = load_of(unpack("host", tmp_path))
    assert load.memory == (MemoryUse("host", 8_192_000 * 1024, 16_384_000 * 1024),)
    assert (load.swap_total_bytes, load.swap_used_bytes) == (4_096_000 * 1024, 1_024_000 * 1024)
    assert load.load_1min == 1.5
    assert load.oom_kills == 3
    assert (load.counters.net_in_bytes, load.counters.net_out_bytes) == (
        1_001_000,
        502_000,
    )  # loopback is not counted
    assert (load.counters.swapped_in_bytes, load.counters.swapped_out_bytes) == (256 * 4096, 512 * 4096)
    assert load.pressure.cpu_pct == 12.34


def test_version_2_takes_the_limits_of_every_ancestor(tmp_path: Path) -> None:
    load = load_of(unpack("v2_service", tmp_path))
    own, parent = "/system.slice/work.slice/worker.service", "/system.slice/work.slice"
    assert load.memory[1:] == (
        MemoryUse(f"cgroup {own}", 2048 * MB, 6144 * MB),  # memory.high, without the inactive file cache
        MemoryUse(f"cgroup {parent}", 4_080_218_931, 4096 * MB),
    )
    assert load.tightest_memory.name == f"cgroup {parent}"
    assert load.cpus == min(1.5, load.counters.cpu[0].cpus)
    assert load.counters.cpu[1:] == (CpuUse(f"cgroup {parent}", 1.5, 60.0),)
    assert (load.pressure.cpu_pct, load.pressure.memory_pct) == (77.0, 8.5)
    assert load.pressure.io_pct == 3.0  # the group does not say, the host does
    assert load.oom_kills == 1


def test_a_version_2_container_sees_its_own_group_as_the_root(tmp_path: Path) -> None:
    load = load_of(unpack("v2_container", tmp_path))
    assert load.tightest_memory == MemoryUse("cgroup /", 256 * MB, 512 * MB)
    assert load.cpus == 0.5


def test_a_version_1_container_whose_mount_shows_only_itself(tmp_path: Path) -> None:
    load = load_of(unpack("v1_container", tmp_path))
    assert load.tightest_memory == MemoryUse(
        "cgroup /docker/0a1b", 300 * MB, 1024 * MB
    )  # limit of an ancestor
    assert load.cpus == min(2.0, load.counters.cpu[0].cpus)
    assert load.oom_kills == 2


def test_the_whole_machine_is_seen_past_the_groups(tmp_path: Path) -> None:
    load = load_of(unpack("v2_service", tmp_path), whole_machine=True)
    assert [use.name for use in load.memory] == ["host"]
    assert load.pressure.cpu_pct == 12.34
    assert load.cpus == load.counters.cpu[0].cpus


def test_cpu_is_the_worst_of_host_and_quota(tmp_path: Path) -> None:
    root = unpack("v2_service", tmp_path)
    before = load_of(root)
    assert before.cpu_pct is None
    replace_in(root / "sys/fs/cgroup/system.slice/work.slice/cpu.stat", "60000000", "72000000")
    after = load_of(root, before, at_s=110.0)
    assert after.cpu_pct == pytest.approx(80.0)  # 12 s of the 15 s that 1.5 cores give in 10 s
    for core in range(4):
        replace_in(root / "proc/stat", f"cpu{core} 2500", f"cpu{core} 3400")  # 9 s of 10 s
    assert load_of(root, before, at_s=110.0).cpu_pct == pytest.approx(90.0)


def test_rates_need_time_and_the_same_boot(tmp_path: Path) -> None:
    root = unpack("host", tmp_path)
    before = load_of(root)
    replace_in(root / "proc/net/dev", "1000000", "1600000")
    replace_in(root / "proc/vmstat", "pswpout 512", "pswpout 1112")
    rates = rates_between(before, load_of(root, at_s=160.0))
    assert rates is not None
    assert (rates.net_in_bytes_s, rates.net_out_bytes_s) == (10_000, 0)
    assert (rates.swapped_in_bytes_s, rates.swapped_out_bytes_s) == (0, 40_960)
    assert rates_between(before, before) is None
    replace_in(root / "proc/sys/kernel/random/boot_id", "1111", "9999")
    rebooted = load_of(root, at_s=160.0)
    assert rates_between(before, rebooted) is None
    assert cpu_pct_between(before, rebooted) is None


def test_a_tree_without_groups_or_pressure_is_a_host(tmp_path: Path) -> None:
    root = unpack("host", tmp_path)
    for path in ("proc/self/cgroup", "proc/self/mountinfo", "proc/pressure/cpu"):
        (root / path).unlink()
    load = load_of(root)
    assert [use.name for use in load.memory] == ["host"]
    assert load.pressure.cpu_pct is None


def test_disks_are_listed_once_each_and_a_missing_one_is_named() -> None:
    disks = read_disks(["/", "/", "/proc/.."])
    assert [disk.mount for disk in disks] == ["/"]
    assert 0 < disks[0].used_pct < 100
    assert read_disk("/").total_bytes == disks[0].total_bytes
    with pytest.raises(FileNotFoundError, match="/no/such/mount"):
        read_disks(["/no/such/mount"])


def test_memory_of_a_process() -> None:
    memory = read_process_memory(os.getpid())
    assert memory is not None
    assert memory.rss_bytes >= memory.file_bytes > 0
    assert memory.private_bytes > 5 * MB
    process = subprocess.Popen(["true"])
    wait_until(lambda: Path(f"/proc/{process.pid}/stat").read_text().split()[2] == "Z", "a zombie")
    zombie = read_process_memory(process.pid)
    assert zombie is not None
    assert zombie.rss_bytes == 0
    process.wait()
    assert read_process_memory(process.pid) is None


READER = """
import sys
from cloud_monitor.system.usage import read_host_sample
with open(sys.argv[1] + "/cgroup.procs", "w") as file:
    file.write("0")
load = read_host_sample()
print(load.tightest_memory.name, load.tightest_memory.limit_bytes)
"""


def test_a_real_group_of_this_machine_binds() -> None:
    need("root")
    v1 = Path("/sys/fs/cgroup/memory")
    mount = v1 if v1.is_dir() else Path("/sys/fs/cgroup")
    group = mount / f"cloud-monitor-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error.strerror}")
    try:
        (group / ("memory.limit_in_bytes" if v1.is_dir() else "memory.max")).write_text(str(96 * MB))
        answer = subprocess.run(
            [sys.executable, "-c", READER, group], capture_output=True, text=True, check=True
        )
        name, limit = answer.stdout.rsplit(maxsplit=1)
        assert name.endswith(group.name)
        assert int(limit) == 96 * MB
    finally:
        time.sleep(0.1)
        group.rmdir()


def test_groups_of_this_process_are_read_without_error() -> None:
    assert all(group.name.startswith("/") for group in read_groups())
