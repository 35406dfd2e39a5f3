"""The files of lists: many processes at once, a corrupt one, one of another version, a kill in the middle."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.services.support import wait_until
from tests.webapp.listings import job, listing, vm
from tests.webapp.sample import NOW
from webapp.inventory.database import InventoryFault
from webapp.inventory.payload import read_payload
from webapp.inventory.query import RecordQuery
from webapp.inventory.reader import grids_with_lists, open_reader
from webapp.inventory.store import store_payload

WRITER = """
import json, sys
from pathlib import Path
from tests.webapp.listings import job, listing, vm
from webapp.inventory.store import OlderList, store_payload
from webapp.inventory.payload import read_payload

folder, first, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
refused = 0
for number in range(first, first + rounds):
    # As many jobs as VMs, all of the list's own time: a reader that saw half of a list would see it.
    size = 20 + number % 7
    body = listing(number, [vm(f"vm{i}", slots=number) for i in range(size)],
                   [job(f"1.{i}", starts=number, schedd="") for i in range(size)])
    read = read_payload(json.dumps(body).encode())
    try:
        store_payload(folder, "belle", read, now=number, keep_gone_s=0, forget_after_s=1e9)
    except OlderList:
        refused += 1
print(refused)
"""


def send(folder: Path, at: int, hosts: list[str], grid: str = "belle") -> None:
    body = listing(at, [vm(host) for host in hosts], [job("1.0")])
    store_payload(
        folder, grid, read_payload(json.dumps(body).encode()), now=at, keep_gone_s=3600, forget_after_s=86400
    )


def hosts(folder: Path, grid: str = "belle") -> list[str] | None:
    with open_reader(folder, grid) as reader:
        return (
            None
            if reader is None
            else [record.key for record in reader.find("vms", RecordQuery(), 100).records]
        )


def start_writer(folder: Path, first: int, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), str(first), str(rounds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_write_while_others_read_whole_lists(tmp_path: Path) -> None:
    writers = [start_writer(tmp_path, first, 80) for first in (1_000_000, 1_000_001)]
    looks = 0
    while any(writer.poll() is None for writer in writers):
        with open_reader(tmp_path, "belle") as reader:
            summary = reader.summary("vms") if reader else None
            if reader is None or summary is None:
                continue
            vms = reader.find("vms", RecordQuery(), 100).records
            jobs = reader.find("jobs", RecordQuery(), 100).records
        present = [item for item in vms if item.gone_at is None]
        assert len(present) == summary.listed == 20 + summary.taken_at % 7
        assert {item.record.slots for item in present} == {summary.taken_at}  # type: ignore[union-attr]
        assert {item.record.starts for item in jobs if item.gone_at is None} == {summary.taken_at}  # type: ignore[union-attr]
        looks += 1
    ends = [writer.communicate(timeout=300) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], ends
    assert looks > 10
    with open_reader(tmp_path, "belle") as reader:
        assert reader is not None
        assert reader.counts()["taken_at"] == 1_000_080  # the newest of both, whatever the order


def test_a_writer_killed_in_the_middle_leaves_a_whole_list(tmp_path: Path) -> None:
    for round_ in range(5):
        writer = start_writer(tmp_path, 1_000_000 * (round_ + 1), 100_000)
        first = 1_000_000 * (round_ + 1)
        wait_until(lambda first=first: _has_list_of(tmp_path, first), "the round's first list")
        time.sleep(0.03 * round_)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        with open_reader(tmp_path, "belle") as reader:
            assert reader is not None
            summary = reader.summary("vms")
            assert summary is not None
            part = reader.find("vms", RecordQuery(), 100)
            present = [record for record in part.records if record.gone_at is None]
        assert len(present) == summary.listed
        assert {item.record.slots for item in present} == {summary.taken_at}  # type: ignore[union-attr]


def _has_list_of(folder: Path, first: int) -> bool:
    with open_reader(folder, "belle") as reader:
        summary = reader.summary("vms") if reader else None
        return summary is not None and summary.taken_at >= first


def corrupt(file: Path, how: str) -> None:
    content = file.read_bytes()
    if how == "text":
        file.write_bytes(b"this is no database " * 400)
    elif how == "torn":
        file.write_bytes(content[: len(content) // 2])
    elif how == "last":
        file.write_bytes(content[:-4096] + b"\xa5" * 4096)
    else:
        file.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


def set_aside(folder: Path) -> list[Path]:
    """Databases, without the logs that went with them."""
    return [file for file in folder.glob("belle.sqlite.corrupt-*") if file.name.rpartition("-")[2].isdigit()]


@pytest.mark.parametrize("how", ["text", "torn", "pages", "last"])
@pytest.mark.parametrize("who", ["reader", "writer"])
def test_a_corrupt_file_is_set_aside_and_the_next_list_begins_anew(
    tmp_path: Path, how: str, who: str
) -> None:
    send(tmp_path, NOW, ["a"])
    send(tmp_path, NOW, ["other"], grid="atlas")
    corrupt(tmp_path / "belle.sqlite", how)
    if who == "writer" and how != "last":  # found broken before anything was written: no list is lost
        send(tmp_path, NOW + 60, ["b"])
    else:
        with pytest.raises(InventoryFault, match=r"belle\.sqlite"):
            hosts(tmp_path) if who == "reader" else send(tmp_path, NOW + 60, ["b"])
        assert hosts(tmp_path) is None
        send(tmp_path, NOW + 120, ["b"])
    assert len(set_aside(tmp_path)) == 1
    assert hosts(tmp_path) == ["b"]
    assert hosts(tmp_path, "atlas") == ["other"]
    assert grids_with_lists(tmp_path) == ["atlas", "belle"]


def test_only_a_few_corrupt_files_are_kept(tmp_path: Path) -> None:
    for minute in range(6):
        send(tmp_path, NOW + 60 * minute, ["a"])
        corrupt(tmp_path / "belle.sqlite", "text")
        with pytest.raises(InventoryFault):
            hosts(tmp_path)
    assert len(set_aside(tmp_path)) == 3


def test_a_file_of_another_version_is_begun_anew(tmp_path: Path) -> None:
    send(tmp_path, NOW, ["a"])
    database = sqlite3.connect(tmp_path / "belle.sqlite")
    database.execute("PRAGMA user_version = 77")
    database.close()
    assert hosts(tmp_path) is None
    send(tmp_path, NOW, ["b"])
    assert hosts(tmp_path) == ["b"]


def test_reading_makes_no_file(tmp_path: Path) -> None:
    assert hosts(tmp_path) is None
    assert hosts(tmp_path, "../elsewhere") is None
    assert list(tmp_path.iterdir()) == []


FULL = """
import json, resource, sys
from pathlib import Path
from tests.webapp.listings import listing, vm
from webapp.inventory.database import InventoryFault
from webapp.inventory.store import store_payload
from webapp.inventory.payload import read_payload

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
body = json.dumps(listing(int(sys.argv[2]), [vm(f"vm{number}") for number in range(5000)]))
try:
    payload = read_payload(body.encode())
    store_payload(Path(sys.argv[1]), "belle", payload, now=0, keep_gone_s=60, forget_after_s=1e9)
except InventoryFault as fault:
    print(fault)
"""


def test_a_full_disk_is_told_and_the_list_before_stays(tmp_path: Path) -> None:
    """No file may grow over 100 kB: to SQLite that is a disk without room."""
    send(tmp_path, NOW, ["a"])
    command = [sys.executable, "-c", FULL, str(tmp_path), str(NOW + 60)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "belle.sqlite" in said
    assert "disk" in said
    assert hosts(tmp_path) == ["a"]
    send(tmp_path, NOW + 120, ["b"])
    assert hosts(tmp_path) == ["b", "a"]
