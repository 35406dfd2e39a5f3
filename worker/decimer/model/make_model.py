"""From weights to the folders of `store.py`: fetched or given, verified, converted, prepared."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from cloud_monitor.program import program_name
from worker.decimer.engine import prepare
from worker.decimer.errors import ModelError
from worker.decimer.model.architecture import PREPARED_GRAPHS
from worker.decimer.model.archive import TOKENIZER, open_archive
from worker.decimer.model.packages import Report, fetch_archive
from worker.decimer.model.store import (
    Model,
    ModelSource,
    ensure_folder,
    ensure_model,
    find_model,
    machine_key,
    write_manifest,
)
from worker.decimer.sessions import RUNTIME
from worker.decimer.vocabulary import read_tokenizer

PARTIAL_ARCHIVE = "models.zip.partial"


def get_model(source: ModelSource, report: Report) -> Model:
    """The converted model, made first if it is not there. Raises ModelError."""
    return ensure_model(source, lambda folder: _make(source, folder, report), report)


def get_prepared(model: Model, report: Report) -> Path:
    """The model's folder for this CPU and this version of the runtime, made if it is not there."""

    def make(target: Path) -> None:
        report("preparing the model for this machine", 0, 0)
        prepare(model.folder, target, PREPARED_GRAPHS)

    folder = model.folder / f"prepared-{machine_key(RUNTIME)}"
    ensure_folder(folder, make, report)
    return folder


def _make(source: ModelSource, folder: Path, report: Report) -> None:
    from worker.decimer.model.convert import convert

    words = _read_printed_words(source) if source.hand_drawn else None
    partial = source.directory / PARTIAL_ARCHIVE
    if source.archive is None:
        fetch_archive(partial, report)
    report("verifying the weights", 0, 0)
    scratch = folder / "scratch"
    scratch.mkdir()
    saved = open_archive(source.archive or partial, scratch, hand_drawn=source.hand_drawn)
    words = words or read_tokenizer((saved.folder / TOKENIZER).read_bytes())
    convert(saved.folder, words, folder, lambda text: report(text, 0, 0))
    shutil.rmtree(scratch)
    write_manifest(folder, f"{source.kind}-{saved.sha256[:12]}", saved.sha256)
    if source.archive is None:
        partial.unlink()


def _read_printed_words(source: ModelSource) -> Sequence[str]:
    """Upstream decodes both models' answers with the printed-structure model's tokens."""
    if source.archive is None:
        raise ModelError(
            "the model for hand-drawn structures is not among the packages: give upstream's "
            "DECIMER_HandDrawn_model.zip as WORKER_HAND_DRAWN_ARCHIVE or to `model fetch --archive`"
        )
    printed = find_model(ModelSource(source.directory, hand_drawn=False, archive=None))
    if printed is None:
        fetch = f"{program_name('worker')} model fetch"
        raise ModelError(f"it uses the tokens of the other model: run `{fetch}` first")
    words: list[str] = json.loads(printed.vocabulary.read_text(encoding="utf-8"))
    return words
