"""The early encoder on the drawn parts of the page gives what it gives on the whole page."""

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.decimer.conftest import LIMITS
from worker.decimer.encode import GAP, ROWS, add_border, advance, cut_pieces, fill_strips, spread
from worker.decimer.engine import Sessions, run_of
from worker.decimer.images.preprocess import normalise, read_drawing
from worker.decimer.model.architecture import EARLY_PAGE, IMAGE_SIDE, Block, list_early
from worker.decimer.model.gates import keep_gates_blocked
from worker.decimer.model.make_model import get_prepared
from worker.decimer.model.store import Model
from worker.decimer.sessions import open_session, write_prepared

pytestmark = pytest.mark.timeout(600)  # real weights; a loaded machine

SIDE = 32
Floats = npt.NDArray[np.float32]
KERNEL = np.arange(1, 10, dtype=np.float32).reshape(3, 3) / 7  # lets nothing cancel


def convolve(page: Floats, stride: int) -> Floats:
    """(1, 1, H, W) without padding, as a block's graph does it."""
    height, width = page.shape[2:]
    rows, columns = height - 2, width - 2
    total = sum(KERNEL[y, x] * page[:, :, y : y + rows, x : x + columns] for y in range(3) for x in range(3))
    return np.asarray(total[:, :, ::stride, ::stride] + 1, np.float32)


def draw(seed: int, marks: int) -> npt.NDArray[np.bool_]:
    random = np.random.RandomState(seed)
    ink = np.zeros((SIDE, SIDE), bool)
    for top, left in random.randint(0, SIDE, (marks, 2)):
        ink[top : top + random.randint(1, 9), left : left + random.randint(1, 9)] = True
    return ink


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(0, 6), st.sampled_from([1, 2]), st.booleans())
def test_a_block_run_on_pieces_gives_what_it_gives_on_the_page(
    seed: int, marks: int, stride: int, adds_its_input: bool
) -> None:
    block = Block("fused", stride, 1, 1, 1 if adds_its_input else 2)
    ink = draw(seed, marks)
    white = np.full((1, SIDE, SIDE), 3, np.float32)
    page = white + ink * np.random.RandomState(seed).rand(SIDE, SIDE).astype(np.float32)
    reached = spread(ink, stride)

    def whole(page: Floats) -> Floats:
        # TensorFlow's SAME: a border before and after with stride 1, only after with 2
        padded = add_border(page)[:, stride - 1 :, stride - 1 :]
        result = convolve(padded[None], stride)[0]
        return result + page if block.residual else result

    result = add_border(whole(white))
    assert not (whole(page) != whole(white))[0, ~reached].any()
    advance(block, lambda strip: convolve(strip, stride), cut_pieces(reached), add_border(page), result)
    np.testing.assert_array_equal(result[:, 1:-1, 1:-1], whole(page))


@given(st.integers(0, 1000), st.integers(0, 12))
def test_pieces_hold_all_that_is_reached_once(seed: int, marks: int) -> None:
    reached = draw(seed, marks)
    held = np.zeros((SIDE, SIDE), int)
    pieces = cut_pieces(reached)
    for piece in pieces:
        assert piece.top % ROWS == 0
        assert reached[piece.top : piece.top + ROWS, piece.left].any()
        assert reached[piece.top : piece.top + ROWS, piece.right - 1].any()
        held[piece.top : piece.top + ROWS, piece.left : piece.right] += 1
    assert held.max(initial=0) <= 1
    assert held[reached].all()
    for piece, after in itertools.pairwise(pieces):
        assert after.top > piece.top or after.left - piece.right > GAP
    strips = list(fill_strips(pieces, 24))
    assert [piece for strip in strips for piece in strip] == pieces
    assert all(len(strip) == 1 or sum(p.right - p.left for p in strip) <= 24 for strip in strips)


def test_the_early_blocks_end_at_an_eighth_of_the_side() -> None:
    blocks = list_early()
    assert np.prod([block.stride for block in blocks]) == 8
    assert all(before.channels_out == after.channels_in for before, after in itertools.pairwise(blocks))


@pytest.mark.parametrize("number", [17, 70])
def test_features_are_those_of_the_whole_page(
    model: Model, sessions: Sessions, drawings: list[Path], number: int, tmp_path: Path
) -> None:
    grey = read_drawing(drawings[number], LIMITS)
    write_prepared(model.folder / f"{EARLY_PAGE}.onnx", tmp_path / "early.onnx")
    page = run_of(open_session(tmp_path / "early.onnx"))(normalise(grey)[None])
    late = run_of(open_session(get_prepared(model, lambda *_: None) / "late.onnx"))
    np.testing.assert_allclose(sessions.encoder.encode(grey), late(page), atol=2e-5)


def test_a_white_page_gives_the_kept_results(model: Model, sessions: Sessions, tmp_path: Path) -> None:
    white = np.full((IMAGE_SIDE, IMAGE_SIDE), 255, np.float32)
    write_prepared(model.folder / f"{EARLY_PAGE}.onnx", tmp_path / "early.onnx")
    page = run_of(open_session(tmp_path / "early.onnx"))(normalise(white)[None])
    late = run_of(open_session(get_prepared(model, lambda *_: None) / "late.onnx"))
    np.testing.assert_allclose(sessions.encoder.encode(white), late(page), atol=2e-5)


def test_gates_without_reordering_give_the_same_to_the_bit(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "late.onnx"
    write_prepared(model.folder / "late.onnx", path)
    page = np.random.RandomState(5).rand(1, 80, 64, 64).astype(np.float32)
    before = run_of(open_session(path))(page)
    gates = sum(
        node.op_type == "GlobalAveragePool" for node in onnx.load(path, load_external_data=False).graph.node
    )
    rewritten = keep_gates_blocked(path)
    nodes = [node.op_type for node in onnx.load(path, load_external_data=False).graph.node]
    assert gates == 44
    assert rewritten in (0, gates)  # none where the runtime knows no blocked order for this CPU
    assert ("Mul" in nodes) == (rewritten == 0)
    np.testing.assert_array_equal(run_of(open_session(path))(page), before)
