"""What waits to be sent: private, bounded, in order, and sent by one process at a time."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

from cloud_monitor.telemetry.spool import AGE_MAX_S, TelemetrySpool


def test_files_come_in_order_and_are_private(tmp_path: Path) -> None:
    spool = TelemetrySpool(tmp_path / "telemetry", 1_000_000)
    for number in range(3):
        spool.put("azure", b"[%d]" % number)
    files = spool.files()
    assert [gzip.decompress(file.path.read_bytes()) for file in files] == [b"[0]", b"[1]", b"[2]"]
    assert {file.kind for file in files} == {"azure"}
    assert spool.folder.stat().st_mode & 0o777 == 0o700
    assert {file.path.stat().st_mode & 0o777 for file in files} == {0o600}


def test_the_oldest_go_when_it_is_full(tmp_path: Path) -> None:
    spool = TelemetrySpool(tmp_path, 20_000)
    for _ in range(200):
        spool.put("azure", os.urandom(1000))
    kept = spool.files()
    assert sum(file.size_bytes for file in kept) <= 20_000 + 20 * 1100, "counted every 20 files"
    numbers = [int(file.path.stem.rpartition("-")[2]) for file in kept]
    assert numbers == list(range(200 - len(kept), 200))
    spool.prune()
    assert 10_000 < sum(file.size_bytes for file in spool.files()) <= 20_000


def test_what_nobody_would_take_any_more_goes(tmp_path: Path) -> None:
    spool = TelemetrySpool(tmp_path, 1_000_000)
    spool.put("azure", b"[]")
    new = spool.files()[0].path
    old = new.with_name(f"{int(new.name[:20]) - (AGE_MAX_S + 60) * 10**9:020d}-1-0.azure")
    new.rename(old)
    half = tmp_path / ".x.abc.new"
    half.touch()
    os.utime(half, (1, 1))
    assert spool.prune() == 1
    assert list(tmp_path.iterdir()) == []


def test_one_process_sends_at_a_time(tmp_path: Path) -> None:
    spool, other = TelemetrySpool(tmp_path, 1000), TelemetrySpool(tmp_path, 1000)
    with spool.sending() as is_ours, other.sending() as is_theirs:
        assert (is_ours, is_theirs) == (True, False)
    with other.sending() as is_theirs:
        assert is_theirs
