"""A small picture of what is drawn, for people who look through results: made of the grey levels that are
there anyway (well under a millisecond), and written as PNG later, by another thread than the recogniser's.

PNG and not WebP: every browser shows it, and the page can check it to the last byte without a library.
"""

from __future__ import annotations

import io
import logging
from contextlib import suppress

from PIL import Image

from worker.recognition import GreyThumbnail

log = logging.getLogger(__name__)

SIDE = 256  # pixels, the longer one
LEVELS = 16  # of grey: four bits a pixel; the eye sees no more at this size
_DARKER = [round(value * value / 255) for value in range(256)]  # thin lines fade as they shrink; paper stays
_LEVEL = [round(value * (LEVELS - 1) / 255) for value in range(256)]
_GREYS = [round(level * 255 / (LEVELS - 1)) for level in range(LEVELS) for _ in "RGB"]


def shrink(grey: Image.Image) -> GreyThumbnail | None:
    """Of a picture in grey ("L"), which stays as it is. None where it cannot be made: the answer is not lost
    for it.
    """
    try:
        factor = max(grey.size) // SIDE
        small = grey.reduce(factor).point(_DARKER) if factor > 1 else grey
        if max(small.size) > SIDE:
            ratio = SIDE / max(small.size)
            size = max(1, round(small.width * ratio)), max(1, round(small.height * ratio))
            small = small.resize(size, Image.Resampling.BILINEAR)
        return GreyThumbnail(small.width, small.height, small.tobytes())
    except Exception:
        with suppress(Exception):
            log.exception("a thumbnail could not be made")
        return None


def encode_png(thumbnail: GreyThumbnail) -> bytes:
    """About 3 kB of a drawing."""
    grey = Image.frombytes("L", (thumbnail.width, thumbnail.height), thumbnail.levels)
    image = Image.frombytes("P", grey.size, grey.point(_LEVEL).tobytes())
    image.putpalette(_GREYS)
    file = io.BytesIO()
    image.save(file, "PNG", bits=4, compress_level=6)
    return file.getvalue()
