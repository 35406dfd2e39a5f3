"""From settings to a recogniser on ONNX Runtime: the steps of the other modules in order."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from worker.answers.notes import repetition
from worker.decimer.engine import FastMode, OnnxRecogniser, open_sessions
from worker.decimer.fast import HalfPrecisionEncoder, fast_support
from worker.decimer.image_file import ImageLimits
from worker.decimer.model.make_model import get_model, get_prepared
from worker.decimer.model.packages import Report
from worker.decimer.model.store import Model, ModelSource
from worker.decimer.preprocess import Corrections
from worker.decimer.vocabulary import Vocabulary
from worker.recognition import Recogniser

if TYPE_CHECKING:
    from worker.settings import EngineSettings

log = logging.getLogger(__name__)


def open_onnx(settings: EngineSettings, report: Report) -> Recogniser:
    """Raises ModelError."""
    archive = settings.hand_drawn_archive if settings.hand_drawn else settings.model_archive
    model = get_model(ModelSource(settings.model_dir, settings.hand_drawn, archive), report)
    return OnnxRecogniser(
        open_sessions(get_prepared(model, report)),
        Vocabulary.read(model.vocabulary),
        model.version,
        limits=ImageLimits(settings.image_max_bytes, settings.image_max_pixels),
        slots=settings.decimer_slots,
        threads=settings.decimer_threads,
        fast=_fast_mode(settings, model),
        corrections=Corrections(settings.decimer_turn, settings.decimer_invert),
        is_endless=_repeats if settings.decimer_stop_repeating else None,
        thumbnails=settings.thumbnails,
    )


def _repeats(words: Sequence[str]) -> bool:
    return repetition(words) is not None


def _fast_mode(settings: EngineSettings, model: Model) -> FastMode | None:
    """The fast mode where it is wanted and possible; else full precision, which is never wrong."""
    if settings.decimer_precision == "full":
        return None
    support = fast_support()
    if not support.supported:
        log.warning("WORKER_DECIMER_PRECISION=fast is not possible here, running in full: %s", support.why)
        return None
    return FastMode(lambda: HalfPrecisionEncoder(model.folder), settings.decimer_fast_threshold)
