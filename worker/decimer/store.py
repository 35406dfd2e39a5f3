"""The folder of models: what is in it is whole and verified, however many processes start at once.

    MODEL_DIR/decimer-c1/                        converted graphs, vocabulary, manifest.json
    MODEL_DIR/decimer-c1/prepared-<runtime and CPU>/   the same, laid out for this machine, memory-mapped when used
    MODEL_DIR/decimer-hand-drawn-c1/...
    MODEL_DIR/models.zip.partial                 weights being fetched

Everything is built in a folder of another name and renamed when it is whole; a lock lets one process build while
the others wait. What a killed process left is removed by the next builder.
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

from worker.decimer.architecture import CONVERSION, GRAPHS, VOCABULARY
from worker.decimer.archive import TOKENIZER, hash_file, open_archive
from worker.decimer.errors import ModelError
from worker.decimer.packages import Report, fetch_archive
from worker.decimer.vocabulary import read_tokenizer

MANIFEST = "manifest.json"
PARTIAL_ARCHIVE = "models.zip.partial"
_BUILDING = "building-"


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where models are kept, which is wanted, and what it is made from if it is not there (None: fetched)."""

    directory: Path
    hand_drawn: bool
    archive: Path | None

    @property
    def name(self) -> str:
        return f"decimer{'-hand-drawn' if self.hand_drawn else ''}-c{CONVERSION}"


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
    """The converted model, if it is there; checks that its files have the sizes of the manifest."""
    folder = source.directory / source.name
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        for name, file in manifest["files"].items():
            size = (folder / name).stat().st_size
            if size != file["bytes"]:
                raise ModelError(
                    f"{folder / name} has {size:,} bytes, not {file['bytes']:,}: remove {folder}, fetch again"
                )
        return Model(folder, manifest["version"], manifest["sha256"])
    except FileNotFoundError:
        if (folder / MANIFEST).exists():
            raise ModelError(
                f"{folder} is incomplete: remove it and run `python -m worker model fetch`"
            ) from None
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{folder / MANIFEST} is damaged ({error!r}): remove {folder} and fetch again"
        ) from error


def ensure_model(source: ModelSource, report: Report) -> Model:
    """Find the model, or make it: fetched, verified, converted. Raises ModelError."""
    found = find_model(source)
    if found:
        return found
    with _translate_disk_errors(source.directory), _lock(source.directory, report):
        found = find_model(source)  # while we waited
        if found:
            return found
        _build(source.directory, source.name, lambda folder: _make_model(source, folder, report))
    found = find_model(source)
    assert found is not None
    return found


def verify_model(model: Model, report: Report) -> None:
    """Hash every file again and compare with the manifest. Raises ModelError."""
    manifest = json.loads((model.folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    total = sum(file["bytes"] for file in manifest.values())
    done = 0
    for name, file in manifest.items():
        report(f"verifying {name}", done, total)
        if hash_file(model.folder / name) != file["sha256"]:
            raise ModelError(f"{model.folder / name} is damaged: remove {model.folder} and run `model fetch`")
        done += file["bytes"]
    report("verified", total, total)


def ensure_built(model: Model, key: str, make: Callable[[Path], None], report: Report) -> Path:
    """A sub-folder of the model made by `make`, once for each `key`."""
    folder = model.folder / f"prepared-{key}"
    if not folder.is_dir():
        with _translate_disk_errors(model.folder), _lock(model.folder.parent, report):
            if not folder.is_dir():
                _build(model.folder, folder.name, make)
    return folder


def machine_key(runtime: str) -> str:
    """Changes with the runtime's version and with the CPU's model and features."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
        cpu = "\n".join(line for line in lines if line.split("\t")[0] in ("model name", "flags", "Features"))
    except OSError:
        cpu = platform.processor()
    digest = hashlib.sha256(f"{platform.machine()}\n{cpu}".encode()).hexdigest()
    return f"{runtime}-cpu-{digest[:8]}"


def _make_model(source: ModelSource, folder: Path, report: Report) -> None:
    from worker.decimer.convert import convert  # onnx takes longer to import than a model to load

    scratch = folder / "scratch"
    scratch.mkdir()
    archive, partial = source.archive, source.directory / PARTIAL_ARCHIVE
    if source.hand_drawn:
        printed = find_model(ModelSource(source.directory, hand_drawn=False, archive=None))
        if archive is None or printed is None:
            raise ModelError(
                "the model for hand-drawn structures cannot be fetched by package: give upstream's "
                "DECIMER_HandDrawn_model.zip as WORKER_HAND_DRAWN_ARCHIVE"
                if archive is None
                else "the model for hand-drawn structures uses the tokens of the other: run `model fetch` first"
            )
    if archive is None:
        fetch_archive(partial, report)
        archive = partial
    report("verifying weights", 0, 0)
    saved = open_archive(archive, scratch, hand_drawn=source.hand_drawn)
    if source.hand_drawn:
        assert printed is not None
        words = json.loads(printed.vocabulary.read_text(encoding="utf-8"))
    else:
        words = read_tokenizer((saved.folder / TOKENIZER).read_bytes())
    convert(saved.folder, words, folder, lambda text: report(text, 0, 0))
    shutil.rmtree(scratch)
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": hash_file(path)}
        for path in sorted(folder.iterdir())
    }
    missing = {f"{graph}.onnx" for graph in GRAPHS} - files.keys()
    assert not missing
    version = f"decimer{'-hand-drawn' if source.hand_drawn else ''}-{saved.sha256[:12]}"
    manifest = {"version": version, "sha256": saved.sha256, "files": files}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    partial.unlink(missing_ok=True)


def _build(parent: Path, name: str, make: Callable[[Path], None]) -> None:
    """Make a folder under another name and rename it when it is whole. Only under the lock."""
    for stale in [*parent.glob(f"{_BUILDING}*"), *parent.glob("fetching-*")]:
        shutil.rmtree(stale, ignore_errors=True)
    building = Path(tempfile.mkdtemp(dir=parent, prefix=_BUILDING))
    try:
        building.chmod(0o755)
        make(building)
        for path in building.iterdir():
            _flush(path)
        building.rename(parent / name)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _flush(path: Path) -> None:
    """To the disk, before the rename says that it is whole."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


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
            f"{error.filename or directory}: {error.strerror or error}; the model needs about 1.7 GB while it is "
            "prepared and 0.8 GB after; WORKER_MODEL_DIR chooses another folder"
        ) from error
