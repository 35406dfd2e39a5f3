"""From an image file to the grey square the encoder reads, bit for bit as upstream's `decode_image`.

The steps are upstream's (DECIMER/pre_process.py): transparent parts become white, levels are stretched,
grey (with red and blue swapped, as upstream does), contrast, enlarged if small, cropped to what is drawn,
centred on a white square 1.2 times as wide, brightened, and brought to 512 x 512 by TensorFlow's
antialiased gaussian resize.
"""

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance

from worker.decimer.errors import BlankImage
from worker.decimer.image_file import ImageLimits, open_image
from worker.decimer.model.architecture import IMAGE_SIDE

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

CONTRAST, BRIGHTNESS = 1.8, 1.6
DRAWN_BELOW = 200  # grey levels above count as paper
STRIP_ROWS = 256
KEPT_PIXELS = 2_000_000  # of a page whose strips are kept between two readings
# ImageNet's mean and deviation, in upstream's order of channels (efficientnet's preprocess_input).
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
# OpenCV's BGR2GRAY in 15 bits, applied by upstream to RGB: so the first weight, blue's, meets red.
_GREY_WEIGHTS, _GREY_BITS = (3735, 19235, 9798), 15


def read_drawing(path: Path, limits: ImageLimits) -> Floats:
    """(512, 512) grey levels 0..255. Raises ImageRefused: see errors.py."""
    with open_image(path, limits) as image:
        grey = _to_grey(image)
    grey = ImageEnhance.Contrast(grey).enhance(CONTRAST)
    return _resize(_centre(_crop(_enlarge(grey))))


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
        raise BlankImage("one colour all over")
    stretched = np.zeros(256, np.uint32)
    stretched[lowest : highest + 1] = np.linspace(0, 255, highest - lowest + 1, dtype=np.uint8)
    red, green, blue = (stretched * weight for weight in _GREY_WEIGHTS)
    rounded = np.uint32(1 << (_GREY_BITS - 1))
    strips = [
        ((red[strip[..., 0]] + green[strip[..., 1]] + blue[strip[..., 2]] + rounded) >> _GREY_BITS).astype(
            np.uint8
        )
        for strip in kept or _list_strips(image)
    ]
    return Image.fromarray(np.concatenate(strips))


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


def _crop(image: Image.Image) -> Image.Image:
    drawn = np.asarray(image) <= DRAWN_BELOW
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    if not rows.size:
        raise BlankImage("nothing on it is dark enough to be a drawing")
    return image.crop((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1))


def _centre(image: Image.Image) -> Bytes:
    side = max(int(1.2 * max(image.size)), IMAGE_SIDE)
    square = Image.new("L", (side, side), "white")
    square.paste(image, (int((side - image.width) / 2), int((side - image.height) / 2)))
    return np.asarray(ImageEnhance.Brightness(square).enhance(BRIGHTNESS))


def _resize(square: Bytes) -> Floats:
    """TensorFlow's ScaleAndTranslate, gaussian, in its order of additions: rows first, then columns."""
    starts, weights = _spans(square.shape[0])
    rows = _blend(square.astype(np.float32), starts, weights)
    return np.ascontiguousarray(_blend(np.ascontiguousarray(rows.T), starts, weights).T)


def _blend(lines: Floats, starts: npt.NDArray[np.int64], weights: Floats) -> Floats:
    """Sums of weighted lines, (IMAGE_SIDE, width), added tap by tap."""
    total = np.zeros((IMAGE_SIDE, lines.shape[1]), np.float32)
    part = np.empty_like(total)
    for tap in range(weights.shape[1]):
        np.take(lines, starts + tap, axis=0, out=part, mode="clip")
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
