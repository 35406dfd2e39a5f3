"""Run the encoder, its early parts on the drawn part of the page alone.

Around a drawing the page is white, and there every early convolution gives what it gives on an empty page.
So those results are kept (`backgrounds`), each early part runs on the drawn rectangle, grown by what its
convolutions reach, and its result is laid into the kept one. Per pixel the same numbers are added as on the
whole page; where the resize left paper a rounding error away from white, the kept result of pure white
stands for it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from worker.decimer.architecture import IMAGE_SIDE, Part, list_blocks
from worker.decimer.preprocess import normalise

Floats = npt.NDArray[np.float32]
Run = Callable[[Floats], Floats]

PAPER = np.float32(255)
PAPER_TOLERANCE = np.float32(1e-3)  # of 255 grey levels: the resize's rounding errors stay below 1e-4


@dataclass(frozen=True, slots=True)
class Span:
    """Pixels first..last-1 along one axis."""

    first: int
    last: int

    def cut(self) -> slice:
        return slice(self.first, self.last)

    def within(self, outer: "Span", scale: int) -> slice:
        """This span's place in the result of a part that ran on `outer`, `scale` times finer."""
        return slice(self.first - outer.first // scale, self.last - outer.first // scale)


def grow(span: Span, stride: int, size: int) -> Span:
    """The outputs of a 3 x 3 SAME convolution over `size` pixels that a change within `span` reaches."""
    if stride == 1:
        return Span(max(span.first - 1, 0), min(span.last + 1, size))
    return Span(max((span.first - 1) // 2, 0), min((span.last - 1) // 2 + 1, size // 2))


def reach(span: Span, stride: int, size: int) -> Span:
    """The inputs, of `size`, that the outputs within `span` are made of."""
    if stride == 1:
        return Span(max(span.first - 1, 0), min(span.last + 1, size))
    return Span(2 * span.first, min(2 * span.last + 1, size))


def list_strides(part: Part) -> list[int]:
    """Strides of the part's 3 x 3 convolutions, in order."""
    return [2] * part.stem + [block.stride for block in list_blocks()[part.blocks]]


def plan(drawn: Span, size: int, strides: Sequence[int]) -> tuple[Span, Span]:
    """Where a part must run, in its inputs' pixels, and what it changes, in its outputs'."""
    sizes, changed = [size], drawn
    for stride in strides:
        changed = grow(changed, stride, sizes[-1])
        sizes.append(sizes[-1] // stride)
    needed = changed
    for stride, inner in zip(reversed(strides), reversed(sizes[:-1]), strict=True):
        needed = reach(needed, stride, inner)
    # Strides count from the page's edge: so must the crop's.
    return Span(needed.first - needed.first % math.prod(strides), needed.last), changed


def find_drawn(grey: Floats) -> tuple[Span, Span]:
    """Rows and columns that hold anything but paper; the middle pixel if there is nothing."""
    ink = np.abs(grey - PAPER) > PAPER_TOLERANCE
    spans = []
    for axis in (1, 0):
        places = np.flatnonzero(ink.any(axis=axis))
        middle = IMAGE_SIDE // 2
        spans.append(Span(int(places[0]), int(places[-1]) + 1) if places.size else Span(middle, middle + 1))
    return spans[0], spans[1]


class Encoder:
    """`early` are (part, its graph, its result on a white page (C, H, W)); `late` makes the features."""

    def __init__(self, early: Sequence[tuple[Part, Run, Floats]], late: Run) -> None:
        self._early = [(list_strides(part), run, background) for part, run, background in early]
        self._late = late

    def encode(self, grey: Floats) -> Floats:
        """(1, FEATURES, FEATURE_WIDTH) from the (512, 512) grey levels of `read_drawing`."""
        rows, columns = find_drawn(grey)
        size = IMAGE_SIDE
        canvas: Floats | None = None
        for strides, run, background in self._early:
            (needed_rows, rows), (needed_columns, columns) = (
                plan(span, size, strides) for span in (rows, columns)
            )
            if canvas is None:
                inputs = normalise(grey[needed_rows.cut(), needed_columns.cut()])
            else:
                inputs = np.ascontiguousarray(canvas[:, needed_rows.cut(), needed_columns.cut()])
            result = run(inputs[None])[0]
            scale = math.prod(strides)
            size //= scale
            canvas = background.copy()
            canvas[:, rows.cut(), columns.cut()] = result[
                :, rows.within(needed_rows, scale), columns.within(needed_columns, scale)
            ]
        assert canvas is not None
        return self._late(canvas[None])


def encode_white(parts: Sequence[Run]) -> list[Floats]:
    """The results (C, H, W) of the early parts on a white page, one after another."""
    x = normalise(np.full((IMAGE_SIDE, IMAGE_SIDE), PAPER, np.float32))
    results = []
    for run in parts:
        x = run(x[None])[0]
        results.append(x)
    return results
