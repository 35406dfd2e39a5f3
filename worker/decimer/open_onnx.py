"""From settings to a recogniser on ONNX Runtime: the steps of the other modules in order."""

from pathlib import Path

from worker.decimer.architecture import GRAPHS
from worker.decimer.engine import OnnxRecogniser, open_sessions, prepare
from worker.decimer.image_file import Limits
from worker.decimer.packages import Report
from worker.decimer.sessions import RUNTIME
from worker.decimer.store import Model, ModelSource, ensure_built, ensure_model, machine_key
from worker.decimer.vocabulary import Vocabulary
from worker.recognition import Recogniser
from worker.settings import Settings


def source_of(settings: Settings) -> ModelSource:
    archive = settings.hand_drawn_archive if settings.hand_drawn else settings.model_archive
    return ModelSource(settings.model_dir, settings.hand_drawn, archive)


def limits_of(settings: Settings) -> Limits:
    return Limits(settings.image_max_bytes, settings.image_max_pixels)


def open_onnx(settings: Settings, report: Report) -> Recogniser:
    """Raises ModelError."""
    model = ensure_model(source_of(settings), report)
    prepared = prepare_model(model, report)
    return OnnxRecogniser(
        open_sessions(prepared),
        Vocabulary.read(model.vocabulary),
        model.version,
        limits=limits_of(settings),
        slots=settings.decimer_slots,
        threads=settings.decimer_threads,
    )


def prepare_model(model: Model, report: Report) -> Path:
    """The model's folder for this CPU and this version of the runtime, made if it is not there."""

    def make(target: Path) -> None:
        report("preparing the model for this machine", 0, 0)
        prepare(model.folder, target, GRAPHS)

    return ensure_built(model, machine_key(RUNTIME), make, report)
