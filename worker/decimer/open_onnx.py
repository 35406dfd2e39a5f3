"""From settings to a recogniser on ONNX Runtime, with the fast mode where the machine can: an encoder in half
precision on OpenVINO, where the CPU multiplies such matrices itself. Elsewhere half precision is emulated and
gains nothing, so the engine stays in full precision and says why.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from worker.answers.notes import repetition
from worker.decimer.engine import FastMode, OnnxRecogniser, open_sessions
from worker.decimer.images.image_file import ImageLimits
from worker.decimer.images.preprocess import Corrections, normalise
from worker.decimer.model.architecture import EARLY_PAGE, IMAGE_SIDE
from worker.decimer.model.make_model import get_model, get_prepared
from worker.decimer.model.packages import Report
from worker.decimer.model.store import Model, ModelSource
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


Floats = npt.NDArray[np.float32]
NEEDED_FLAG = "amx_fp16"


@dataclass(frozen=True, slots=True)
class FastSupport:
    """Whether this machine can run the fast mode; if not, `why` says what it lacks."""

    supported: bool
    why: str = ""


def fast_support(cpuinfo: Path = Path("/proc/cpuinfo")) -> FastSupport:
    """Asks the CPU's flags and for the package, without loading it."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return FastSupport(False, f"{cpuinfo} cannot be read")
    flags = next((line.split(":")[1].split() for line in lines if line.startswith("flags")), [])
    if NEEDED_FLAG not in flags:
        return FastSupport(False, f"this CPU has no {NEEDED_FLAG.upper()} instructions")
    if importlib.util.find_spec("openvino") is None:
        return FastSupport(False, "openvino is not installed (pip install 'cloud-monitor[fast]')")
    return FastSupport(True)


class HalfPrecisionEncoder:
    """The encoder compiled by OpenVINO for whole pages; for one thread at a time."""

    def __init__(self, model: Path, precision: str = "f16") -> None:
        import openvino

        core = openvino.Core()
        options = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
        }
        self._requests: list[Any] = []
        shape = [1, 3, IMAGE_SIDE, IMAGE_SIDE]
        for name in (EARLY_PAGE, "late"):
            graph = core.read_model(model / f"{name}.onnx")
            graph.reshape(shape)
            self._requests.append(core.compile_model(graph, "CPU", options).create_infer_request())
            shape = list(graph.output(0).shape)

    def encode(self, grey: Floats) -> Floats:
        """(1, FEATURES, FEATURE_WIDTH) from (512, 512) grey levels."""
        x = normalise(grey)[None]
        for request in self._requests:
            x = request.infer([x], share_inputs=True)[0]
        return np.array(x, np.float32)
