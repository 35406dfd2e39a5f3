"""The early encoder on the drawn part of the page gives what it gives on the whole page."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.decimer.conftest import LIMITS
from worker.decimer.architecture import EARLY_PARTS, IMAGE_SIDE, LATE_PART
from worker.decimer.encode import Span, find_drawn, list_strides, plan
from worker.decimer.engine import Sessions, run_of
from worker.decimer.make_model import get_prepared
from worker.decimer.preprocess import normalise, read_drawing
from worker.decimer.sessions import open_session
from worker.decimer.store import Model

pytestmark = pytest.mark.timeout(600)  # real weights; a loaded machine


def convolve(page: np.ndarray, stride: int) -> np.ndarray:
    """A 3-wide SAME convolution with weights that let nothing cancel, on one axis."""
    before, after = (1, 1) if stride == 1 else (0, 1)
    padded = np.pad(page, (before, after))
    full = padded[:-2] * 1.7 + padded[1:-1] * 2.3 + padded[2:] * 3.1 + 0.5
    return full[::stride]


@settings(deadline=None)
@given(
    first=st.integers(0, 63),
    length=st.integers(1, 64),
    strides=st.lists(st.sampled_from([1, 2]), min_size=1, max_size=5),
)
def test_a_part_run_on_its_planned_span_changes_just_what_it_would_on_the_page(
    first: int, length: int, strides: list[int]
) -> None:
    size = 64
    drawn = Span(first, min(first + length, size))
    white, page = np.ones(size), np.ones(size)
    page[drawn.cut()] += np.random.RandomState(first).rand(drawn.last - drawn.first)
    needed, changed = plan(drawn, size, strides)
    cropped, whole, background = page[needed.cut()], page, white
    for stride in strides:
        cropped, whole, background = (convolve(x, stride) for x in (cropped, whole, background))
    assert not (whole != background)[: changed.first].any()
    assert not (whole != background)[changed.last :].any()
    result = cropped[changed.within(needed, math.prod(strides))]
    np.testing.assert_array_equal(result, whole[changed.cut()])


def test_the_parts_are_the_encoder_from_stem_to_last_block() -> None:
    ends = [(part.blocks.start, part.blocks.stop) for part in (*EARLY_PARTS, LATE_PART)]
    assert ends[0][0] == 0
    assert ends[-1][1] == 57
    assert all(earlier[1] == later[0] for earlier, later in itertools.pairwise(ends))
    assert np.prod([stride for part in EARLY_PARTS for stride in list_strides(part)]) == 8


def test_a_white_page_counts_as_drawn_in_its_middle() -> None:
    middle = Span(IMAGE_SIDE // 2, IMAGE_SIDE // 2 + 1)
    assert find_drawn(np.full((IMAGE_SIDE, IMAGE_SIDE), 255, np.float32)) == (middle, middle)


@pytest.mark.parametrize("number", [17, 70])
def test_features_are_those_of_the_whole_page(
    model: Model, sessions: Sessions, drawings: list[Path], number: int
) -> None:
    grey = read_drawing(drawings[number], LIMITS)
    whole = normalise(grey)[None]
    prepared = get_prepared(model, lambda *_: None)
    for part in (*EARLY_PARTS, LATE_PART):
        whole = run_of(open_session(prepared / f"{part.name}.onnx"))(whole)
    np.testing.assert_allclose(sessions.encoder.encode(grey), whole, atol=2e-5)
