"""Run the encoder, its early blocks on the drawn parts of the page alone: those that the ink has reached.

Around the lines of a drawing the page is white, and there every early block gives what it gives on an empty
page. So those results are kept (`white`); each block runs on the pieces that the ink has reached so far,
side by side in strips, and its results are laid into the kept ones. Per pixel the same numbers are added as
on the whole page; where the resize left paper a rounding error away from white, the kept result of pure
white stands for it.

Pages carry a border of one zero pixel, the convolutions' padding.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.decimer.images.preprocess import normalise
from worker.decimer.model.architecture import IMAGE_SIDE, Block

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Run = Callable[[Floats], Floats]

PAPER = np.float32(255)
PAPER_TOLERANCE = np.float32(1e-3)  # of 255 grey levels: the resize's rounding errors stay below 1e-4
STRIP_PIXELS = 4096  # results of one run: what it works on stays in the processor's caches
ROWS = 4  # of a piece; fewer follow the ink more closely, but every piece costs its cutting out
GAP = 8  # columns of paper that are worth two pieces instead of one


@dataclass(frozen=True, slots=True)
class Piece:
    """ROWS rows from `top`, columns left..right-1, of a convolution's result."""

    top: int
    left: int
    right: int


def spread(ink: Mask, stride: int) -> Mask:
    """The results of a 3 x 3 SAME convolution that see any of `ink`."""
    for _ in range(2):  # along one axis, then the other
        ink = _spread_rows(ink, stride).T
    return ink


def _spread_rows(ink: Mask, stride: int) -> Mask:
    if stride == 1:
        padded = np.pad(ink, ((1, 1), (0, 0)))
        return padded[:-2] | ink | padded[2:]
    after = np.pad(ink[2::2], ((0, 1), (0, 0)))  # TensorFlow pads one after and none before
    return ink[::2] | ink[1::2] | after


def cut_pieces(reached: Mask) -> list[Piece]:
    """Pieces that hold all that is reached, by rows and columns."""
    height, width = reached.shape
    row_width = width + GAP + 1  # paper enough that no piece goes on in the next band
    bands = np.zeros((height // ROWS, row_width), bool)
    bands[:, :width] = reached.reshape(-1, ROWS, width).any(axis=1)
    edges = np.flatnonzero(np.diff(bands.ravel(), prepend=False))
    starts, ends = edges[::2], edges[1::2]
    apart = starts[1:] - ends[:-1] > GAP
    starts, ends = starts[np.r_[True, apart][: len(starts)]], ends[np.r_[apart, True][: len(ends)]]
    bands_at, lefts = np.divmod(starts, row_width)
    rights = ends - bands_at * row_width
    return [
        Piece(ROWS * band, left, right)
        for band, left, right in zip(bands_at.tolist(), lefts.tolist(), rights.tolist(), strict=True)
    ]


def fill_strips(pieces: Sequence[Piece], most_columns: int) -> Iterator[Sequence[Piece]]:
    """The pieces in runs of at most so many columns in sum (but one piece at least)."""
    first = columns = 0
    for number, piece in enumerate(pieces):
        width = piece.right - piece.left
        if number > first and columns + width > most_columns:
            yield pieces[first:number]
            first, columns = number, 0
        columns += width
    if pieces:
        yield pieces[first:]


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
