"""Run the encoder, its early blocks on the drawn parts of the page alone.

Around the lines of a drawing the page is white, and there every early block gives what it gives on an empty
page. So those results are kept (`white`); each block runs on the pieces that the ink has reached so far,
side by side in strips, and its results are laid into the kept ones. Per pixel the same numbers are added as
on the whole page; where the resize left paper a rounding error away from white, the kept result of pure
white stands for it.

Pages carry a border of one zero pixel, the convolutions' padding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.decimer.model.architecture import IMAGE_SIDE, Block
from worker.decimer.pieces import ROWS, Piece, cut_pieces, fill_strips, spread
from worker.decimer.preprocess import normalise

Floats = npt.NDArray[np.float32]
Run = Callable[[Floats], Floats]

PAPER = np.float32(255)
PAPER_TOLERANCE = np.float32(1e-3)  # of 255 grey levels: the resize's rounding errors stay below 1e-4
STRIP_PIXELS = 4096  # results of one run: what it works on stays in the processor's caches


@dataclass(frozen=True, slots=True)
class Stage:
    """An early block, its graph, and its results (C, H + 2, W + 2) on a white page."""

    block: Block
    run: Run
    white: Floats


class Encoder:
    """`late` makes the features from the page after the last early stage."""

    def __init__(self, early: Sequence[Stage], late: Run) -> None:
        self._early, self._late = early, late

    def encode(self, grey: Floats) -> Floats:
        """(1, FEATURES, FEATURE_WIDTH) from the (512, 512) grey levels of `read_drawing`."""
        page = add_border(normalise(grey))
        reached = np.abs(grey - PAPER) > PAPER_TOLERANCE
        for stage in self._early:
            reached = spread(reached, stage.block.stride)
            result = stage.white.copy()
            advance(stage.block, stage.run, cut_pieces(reached), page, result)
            page = result
        return self._late(np.ascontiguousarray(page[None, :, 1:-1, 1:-1]))


def advance(block: Block, run: Run, pieces: Sequence[Piece], page: Floats, result: Floats) -> None:
    """Lay the block's results on `page` into `result`, where the pieces are. Both have borders."""
    for strip in fill_strips(pieces, STRIP_PIXELS // ROWS):
        outputs = run(_cut_strip(block, strip, page)[None])[0]
        column = 0
        for piece in strip:
            width = piece.right - piece.left
            at = (
                slice(None),
                slice(piece.top + 1, piece.top + 1 + ROWS),
                slice(piece.left + 1, piece.right + 1),
            )
            found = outputs[:, :, column : column + width]
            if block.residual:
                np.add(found, page[at], out=result[at])
            else:
                result[at] = found
            column += width + _spare(block)


def _spare(block: Block) -> int:
    """Results at the seam of two pieces that belong to neither."""
    return 2 if block.stride == 1 else 1


def _cut_strip(block: Block, pieces: Sequence[Piece], page: Floats) -> Floats:
    """The pieces' inputs with the neighbours the convolution needs, side by side."""
    stride, spare = block.stride, _spare(block)
    needed = ROWS * stride + 3 - stride
    columns = sum(piece.right - piece.left + spare for piece in pieces) * stride
    strip = np.zeros((page.shape[0], needed, columns), np.float32)
    # With stride 2 nothing is padded before, so the border is not needed there.
    before = 2 - stride
    column = 0
    for piece in pieces:
        top, left = piece.top * stride + 1 - before, piece.left * stride + 1 - before
        width = (piece.right - piece.left) * stride + 3 - stride
        strip[:, :, column : column + width] = page[:, top : top + needed, left : left + width]
        column += (piece.right - piece.left + spare) * stride
    return strip


def add_border(page: Floats) -> Floats:
    return np.pad(page, ((0, 0), (1, 1), (1, 1)))


def encode_white(early: Sequence[tuple[Block, Run]]) -> list[Floats]:
    """The results of the early blocks on a white page, one after another, with borders."""
    page = add_border(normalise(np.full((IMAGE_SIDE, IMAGE_SIDE), PAPER, np.float32)))
    results = []
    for block, run in early:
        side = (page.shape[1] - 2) // block.stride
        result = np.zeros((block.channels_out, side + 2, side + 2), np.float32)
        advance(block, run, cut_pieces(np.ones((side, side), bool)), page, result)
        results.append(result)
        page = result
    return results
