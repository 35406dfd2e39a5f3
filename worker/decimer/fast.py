"""The fast mode: an encoder in half precision on OpenVINO, where the CPU multiplies such matrices itself.

Elsewhere half precision is emulated and gains nothing, so the engine stays in full precision and says why.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from worker.decimer.model.architecture import EARLY_PAGE, IMAGE_SIDE
from worker.decimer.preprocess import normalise

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
