"""Result files of a chunk: partial ones on the way, one at the end, what no longer counts removed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.support import wait_until
from tests.worker.fleet import Fleet


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, environment={"WORKER_MAX_WORKERS": "1", "WORKER_UPLOAD_S": "0.5"})
    yield fleet
    fleet.stop()


def files(fleet: Fleet, name: str) -> list[Path]:
    return list(fleet.results.rglob(name))


def test_partial_results_are_uploaded_on_the_way_and_replaced_at_the_end(fleet: Fleet) -> None:
    fleet.add_images("a", [bytes(number + 1) for number in range(30)])
    fleet.enqueue(chunk_images=30)
    supervisor = fleet.start(WORKER_STUB_S="0.15", WORKER_STORE_S="0.2")
    wait_until(lambda: files(fleet, "partial.jsonl"), "a file of partial results")
    [partial] = files(fleet, "partial.jsonl")
    lines = [json.loads(line) for line in partial.read_text().splitlines()]
    assert 0 < len(lines) < 30
    assert files(fleet, "results.jsonl") == []
    assert fleet.wait(supervisor) == 0, fleet.said()
    fleet.check_all_once()
    assert files(fleet, "partial.jsonl") == []


def test_a_result_says_where_it_came_from(fleet: Fleet) -> None:
    fleet.add_images("a", [b"abc"])
    fleet.enqueue()
    assert fleet.wait(fleet.start()) == 0, fleet.said()
    [row] = fleet.check_all_once()
    [line] = files(fleet, "results.jsonl")[0].read_text().splitlines()
    said = json.loads(line)
    assert said["image"] == "a/00000.png"
    assert said["smiles"] == "CCC"
    assert said["confidences"] == [1.0, 1.0, 1.0]
    assert said["sha256"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (said["engine"], said["model"], said["precision"]) == ("stub", "stub", "full")
    assert said["worker"] == row.worker
