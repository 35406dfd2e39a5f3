"""From settings to a recogniser on ONNX Runtime: the steps of the other modules in order."""

from worker.decimer.engine import OnnxRecogniser, open_sessions
from worker.decimer.image_file import Limits
from worker.decimer.make_model import get_model, get_prepared
from worker.decimer.packages import Report
from worker.decimer.store import ModelSource
from worker.decimer.vocabulary import Vocabulary
from worker.recognition import Recogniser
from worker.settings import Settings


def open_onnx(settings: Settings, report: Report) -> Recogniser:
    """Raises ModelError."""
    archive = settings.hand_drawn_archive if settings.hand_drawn else settings.model_archive
    model = get_model(ModelSource(settings.model_dir, settings.hand_drawn, archive), report)
    return OnnxRecogniser(
        open_sessions(get_prepared(model, report)),
        Vocabulary.read(model.vocabulary),
        model.version,
        limits=Limits(settings.image_max_bytes, settings.image_max_pixels),
        slots=settings.decimer_slots,
        threads=settings.decimer_threads,
    )
