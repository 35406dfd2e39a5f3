"""Weights are fetched by real pip from a folder of small packages: pinned, checked, never twice."""

import hashlib
import shutil
import threading
import zipfile
from pathlib import Path

import pytest

from worker.decimer.errors import ModelError
from worker.decimer.model.packages import VERSION, WeightPart, bytes_below, fetch_archive

pytestmark = pytest.mark.programs  # pip


def build_wheel(folder: Path, number: int, data: bytes) -> WeightPart:
    name = f"unp_decimer_weights_part{number}"
    info = f"{name}-{VERSION}.dist-info"
    path = folder / f"{name}-{VERSION}-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {VERSION}\n"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}/__init__.py", "")
        wheel.writestr(f"{name}/data.bin", data)
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    hashes = [hashlib.sha256(content).hexdigest() for content in (path.read_bytes(), data)]
    return WeightPart(number, path.stat().st_size, hashes[0], len(data), hashes[1])


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[WeightPart, ...]:
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return tuple(build_wheel(index, number, bytes([number]) * (1000 + number)) for number in range(3))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path / "models/models.zip.partial"


JOINED = b"".join(bytes([number]) * (1000 + number) for number in range(3))


def test_parts_are_joined_in_order_with_progress(parts: tuple[WeightPart, ...], target: Path) -> None:
    seen: list[int] = []
    fetch_archive(target, lambda what, done, total: seen.append(done), parts)
    assert target.read_bytes() == JOINED
    assert seen == sorted(seen)
    assert seen[-1] == sum(part.wheel_bytes for part in parts)
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_verified_parts_are_not_fetched_again(
    parts: tuple[WeightPart, ...], target: Path, tmp_path: Path
) -> None:
    """The first two are there, the second damaged, and something half-written follows."""
    target.write_bytes(JOINED[:1000] + b"x" + JOINED[1001:2500])
    (tmp_path / "index" / "unp_decimer_weights_part0-1.0.0-py3-none-any.whl").unlink()
    fetch_archive(target, lambda *_: None, parts)
    assert target.read_bytes() == JOINED


def test_another_wheel_than_the_pinned_one_is_refused(
    parts: tuple[WeightPart, ...], target: Path, tmp_path: Path
) -> None:
    build_wheel(tmp_path / "index", 1, b"other data")
    with pytest.raises(ModelError, match=r"unp-decimer-weights-part1 1\.0\.0.*WORKER_MODEL_ARCHIVE"):
        fetch_archive(target, lambda *_: None, parts)
    assert target.read_bytes() == JOINED[:1000]


def test_an_index_that_does_not_answer_is_named(
    parts: tuple[WeightPart, ...], target: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
    with pytest.raises(ModelError, match=r"pip cannot fetch unp-decimer-weights-part0 1\.0\.0: "):
        fetch_archive(target, lambda *_: None, parts)


def test_progress_is_read_while_files_and_folders_come_and_go(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(bytes(1000))
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            for number in range(50):
                (tmp_path / f"pip-{number}/deep").mkdir(parents=True)
                (tmp_path / f"pip-{number}/deep/file").touch()
            for number in range(50):
                shutil.rmtree(tmp_path / f"pip-{number}")

    worker = threading.Thread(target=work)
    worker.start()
    try:
        assert {bytes_below(tmp_path) for _ in range(200)} == {1000}
    finally:
        over.set()
        worker.join()
