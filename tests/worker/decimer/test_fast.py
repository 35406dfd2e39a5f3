"""The fast mode: where it runs, and that what it doubts is read again in full precision."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.worker.decimer.conftest import LIMITS
from worker.decimer.engine import FastMode, OnnxRecogniser, Sessions
from worker.decimer.images.preprocess import read_drawing
from worker.decimer.model.store import Model
from worker.decimer.open_onnx import HalfPrecisionEncoder, fast_support
from worker.decimer.vocabulary import Vocabulary
from worker.recognition import Recognition, SourceImage

pytestmark = pytest.mark.timeout(600)  # real weights; a loaded machine

OTHER_CPU = "processor\t: 0\nflags\t\t: fpu avx2 avx512_bf16\n"


class NoisyEncoder:
    """The real encoder, with an error far above half precision's on top."""

    def __init__(self, sessions: Sessions) -> None:
        self._encoder = sessions.encoder

    def encode(self, grey: np.ndarray) -> np.ndarray:
        features = self._encoder.encode(grey)
        return features + np.random.RandomState(1).normal(0, 0.4, features.shape).astype(np.float32)


def recognise(engine: OnnxRecogniser, paths: list[Path]) -> dict[str, Recognition]:
    return {a.key: a for a in engine.recognise(SourceImage(path.name, path) for path in paths)}


@pytest.mark.parametrize("threshold", [0.6, 1.0])
def test_what_is_in_doubt_is_read_again_in_full(
    model: Model,
    sessions: Sessions,
    vocabulary: Vocabulary,
    drawings: list[Path],
    open_engine: Callable[..., OnnxRecogniser],
    threshold: float,
) -> None:
    paths = drawings[12:15]
    full = recognise(open_engine(), paths)
    fast = recognise(
        OnnxRecogniser(
            sessions,
            vocabulary,
            model.version,
            limits=LIMITS,
            slots=2,
            threads=1,
            fast=FastMode(lambda: NoisyEncoder(sessions), threshold),
        ),
        paths,
    )
    assert fast.keys() == full.keys()
    for name, answer in fast.items():
        if answer.precision == "full":
            assert answer.tokens == full[name].tokens
            assert answer.confidences == pytest.approx(full[name].confidences, abs=1e-5)
        else:
            assert min(answer.confidences) >= threshold
    again = sum(answer.precision == "full" for answer in fast.values())
    assert again == len(paths) or threshold < 1


def test_it_is_refused_with_a_reason_on_other_processors(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    assert not fast_support(cpuinfo).supported
    cpuinfo.write_text(OTHER_CPU)
    assert fast_support(cpuinfo).why == "this CPU has no AMX_FP16 instructions"
    cpuinfo.write_text(OTHER_CPU.replace("avx2", "avx2 amx_fp16"))
    found = fast_support(cpuinfo)
    assert found.supported or "cloud-monitor[fast]" in found.why


def test_openvinos_encoder_computes_the_same_features(
    model: Model, sessions: Sessions, drawings: list[Path]
) -> None:
    """In single precision, which every CPU has: the graphs, shapes and order are right."""
    pytest.importorskip("openvino", reason="the extra `fast` is not installed")
    grey = read_drawing(drawings[12], LIMITS)
    features = HalfPrecisionEncoder(model.folder, "f32").encode(grey)
    np.testing.assert_allclose(features, sessions.encoder.encode(grey), atol=1e-4)
