"""The spool on its own: what is kept is there after anything, and goes only when it may."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.delivery.spool import SETTLE_S, Frame, Marker, Spool, read_figures
from collector.delivery.spool_file import SpoolCorrupt, SpoolUnusable
from tests.collector.support import ROOT

NOW = 1_700_000_040
WEEK_S, LARGE = 7 * 86_400.0, 1e9


def frame(minute: int, points: int = 10, size: int = 100, marker: Marker | None = None) -> Frame:
    return Frame(NOW + 60 * minute, points, os.urandom(size), marker)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    opened = Spool(tmp_path / "spool.sqlite")
    opened.begin(NOW, WEEK_S, LARGE)
    return opened


def test_frames_come_back_oldest_first_with_their_bytes_and_times(tmp_path: Path, spool: Spool) -> None:
    frames = [frame(minute) for minute in range(5)]
    for one in frames:
        spool.add([one])
    spool.close()
    again = Spool(tmp_path / "spool.sqlite")
    kept = again.pending(1000)
    assert [entry.timestamp for entry in kept] == [one.timestamp for one in frames]
    assert list(again.bodies(kept)) == [one.data for one in frames]
    assert again.figures().points == 50
    assert again.figures().oldest_timestamp == NOW


def test_pending_is_bounded_but_never_stuck(spool: Spool) -> None:
    spool.add([frame(minute, points=100) for minute in range(5)])
    assert len(spool.pending(250)) == 2
    assert len(spool.pending(1)) == 1


def test_delivered_frames_are_kept_a_while_and_then_go(spool: Spool) -> None:
    kept = spool.add([frame(0)])
    spool.mark_delivered(kept)
    assert spool.pending(1000) == []
    assert spool.delivered(SETTLE_S) == []
    spool.begin(NOW + SETTLE_S, WEEK_S, LARGE)
    due = spool.delivered(SETTLE_S)
    assert [(entry.id, entry.delivered_for_s) for entry in due] == [(kept[0].id, SETTLE_S)]
    spool.mark_arrived(due)
    assert spool.delivered(0) == []


def test_what_did_not_arrive_waits_again_and_counts_as_sent_twice(spool: Spool) -> None:
    kept = spool.add([frame(0, marker=Marker("m", 7.0))])
    spool.mark_delivered(kept)
    spool.mark_pending(spool.delivered(0))
    (waiting,) = spool.pending(1000)
    assert waiting.marker == Marker("m", 7.0)
    spool.mark_tried([waiting])
    assert spool.figures().resent == 10


def test_an_attempt_that_sent_nothing_is_no_duplicate(spool: Spool) -> None:
    spool.mark_untried(spool.add([frame(0)]))
    spool.mark_tried(spool.pending(1000))
    assert spool.figures().resent == 0
    spool.mark_tried(spool.pending(1000))
    assert spool.figures().resent == 10


def test_over_its_size_the_delivered_go_first_then_the_oldest_and_the_loss_is_counted(spool: Spool) -> None:
    kept = spool.add([frame(minute, size=10_000) for minute in range(10)])
    spool.mark_delivered(kept[5:6])
    assert spool.begin(NOW + 60, WEEK_S, 75_000) == 20
    assert [entry.id for entry in spool.pending(1000)] == [entry.id for entry in kept[2:5] + kept[6:]]
    assert spool.figures().dropped == 20


def test_over_its_age_the_oldest_go(spool: Spool) -> None:
    spool.add([frame(0)])
    for minute in range(1, 10):
        spool.begin(NOW + 60 * minute, 300, LARGE)
        spool.add([frame(minute)])
    assert spool.pending(1000)[0].timestamp == NOW + 4 * 60
    assert spool.figures().dropped == 40


@pytest.mark.parametrize("leap_s", [365 * 86_400, -365 * 86_400])
def test_a_clock_that_jumps_drops_nothing(spool: Spool, leap_s: int) -> None:
    spool.add([frame(0)])
    assert spool.begin(NOW + leap_s, WEEK_S, LARGE) == 0
    assert spool.begin(NOW + 60, WEEK_S, LARGE) == 0
    assert spool.figures().points == 10


def test_a_foreign_or_broken_file_is_told_from_a_busy_one(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    path.write_bytes(b"this is not a database, but it is long enough to look at" * 100)
    with pytest.raises(SpoolCorrupt, match=r"s\.sqlite"):
        Spool(path)
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE somebody_elses (x)")
    with pytest.raises(SpoolCorrupt, match="not a spool"):
        Spool(path)


def test_a_broken_page_is_found_when_it_is_read(tmp_path: Path, spool: Spool) -> None:
    spool.add([frame(minute, size=50_000) for minute in range(20)])
    spool.close()
    path = tmp_path / "spool.sqlite"
    data = bytearray(path.read_bytes())
    data[4096 * 2 :] = os.urandom(len(data) - 4096 * 2)
    path.write_bytes(data)
    with pytest.raises(SpoolUnusable, match=r"spool\.sqlite"):
        use_everything(path)


def use_everything(path: Path) -> None:
    again = Spool(path)
    again.begin(NOW, WEEK_S, LARGE)
    list(again.bodies(again.pending(10_000)))
    again.add([frame(99)])
    again.figures()


def test_one_broken_body_is_given_up_alone(tmp_path: Path, spool: Spool) -> None:
    kept = spool.add([frame(minute) for minute in range(3)])
    with sqlite3.connect(tmp_path / "spool.sqlite") as other:
        other.execute("UPDATE frames SET body = x'00ff' WHERE id = ?", (kept[1].id,))
    assert len(list(spool.bodies(spool.pending(1000)))) == 2
    assert spool.figures() == (20, NOW, 10, 0)


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolUnusable, match=r"file/s\.sqlite"):
        Spool(tmp_path / "file" / "s.sqlite")
    assert read_figures(tmp_path / "absent.sqlite") is None


KILLED = """
import os, sys
from pathlib import Path
from collector.delivery.spool import Frame, Spool
spool = Spool(Path(sys.argv[1]))
spool.begin(1700000040, 1e9, 1e9)
for number in range(10_000):
    spool.add([Frame(1700000040 + 60 * number, 1, str(number).encode() * 50)])
    print(number, flush=True)
"""


@pytest.mark.parametrize("after", [1, 7, 40])
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, after: int) -> None:
    path = tmp_path / "s.sqlite"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(after)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in process.stdout.read().split() if line.isdigit()]
    process.wait()
    spool = Spool(path)
    kept = [int((entry.timestamp - 1_700_000_040) / 60) for entry in spool.pending(100_000)]
    assert kept[: len(acknowledged)] == acknowledged
    assert len(list(spool.bodies(spool.pending(100_000)))) == len(kept)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "deliver", "doubt", "prove", "begin", "reopen"]), st.integers(0, 5)
        ),
        max_size=30,
    )
)
def test_no_pending_point_disappears_unless_it_is_counted(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    path = tmp_path_factory.mktemp("spool") / "s.sqlite"
    spool, now = Spool(path), NOW
    added = proven = 0
    for step, number in steps:
        if step == "add":
            spool.add([frame(number, points=number + 1)])
            added += number + 1
        elif step == "deliver":
            spool.mark_delivered(spool.pending(1000)[:number])
        elif step == "doubt":
            spool.mark_pending(spool.delivered(0)[:number])
        elif step == "prove":
            going = spool.delivered(0)[:number]
            spool.mark_arrived(going)
            proven += sum(entry.points for entry in going)
        elif step == "begin":
            now += 60 * number
            spool.begin(now, 600, 1e9)
        else:
            spool.close()
            spool = Spool(path)
        held = spool.figures().points + sum(entry.points for entry in spool.delivered(0))
        assert held + proven + spool.figures().dropped <= added
        if step != "begin" and now - NOW <= 600:
            assert held + proven + spool.figures().dropped == added
    spool.close()
