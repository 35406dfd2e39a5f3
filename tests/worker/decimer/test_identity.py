"""Our answers are upstream's: the same tokens, confidences within 1e-4, preprocessing bit for bit.

A sample over all kinds of image here; `make soak` and `make bench-decimer` compare all of them.
"""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest

from tests.worker.decimer.conftest import LIMITS
from tests.worker.decimer.kept import DATA, Kept
from worker.decimer.engine import OnnxRecogniser
from worker.decimer.images.preprocess import normalise, read_drawing
from worker.recognition import Recognition, SourceImage

pytestmark = pytest.mark.timeout(600)  # real weights; a loaded machine

CONFIDENCE_TOLERANCE = 1e-4


def recognise(engine: OnnxRecogniser, images: list[Kept]) -> dict[str, Recognition]:
    found = engine.recognise(SourceImage(image.path.name, image.path) for image in images)
    return {answer.key: answer for answer in found}


def assert_same(image: Kept, answer: Recognition) -> None:
    assert answer.error is None
    assert answer.tokens == image.texts
    assert answer.smiles == image.smiles == "".join(answer.tokens)
    assert answer.truncated == image.truncated
    assert answer.precision == "full"
    differences = np.abs(np.subtract(answer.confidences, image.confidences))
    assert differences.max() <= CONFIDENCE_TOLERANCE


def test_there_are_as_many_kept_answers_as_promised(kept: list[Kept]) -> None:
    assert len(kept) == 101 + 202 + 12
    assert sum(image.truncated for image in kept) == 2


def test_preprocessing_is_bit_identical_on_every_kept_image(kept: list[Kept]) -> None:
    different = []
    for image in kept:
        tensor = normalise(read_drawing(image.path, LIMITS)).transpose(1, 2, 0)
        if hashlib.sha256(np.ascontiguousarray(tensor).tobytes()).hexdigest() != image.tensor_sha256:
            different.append(image.path.name)
    assert not different


def test_a_sample_of_every_kind_has_upstreams_tokens(
    kept: list[Kept], open_engine: Callable[..., OnnxRecogniser]
) -> None:
    short = [image for image in kept if len(image.texts) < 60]
    first_of_kind = {image.path.suffix: image for image in short}
    sample = [*first_of_kind.values(), *short[::40]]
    assert first_of_kind.keys() == {".png", ".jpg", ".gif", ".bmp", ".tiff", ".webp", ".heic"}
    answers = recognise(open_engine(), sample)
    assert answers.keys() == {image.path.name for image in sample}
    assert len(answers) >= 10
    for image in sample:
        assert_same(image, answers[image.path.name])


def test_an_image_that_never_ends_is_cut_at_upstreams_limit(
    kept: list[Kept], open_engine: Callable[..., OnnxRecogniser]
) -> None:
    endless = next(image for image in kept if image.truncated)
    short = min(kept, key=lambda image: len(image.texts))
    answers = recognise(open_engine(slots=2), [endless, short])
    assert len(answers[endless.path.name].tokens) == 302
    for image in (endless, short):
        assert_same(image, answers[image.path.name])


@pytest.mark.soak
def test_every_kept_image_has_upstreams_tokens(
    kept: list[Kept], open_engine: Callable[..., OnnxRecogniser]
) -> None:
    answers = recognise(open_engine(threads=2), kept)
    for image in kept:
        assert_same(image, answers[image.path.name])


def test_the_answers_shipped_with_the_drawings_agree_with_those_made_here() -> None:
    """Two runs of upstream, on different processors, wrote the same tokens."""
    import json

    first = json.loads((DATA / "upstream.json").read_text(encoding="utf-8"))
    second = json.loads((DATA / "upstream_drawings.json").read_text(encoding="utf-8"))
    assert first.keys() == second.keys()
    assert all(first[name]["tokens"] == second[name]["tokens"] for name in first)
