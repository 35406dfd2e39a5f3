"""Which parts of a page a convolution must be run on: those the ink has reached."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

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
