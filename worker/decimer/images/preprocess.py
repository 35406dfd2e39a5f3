"""From an image file to the grey square the encoder reads, bit for bit as upstream's `decode_image`.

The steps are upstream's (DECIMER/pre_process.py): transparent parts become white, levels are stretched,
grey (with red and blue swapped, as upstream does), contrast, enlarged if small, cropped to what is drawn,
centred on a white square 1.2 times as wide, brightened, and brought to 512 x 512 by TensorFlow's
antialiased gaussian resize.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageOps

from worker.answers.notes import INVERTED, MORE_PAGES, ROTATED, Note
from worker.decimer.errors import BlankImage
from worker.decimer.images.frames import MOST_PAGES
from worker.decimer.images.image_file import ImageLimits, open_image
from worker.decimer.images.thumbnail import shrink
from worker.decimer.model.architecture import IMAGE_SIDE
from worker.recognition import GreyThumbnail

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

CONTRAST, BRIGHTNESS = 1.8, 1.6
DRAWN_BELOW = 200  # grey levels above count as paper
INVERTED_ABOVE = 0.5  # of the frame around what is drawn; ink on paper covers a tenth of it
STRIP_ROWS = 256
KEPT_PIXELS = 2_000_000  # of a page whose strips are kept between two readings
# ImageNet's mean and deviation, in upstream's order of channels (efficientnet's preprocess_input).
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
# OpenCV's BGR2GRAY in 15 bits, applied by upstream to RGB: so the first weight, blue's, meets red.
_GREY_WEIGHTS, _GREY_BITS = (3735, 19235, 9798), 15


@dataclass(frozen=True, slots=True)
class Corrections:
    """What upstream does not do, and is told in the notes where it is done."""

    turn: bool = False  # as EXIF says
    invert: bool = False  # what is drawn light on dark


AS_UPSTREAM = Corrections()


@dataclass(frozen=True, slots=True)
class Drawing:
    """(512, 512) grey levels 0..255, and notes on the image. The thumbnail is of what is drawn, without the
    paper around it; only where it was asked for.
    """

    grey: Floats
    notes: tuple[Note, ...] = ()
    thumbnail: GreyThumbnail | None = None


def read_drawing(path: Path, limits: ImageLimits) -> Floats:
    """(512, 512) grey levels 0..255. Raises ImageRefused: see worker/decimer/errors.py."""
    return read_page(path, limits).grey


def read_page(
    path: Path,
    limits: ImageLimits,
    page: int | None = None,
    corrections: Corrections = AS_UPSTREAM,
    with_thumbnail: bool = False,
) -> Drawing:
    """A page from 1 on; None: the first, with a note where there are more. Raises ImageRefused."""
    grey, notes = _read_grey(path, limits, page, corrections.turn)
    try:
        cropped, dark = _crop(_enhance(grey))
    except BlankImage as blank:
        blank.thumbnail = shrink(grey) if with_thumbnail else None
        raise
    thumbnail = shrink(cropped) if with_thumbnail else None
    if dark > INVERTED_ABOVE:
        told = f"{100 * dark:.0f} % of the drawing's frame is dark"
        notes.append(Note(INVERTED, told + ", inverted" * corrections.invert))
        if corrections.invert:
            cropped, _ = _crop(_enhance(ImageOps.invert(grey)))
    return Drawing(_resize(cropped), tuple(notes), thumbnail)


def _read_grey(
    path: Path, limits: ImageLimits, page: int | None, turn: bool
) -> tuple[Image.Image, list[Note]]:
    """Apart, so that the pixels in colour, most of the memory, are gone before the next step."""
    with open_image(path, limits, page or 1) as opened:
        notes = [] if page is not None else list(more_pages(opened.pages))
        image, orientation = opened.image, opened.orientation
        if orientation is not None:
            notes.append(Note(ROTATED, f"EXIF orientation {orientation}" + ", turned" * turn))
            image = ImageOps.exif_transpose(image) if turn else image
        return _to_grey(image), notes


def more_pages(pages: int) -> Iterator[Note]:
    if pages > 1:
        yield Note(MORE_PAGES, f"page 1 of {pages if pages <= MOST_PAGES else f'more than {MOST_PAGES}'}")


def _enhance(grey: Image.Image) -> Image.Image:
    return _enlarge(ImageEnhance.Contrast(grey).enhance(CONTRAST))


def normalise(grey: Floats) -> Floats:
    """(3, H, W) as the encoder takes it, from (H, W) grey levels."""
    return np.stack(
        [
            (grey / np.float32(255) - mean) / deviation
            for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)
        ]
    )


def _to_grey(image: Image.Image) -> Image.Image:
    lowest, highest, one_colour = 255, 0, True
    first = None
    few = image.width * image.height <= KEPT_PIXELS
    kept = list(_list_strips(image)) if few else None
    for strip in kept or _list_strips(image):
        first = strip[0, 0] if first is None else first
        lowest, highest = min(lowest, int(strip.min())), max(highest, int(strip.max()))
        one_colour = one_colour and bool((strip == first).all())
    if one_colour and _is_one_level(image):
        blank = BlankImage("one colour all over")
        blank.thumbnail = GreyThumbnail(64, 64, bytes([lowest]) * 64 * 64)
        raise blank
    stretched = np.zeros(256, np.uint32)
    stretched[lowest : highest + 1] = np.linspace(0, 255, highest - lowest + 1, dtype=np.uint8)
    red, green, blue = (stretched * weight for weight in _GREY_WEIGHTS)
    rounded = np.uint32(1 << (_GREY_BITS - 1))
    grey, top = np.empty((image.height, image.width), np.uint8), 0
    for strip in kept or _list_strips(image):
        rows = (red[strip[..., 0]] + green[strip[..., 1]] + blue[strip[..., 2]] + rounded) >> _GREY_BITS
        grey[top : top + len(rows)] = rows
        top += len(rows)
    return Image.fromarray(grey)


def _is_one_level(image: Image.Image) -> bool:
    """False for pixels of 16 or 32 bits that differ: Pillow, and so upstream, cuts them at 255."""
    if image.mode[0] not in "IF":
        return True
    lowest, highest = image.getextrema()
    return lowest == highest


def _list_strips(image: Image.Image) -> Iterator[Bytes]:
    """RGBA pixels on white, some rows at a time: whole pages of every step would take gigabytes."""
    for top in range(0, image.height, STRIP_ROWS):
        strip = image.crop((0, top, image.width, min(top + STRIP_ROWS, image.height))).convert("RGBA")
        white = Image.new("RGBA", strip.size, (255, 255, 255))
        yield np.asarray(Image.alpha_composite(white, strip))


def _enlarge(image: Image.Image) -> Image.Image:
    width, height = image.size
    if max(width, height) >= IMAGE_SIDE:
        return image
    if width == height:
        return image.resize((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.LANCZOS)
    ratio = IMAGE_SIDE / max(width, height)
    # A line one pixel thin stays one pixel thin; upstream fails where it comes to none.
    size = max(int(width * ratio), 1), max(int(height * ratio), 1)
    return image.resize(size, Image.Resampling.LANCZOS)


def _crop(image: Image.Image) -> tuple[Image.Image, float]:
    """To what is drawn, and how much of that is dark (0..1)."""
    drawn = np.asarray(image) <= DRAWN_BELOW
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    if not rows.size:
        raise BlankImage("nothing on it is dark enough to be a drawing")
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    dark = np.count_nonzero(drawn[top:bottom, left:right]) / ((bottom - top) * (right - left))
    return image.crop((left, top, right, bottom)), dark


def _resize(drawing: Image.Image) -> Floats:
    """The drawing in the middle of a white square 1.2 times as wide, brightened, by TensorFlow's
    ScaleAndTranslate, gaussian, in its order of additions: rows first, then columns. What is white around it
    is there as one line, however large it is.
    """
    side = max(int(1.2 * max(drawing.size)), IMAGE_SIDE)
    starts, weights = _spans(side)
    framed = Image.new("L", (drawing.width + 1, drawing.height + 1), "white")
    framed.paste(drawing, (0, 0))
    lines = np.asarray(ImageEnhance.Brightness(framed).enhance(BRIGHTNESS))
    rows = _blend(lines, starts, weights, int((side - drawing.height) / 2))
    columns = _blend(np.ascontiguousarray(rows.T), starts, weights, int((side - drawing.width) / 2))
    return np.ascontiguousarray(columns.T)


def _blend(lines: npt.NDArray[Any], starts: npt.NDArray[np.int64], weights: Floats, offset: int) -> Floats:
    """Sums of weighted lines, (IMAGE_SIDE, width), added tap by tap. `lines` begin at `offset` of the square;
    the last stands for all others.
    """
    white = len(lines) - 1
    total = np.zeros((IMAGE_SIDE, lines.shape[1]), np.float32)
    part = np.empty_like(total)
    for tap in range(weights.shape[1]):
        at = starts + tap - offset
        part[...] = lines[np.where((at >= 0) & (at < white), at, white)]
        part *= weights[:, tap, None]
        total += part
    return total


@functools.lru_cache(maxsize=64)
def _spans(size: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """First input pixel and weights of each output pixel.

    Source: tensorflow/core/kernels/image/scale_and_translate_op.cc, ComputeSpansCore; every operation there
    is in single precision, so it is here.
    """
    single = np.float32
    inverse_scale = single(1) / (single(IMAGE_SIDE) / single(size))
    kernel_scale = max(inverse_scale, single(1))
    radius, sigma = single(1.5), 0.5
    taps = min(2 * int(np.ceil(radius * kernel_scale)) + 1, size)
    starts = np.zeros(IMAGE_SIDE, np.int64)
    weights = np.zeros((IMAGE_SIDE, taps), single)
    for column in range(IMAGE_SIDE):
        centre = single(column + 0.5) * inverse_scale
        first = int(np.ceil(single(centre - radius * kernel_scale - single(0.5))))
        last = int(np.floor(single(centre + radius * kernel_scale - single(0.5))))
        first, last = (min(max(edge, 0), size - 1) for edge in (first, last))
        distances = (np.arange(first, last + 1, dtype=single) + single(0.5) - centre) * (
            single(1) / kernel_scale
        )
        bell = np.exp(-(distances * distances).astype(np.float64) / (2 * sigma * sigma)).astype(single)
        bell[np.abs(distances) >= radius] = 0
        total = single(0)
        for value in bell:
            total += value
        starts[column] = first
        weights[column, : last + 1 - first] = bell * (single(1) / total)
    return starts, weights
