"""The poll's files, which the processes of a deployment share."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.webapp.sample import sample_values
from webapp.model.snapshot_view import PollOutcome
from webapp.model.tree import Value
from webapp.poll.state_files import Polled, read_outcome, read_polled, write_outcome, write_polled

NOW = 1_800_000_000.0
TORN = (b"", b"{", b"[]", b"null", b'"text"', b"\xff", b'{"version": 1}', b'{"version": 99, "taken_at": 1}')


def test_a_snapshot_comes_back(tmp_path: Path) -> None:
    polled = Polled(NOW, sample_values(NOW))
    write_polled(tmp_path, polled)
    assert read_polled(tmp_path) == polled


def test_an_outcome_comes_back(tmp_path: Path) -> None:
    outcome = PollOutcome(attempted_at=NOW, failures=3, error="no", duration_s=0.5, series=7)
    write_outcome(tmp_path, outcome)
    assert read_outcome(tmp_path) == outcome


@pytest.mark.parametrize("torn", TORN)
def test_torn_files_count_as_no_poll_yet(tmp_path: Path, torn: bytes) -> None:
    (tmp_path / "snapshot.json").write_bytes(torn)
    (tmp_path / "outcome.json").write_bytes(torn)
    assert read_polled(tmp_path) == Polled()
    assert read_outcome(tmp_path) == PollOutcome()


def test_unequal_columns_count_as_no_poll_yet(tmp_path: Path) -> None:
    (tmp_path / "snapshot.json").write_text(
        '{"version":1,"taken_at":1,"paths":["a","b"],"values":[1],"timestamps":[1]}'
    )
    assert read_polled(tmp_path) == Polled()


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    sizes = (10, 2000)
    snapshots = [Polled(NOW, [Value(f"p{number}", 1.0, 1) for number in range(size)]) for size in sizes]
    write_polled(tmp_path, snapshots[0])
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for snapshot in snapshots:
                write_polled(tmp_path, snapshot)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = {len(read_polled(tmp_path).values) for _ in range(300)}
    finally:
        stop.set()
        writer.join()
    assert seen <= set(sizes)
