"""Open an image file from anywhere: what is too large is refused before it is decoded, and all by name."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from cloud_monitor.system.text import error_text
from worker.decimer.errors import (
    DamagedImage,
    EmptyFile,
    ImageRefused,
    MissingImage,
    TooManyBytes,
    TooManyPixels,
    TruncatedImage,
)
from worker.decimer.images.formats import HEIF, PDF, explain_unidentified, formats_of
from worker.decimer.images.frames import ANIMATIONS, are_read_each, count_frames
from worker.decimer.images.pdf import count_pdf_pages, render_page
from worker.errors import HostFault, is_of_process

LONGEST_SIDE = 32_768  # pixels: what a side costs beside the pixels stays within 200 MB
_ORIENTATION = 0x0112  # EXIF's tag
_TRUNCATED_SIGNS = ("truncat", "not enough", "unexpected end", "end of", "incomplete")


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Largest file and image that are read."""

    bytes: int
    pixels: int


@dataclass(frozen=True, slots=True)
class OpenedPage:
    """A decoded page; `orientation` is what EXIF asks for where that is not as it lies (2 to 8)."""

    image: Image.Image
    pages: int  # of the file
    orientation: int | None = None


@contextlib.contextmanager
def open_image(path: Path, limits: ImageLimits, page: int = 1) -> Iterator[OpenedPage]:
    """Give a page, from 1 on: of a TIFF, an animation or a PDF, the one picture of any other file. Raises
    ImageRefused, and HostFault where no image can be read now.
    """
    with _opened(path, limits) as image:
        if image is None:
            yield OpenedPage(*render_page(path, page, limits.pixels, LONGEST_SIDE))
            return
        pages = _count_frames(path, image)
        if page > 1:
            if page > pages:
                raise MissingImage(f"there is no page {page}: the file has {pages}")
            if image.format in ANIMATIONS:  # it makes those before on the way
                check_size(*image.size, limits)
            image.seek(page - 1)
        check_size(*image.size, limits)
        image.load()
        orientation = image.getexif().get(_ORIENTATION, 1)
        yield OpenedPage(image, pages, orientation if orientation in range(2, 9) else None)


def count_pages(path: Path, limits: ImageLimits) -> int:
    """Those that are read, each by its number: 1 of a file that is read as its first. Raises ImageRefused,
    HostFault.
    """
    with _opened(path, limits) as image:
        pages = count_pdf_pages(path) if image is None else _count_frames(path, image)
        kind, pixels = (PDF, 0) if image is None else (image.format, image.width * image.height)
    return pages if are_read_each(pages, kind, pixels) else 1


def check_size(width: int, height: int, limits: ImageLimits) -> None:
    if width * height > limits.pixels:
        raise TooManyPixels(f"{width} x {height}; at most {limits.pixels:,} pixels are read")
    if max(width, height) > LONGEST_SIDE:
        raise TooManyPixels(f"{width} x {height}; a side may have {LONGEST_SIDE:,} pixels at most")


@contextlib.contextmanager
def _opened(path: Path, limits: ImageLimits) -> Iterator[Image.Image | None]:
    """The file's header read; None for a PDF."""
    _check_file(path, limits)
    with _translate_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large and odd images; we refuse or read them
        formats = _list_formats(path)
        if PDF in formats:
            yield None
            return
        try:
            image = Image.open(path, formats=formats)
        except UnidentifiedImageError:
            raise explain_unidentified(path) from None
        with image:
            yield image


def _count_frames(path: Path, image: Image.Image) -> int:
    by_library = int(getattr(image, "n_frames", 1)) if image.format not in ("TIFF", "GIF") else 1
    return count_frames(path, image.format, by_library)


def _check_file(path: Path, limits: ImageLimits) -> None:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(status.st_mode):  # opening a fifo would wait for ever
            raise MissingImage("not a regular file")
        path.open("rb").close()
    except (OSError, ValueError) as error:  # the latter: a name with NUL
        _blame_process(error)
        raise MissingImage(getattr(error, "strerror", None) or f"cannot be opened ({error})") from None
    if status.st_size == 0:
        raise EmptyFile("0 bytes")
    if status.st_size > limits.bytes:
        raise TooManyBytes(f"{status.st_size:,} bytes; at most {limits.bytes:,} are read")


def _list_formats(path: Path) -> tuple[str, ...]:
    """HEIF's library takes as long to import as Pillow, so it is only for files that begin as HEIF does."""
    formats = formats_of(path)
    if HEIF in formats:
        from pillow_heif import register_heif_opener

        register_heif_opener(thumbnails=False)
    return formats


@contextlib.contextmanager
def _translate_errors() -> Iterator[None]:
    """Decoders fail in every way there is on hostile bytes; each becomes a named refusal of this image. Where
    memory ends nobody knows whose fault that is: whoever reads images alone after such an end finds out.
    """
    try:
        yield
    except (ImageRefused, HostFault, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise TooManyPixels("a decompression bomb by its header") from None
    except Exception as error:  # noqa: BLE001 - see above
        _blame_process(error)
        text = error_text(error)[:120] or type(error).__name__
        if "security limit" in text.lower():  # libheif's own, before we see the size
            raise TooManyPixels(text) from None
        if isinstance(error, EOFError) or any(sign in text.lower() for sign in _TRUNCATED_SIGNS):
            raise TruncatedImage(text) from None
        raise DamagedImage(text) from None


def _blame_process(error: Exception) -> None:
    """Raises HostFault for what says nothing about the file."""
    if isinstance(error, OSError) and is_of_process(error):
        raise HostFault(f"images cannot be read: {error.strerror}") from None
