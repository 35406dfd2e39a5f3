"""Workers' logs: rotated under the feet of a worker that keeps its descriptor; none grows or gathers for
ever.
"""

from __future__ import annotations

import os
from pathlib import Path

from worker.supervisor.processes import last_lines, open_log, prune_logs, rotate_log


def test_rotates_and_the_worker_goes_on_in_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "w1.log"
    with open_log(tmp_path, "w1") as log:
        for generation in range(4):
            log.write(f"{generation}\n".encode() * 100)
            rotate_log(path, most_bytes=150, files=2)
        log.write(b"last\n")
    assert path.read_text() == "last\n"
    assert (tmp_path / "w1.log.1").read_text() == "3\n" * 100
    assert (tmp_path / "w1.log.2").read_text() == "2\n" * 100
    assert sorted(file.name for file in tmp_path.iterdir()) == ["w1.log", "w1.log.1", "w1.log.2"]


def test_a_small_log_stays(tmp_path: Path) -> None:
    with open_log(tmp_path, "w1") as log:
        log.write(b"x" * 150)
    rotate_log(tmp_path / "w1.log", most_bytes=150, files=2)
    assert (tmp_path / "w1.log").stat().st_size == 150


def test_last_lines_of_a_crashed_worker(tmp_path: Path) -> None:
    path = tmp_path / "w1.log"
    path.write_bytes(b"first\n" + b"x" * 5000 + b"\n\xff bad\nlast words\n")
    assert last_lines(path, 2).splitlines() == ["� bad", "last words"]
    assert last_lines(tmp_path / "none.log") == ""


def test_only_the_newest_logs_are_kept(tmp_path: Path) -> None:
    for number in range(5):
        path = tmp_path / f"w{number}.log"
        path.touch()
        os.utime(path, (number, number))
    prune_logs(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w3.log", "w4.log"]
