"""Models are whole or absent, whoever builds, waits, fails or is killed."""

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from tests.services.support import as_nobody, open_way_to
from worker.decimer.errors import ModelError
from worker.decimer.model.store import (
    MANIFEST,
    ModelSource,
    ensure_folder,
    ensure_model,
    find_model,
    machine_key,
    verify_model,
    write_manifest,
)

fork = multiprocessing.get_context("fork")


def silent(what: str, done: int, total: int) -> None:
    pass


def make_small(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(b"weights" * 1000)
    write_manifest(folder, "decimer-test", "0" * 64)


@pytest.fixture
def source(tmp_path: Path) -> ModelSource:
    return ModelSource(tmp_path / "models", hand_drawn=False, archive=None)


def test_of_many_processes_one_builds_and_all_find_it(source: ModelSource, tmp_path: Path) -> None:
    builds = tmp_path / "builds"
    builds.touch()

    def make(folder: Path) -> None:
        with builds.open("a") as file:
            file.write("built\n")
        time.sleep(0.3)
        make_small(folder)

    def start() -> None:
        assert ensure_model(source, make, silent).version == "decimer-test"

    processes = [fork.Process(target=start) for _ in range(12)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 12
    assert builds.read_text() == "built\n"


def test_a_killed_builder_leaves_nothing_that_counts(source: ModelSource) -> None:
    def make_half(folder: Path) -> None:
        (folder / "weights.bin").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)

    process = fork.Process(target=ensure_model, args=(source, make_half, silent))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert find_model(source) is None
    assert list(source.directory.glob("building-*"))
    ensure_model(source, make_small, silent)
    assert not list(source.directory.glob("building-*"))


def test_a_failed_build_is_not_kept_and_a_full_disk_is_named(source: ModelSource) -> None:
    def fail(folder: Path) -> None:
        raise OSError(28, "No space left on device", str(folder / "weights.bin"))

    with pytest.raises(ModelError, match=r"weights\.bin: No space left on device.*WORKER_MODEL_DIR"):
        ensure_model(source, fail, silent)
    assert [path.name for path in source.directory.iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match=r"file.*WORKER_MODEL_DIR"):
        ensure_folder(tmp_path / "file/models/m", make_small, silent)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "weights.bin").write_bytes(b"short"),
        lambda folder: (folder / "weights.bin").unlink(),
        lambda folder: (folder / MANIFEST).unlink(),
        lambda folder: (folder / MANIFEST).write_text("{"),
        lambda folder: (folder / MANIFEST).write_text("[]"),
        lambda folder: (folder / MANIFEST).write_text(json.dumps({"files": {}})),
    ],
)
def test_a_damaged_model_is_found_out_before_it_is_used(source: ModelSource, damage) -> None:
    damage(ensure_model(source, make_small, silent).folder)
    with pytest.raises(ModelError, match=r"is damaged .*: remove it and run `python -m worker model fetch`"):
        find_model(source)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user")
@pytest.mark.parametrize("closed", ["", MANIFEST])
def test_a_model_that_this_user_may_not_read_is_not_called_damaged(source: ModelSource, closed: str) -> None:
    folder = ensure_model(source, make_small, silent).folder
    open_way_to(folder)
    (folder / closed).chmod(0o600)
    with pytest.raises(ModelError) as refused, as_nobody():
        find_model(source)
    assert str(refused.value) == (
        f"{folder / MANIFEST}: Permission denied: let this user read {folder}, or set WORKER_MODEL_DIR to a "
        "folder of models of its own"
    )


def test_verify_finds_a_changed_byte(source: ModelSource) -> None:
    model = ensure_model(source, make_small, silent)
    verify_model(model, silent)
    content = bytearray((model.folder / "weights.bin").read_bytes())
    content[3000] ^= 1
    (model.folder / "weights.bin").write_bytes(content)
    with pytest.raises(ModelError, match=r"weights\.bin has changed"):
        verify_model(model, silent)


def test_the_machines_key_changes_with_the_runtime() -> None:
    assert machine_key("onnxruntime-1") != machine_key("onnxruntime-2")
    assert machine_key("onnxruntime-1") == machine_key("onnxruntime-1")


def test_a_model_that_there_is_no_way_to_is_told_with_its_setting(tmp_path: Path) -> None:
    """As below a closed folder, which a test by root cannot meet: the name is too long for any."""
    nowhere = ModelSource(tmp_path / ("m" * 300), hand_drawn=False, archive=None)
    for find in (find_model, lambda source: ensure_model(source, make_small, silent)):
        with pytest.raises(ModelError, match=r"name too long.*WORKER_MODEL_DIR"):
            find(nowhere)
