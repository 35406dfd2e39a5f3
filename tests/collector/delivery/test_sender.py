"""A run whose spool is broken: its fresh points are delivered, and the next run has a new spool."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.delivery.carbon import Timeouts, TlsFiles
from collector.delivery.deliver import senders_of
from collector.delivery.destinations import parse_destinations
from collector.delivery.sender import Options, Report, Sender, send_points
from collector.delivery.spool import Frame, Spool
from collector.model import Point
from tests.collector.support import peer, read_to_end

NOW = 1_700_000_040
OPTIONS = Options(Timeouts(5, 5), TlsFiles(), 1e9, 1e9, 10_000)
PAGE_BYTES = 4096


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Sender]:
    with peer(read_to_end) as address:
        (destination,) = parse_destinations(address)
        (sender,) = senders_of(destination, tmp_path)
        yield sender


def run(sender: Sender, minute: int) -> Report:
    report = Report(sender)
    now = NOW + 60 * minute
    send_points(report, [Point("grids.g.x", now, 1.0)], OPTIONS, now, time.monotonic() + 20)
    return report


def fill(sender: Sender) -> None:
    """Ten small frames and a large one, whose body alone is on the last pages of the file."""
    spool = Spool(sender.spool_path)
    spool.begin(NOW, 1e9, 1e9)
    spool.add([Frame(NOW, 10, bytes(range(256)) * 8) for _ in range(10)])
    spool.add([Frame(NOW, 10, b"".join(number.to_bytes(8, "big") for number in range(500_000)))])
    spool.close()


def spoil(sender: Sender, page: int) -> None:
    content = bytearray(sender.spool_path.read_bytes())
    start = page % (len(content) // PAGE_BYTES) * PAGE_BYTES
    content[start : start + PAGE_BYTES] = b"\xa5" * PAGE_BYTES
    sender.spool_path.write_bytes(content)


@pytest.mark.parametrize("page", [5, 6, -1])  # of the rows, of a body, the last: found ever later in a run
def test_a_spool_that_is_found_broken_at_any_time_is_set_aside(sender: Sender, page: int) -> None:
    fill(sender)
    spoil(sender, page)
    report = run(sender, 1)
    assert report.delivered
    assert ["a new spool is begun" in problem for problem in report.problems] == [True]
    assert len(list(sender.spool_path.parent.glob("*.corrupt-*"))) == 1
    again = run(sender, 2)
    assert (again.delivered, again.kept, again.problems) == (True, True, [])
