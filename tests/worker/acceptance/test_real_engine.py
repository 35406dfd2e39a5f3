"""The real thing: drawings through `enqueue`, `run` and `results` with the real engine, equal to upstream's
answers.

From a folder with SQLite, and from Azurite with PostgreSQL; ten drawings here, two hundred in `make
soak`.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services.azurite import Azurite
from tests.services.postgres import Postgres
from tests.worker.decimer.conftest import model  # noqa: F401 - fetches the weights once
from tests.worker.decimer.variants import write_variants
from tests.worker.fleet import ROOT, RUN, Fleet
from worker.decimer.model.store import Model
from worker.gate.temporary import lock_file

DATA = ROOT / "tests/data/decimer"
CONFIDENCE_TOLERANCE = 1e-4
DIRECTORIES = 3


def read_answers() -> dict[str, dict[str, object]]:
    """Upstream's answers by file name."""
    answers: dict[str, dict[str, object]] = {}
    for name in ("upstream_drawings.json", "upstream_variants.json"):
        answers |= json.loads((DATA / name).read_text(encoding="utf-8"))
    return answers


def add_drawings(fleet: Fleet, folder: Path, count: int) -> None:
    """Drawings, then variants of them made anew, over some directories; the shortest first."""
    drawings = sorted((DATA / "drawings").glob("*.png"))
    paths = drawings if count <= len(drawings) else [*drawings, *write_variants(drawings, folder)]
    answers = read_answers()
    paths = sorted(paths, key=lambda path: len(str(answers[path.name]["tokens"])))[:count]
    for number, path in enumerate(paths):
        key = f"directory {number % DIRECTORIES}/{path.name}"
        fleet.contents[key] = path.read_bytes()
        (fleet.images / key).parent.mkdir(parents=True, exist_ok=True)
        (fleet.images / key).write_bytes(fleet.contents[key])


SERVICES = (pytest.mark.azurite, pytest.mark.postgres)


@pytest.fixture(params=["folder, SQLite", pytest.param("Azurite, PostgreSQL", marks=SERVICES)])
def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Fleet]:
    environment = {"WORKER_DECIMER_ENGINE": "onnx", "WORKER_CHUNK_IMAGES": "20", "WORKER_LEASE_S": "30"}
    if request.param == "folder, SQLite":
        fleet = Fleet(tmp_path, environment=environment)
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        azurite: Azurite = request.getfixturevalue("azurite")
        container = azurite.create_container()
        environment |= {
            "WORKER_STORAGE_URL": f"azure://{container}",
            "WORKER_RESULTS_URL": "",
            "WORKER_AZURE_CONNECTION_STRING": azurite.connection_string,
        }
        fleet = Fleet(tmp_path, postgres.create_database(), environment)
        fleet.source = f"azure://{container}"
    yield fleet
    fleet.stop()


@pytest.fixture
def upload(request: pytest.FixtureRequest, fleet: Fleet) -> Callable[[], None]:
    """Bring the folder's images to where the fleet reads them."""

    def to_container() -> None:
        if fleet.source.startswith("azure://"):
            azurite: Azurite = request.getfixturevalue("azurite")
            for key, content in fleet.contents.items():
                azurite.container(fleet.source.removeprefix("azure://")).upload_blob(key, content)

    return to_container


def work(fleet: Fleet, *arguments: str) -> str:
    command = [sys.executable, "-m", "worker", *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=fleet.full_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def go_through(fleet: Fleet, upload: Callable[[], None], folder: Path, count: int, timeout_s: float) -> None:
    answers = read_answers()
    add_drawings(fleet, folder, count)
    upload()
    assert f"{count} images in {DIRECTORIES} directories" in work(fleet, "enqueue", fleet.source)
    assert fleet.wait(fleet.start(RUN), timeout_s) == 0, fleet.said()
    output = folder / "results.csv"
    work(fleet, "results", "--format", "csv", "--tokens", "--output", str(output))
    with output.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == count
    assert {row["image"] for row in rows} == set(fleet.contents)
    for row in rows:
        answer = answers[Path(row["image"]).name]
        assert row["smiles"] == answer["smiles"], row["image"]
        assert row["engine"] == "onnx"
        assert row["precision"] == "full"
        theirs = [float(value) for value in answer["confidence"][1:]]  # type: ignore[index]
        ours = json.loads(row["confidences"])
        assert ours == pytest.approx(theirs[: len(ours)], abs=CONFIDENCE_TOLERANCE)
    status = json.loads(work(fleet, "status", "--json"))
    assert status["images"]["done"] == count
    assert fleet.all_pids() == []
    assert list(fleet.temp.iterdir()) == [lock_file(fleet.temp)]


@pytest.mark.timeout(300)
def test_a_few_drawings(
    fleet: Fleet,
    upload: Callable[[], None],
    tmp_path: Path,
    model: Model,  # noqa: F811
) -> None:
    go_through(fleet, upload, tmp_path, 10, timeout_s=200)


@pytest.mark.soak
def test_two_hundred_drawings(
    fleet: Fleet,
    upload: Callable[[], None],
    tmp_path: Path,
    model: Model,  # noqa: F811
) -> None:
    go_through(fleet, upload, tmp_path, 200, timeout_s=2000)
