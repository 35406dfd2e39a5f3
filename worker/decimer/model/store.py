"""The folder of models: what is in it is whole and verified, however many processes start at once.

    decimer-c2/                              converted graphs, vocabulary, manifest.json
    decimer-c2/prepared-RUNTIME-CPU/         the same as this machine wants them, memory-mapped in use
    decimer-hand-drawn-c2/...
    models.zip.partial                       weights being fetched

Everything is built in a folder of another name and renamed when it is whole; a lock lets one process build
while the others wait. What a killed process left behind is removed by the next builder.
"""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cloud_monitor.program import program_name
from worker.decimer.errors import ModelError
from worker.decimer.model.architecture import CONVERSION, VOCABULARY
from worker.decimer.model.archive import hash_file
from worker.decimer.model.packages import Report

MANIFEST = "manifest.json"
_BUILDING = "building-"


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where models are kept, which is wanted, and what it is made from if it is not there (None: fetched)."""

    directory: Path
    hand_drawn: bool
    archive: Path | None

    @property
    def kind(self) -> str:
        return "decimer-hand-drawn" if self.hand_drawn else "decimer"

    @property
    def folder(self) -> Path:
        return self.directory / f"{self.kind}-c{CONVERSION}"


@dataclass(frozen=True, slots=True)
class Model:
    """A converted model that is whole. `version` tells its weights apart from others'."""

    folder: Path
    version: str
    sha256: str

    @property
    def vocabulary(self) -> Path:
        return self.folder / VOCABULARY


def find_model(source: ModelSource) -> Model | None:
    """The converted model, if it is there: its files have the sizes of the manifest. Raises ModelError."""
    folder = source.folder
    with _translate_disk_errors(folder):
        if not folder.is_dir():
            return None
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        for name, file in manifest["files"].items():
            size = (folder / name).stat().st_size
            if size != file["bytes"]:
                raise ValueError(f"{name} has {size:,} bytes, not {file['bytes']:,}")
        return Model(folder, manifest["version"], manifest["sha256"])
    except PermissionError as error:
        raise ModelError(
            f"{error.filename}: {error.strerror}: let this user read {folder}, or set WORKER_MODEL_DIR to a "
            "folder of models of its own"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(folder, error) from error


def ensure_model(source: ModelSource, make: Callable[[Path], None], report: Report) -> Model:
    """Find the model, or build it: `make` fills an empty folder, manifest included. Raises ModelError."""
    ensure_folder(source.folder, make, report)
    found = find_model(source)
    assert found is not None
    return found


def ensure_folder(folder: Path, make: Callable[[Path], None], report: Report) -> None:
    """Build `folder` if it is not there: by one process, whole or not at all. Raises ModelError."""
    with _translate_disk_errors(folder):
        if folder.is_dir():
            return
    with _translate_disk_errors(folder.parent), _lock(folder.parent, report):
        if not folder.is_dir():  # another process may have built it while we waited
            _build(folder, make)


def write_manifest(folder: Path, version: str, sha256: str) -> None:
    """Note size and hash of every file in `folder`."""
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": hash_file(path)} for path in folder.iterdir()
    }
    manifest = {"version": version, "sha256": sha256, "files": dict(sorted(files.items()))}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def verify_model(model: Model, report: Report) -> None:
    """Hash every file again and compare with the manifest. Raises ModelError."""
    files = json.loads((model.folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    total = sum(file["bytes"] for file in files.values())
    done = 0
    for name, file in files.items():
        report("verifying", done, total)
        if hash_file(model.folder / name) != file["sha256"]:
            raise _damaged(model.folder, ValueError(f"{name} has changed"))
        done += file["bytes"]
    report("verifying", total, total)


def machine_key(runtime: str) -> str:
    """Changes with the runtime's version and with the CPU's model and features."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
        cpu = "\n".join(line for line in lines if line.split("\t")[0] in ("model name", "flags", "Features"))
    except OSError:
        cpu = platform.processor()
    digest = hashlib.sha256(f"{platform.machine()}\n{cpu}".encode()).hexdigest()
    return f"{runtime}-cpu-{digest[:8]}"


def _damaged(folder: Path, error: Exception) -> ModelError:
    fetch = f"{program_name('worker')} model fetch"
    return ModelError(f"{folder} is damaged ({error}): remove it and run `{fetch}`")


def _build(folder: Path, make: Callable[[Path], None]) -> None:
    """Make the folder under another name and rename it when it is on the disk. Only under the lock."""
    for stale in folder.parent.glob(f"{_BUILDING}*"):
        shutil.rmtree(stale, ignore_errors=True)
    building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_BUILDING))
    try:
        building.chmod(0o755)
        make(building)
        for path in building.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


@contextmanager
def _lock(directory: Path, report: Report) -> Iterator[None]:
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting for another process to prepare the model", 0, 0)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _translate_disk_errors(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ModelError(
            f"{error.filename or directory}: {error.strerror or error}; the model needs about 1.7 GB "
            "while it is prepared and 0.8 GB after; WORKER_MODEL_DIR chooses another folder"
        ) from error
