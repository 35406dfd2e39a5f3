"""Open an image file from anywhere: what is too large is refused before it is decoded, and all by name."""

import contextlib
import errno
import os
import stat
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from worker.decimer.errors import (
    DamagedImage,
    EmptyFile,
    ImageRefused,
    MissingImage,
    NotAnImage,
    TooManyBytes,
    TooManyPixels,
    TruncatedImage,
)

# Pillow knows more; some start other programs (EPS) or are read by nobody's scanner.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
HEIF = "HEIF"
_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"RIFF....WEBP": "WEBP",
    b"....ftyp": "HEIF",
}
_TRUNCATED_SIGNS = ("truncat", "not enough", "unexpected end", "end of", "incomplete")


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Largest image that is read. `pixels` counts the square over its longer side: what it becomes."""

    bytes: int
    pixels: int


@contextlib.contextmanager
def open_image(path: Path, limits: ImageLimits) -> Iterator[Image.Image]:
    """Give the decoded first frame. Raises ImageRefused."""
    _check_file(path, limits)
    with _translate_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large and odd images; we refuse or read them
        try:
            image = Image.open(path, formats=_list_formats(path))
        except UnidentifiedImageError:
            raise _explain_unidentified(path) from None
        with image:
            width, height = image.size
            if max(width, height) ** 2 > limits.pixels:
                raise TooManyPixels(
                    f"{width} x {height}; its square may have {limits.pixels:,} pixels at most"
                )
            image.load()
            yield image


def _check_file(path: Path, limits: ImageLimits) -> None:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(status.st_mode):  # opening a fifo would wait for ever
            raise MissingImage("not a regular file")
        path.open("rb").close()
    except OSError as error:
        raise MissingImage(error.strerror or "cannot be opened") from None
    if status.st_size == 0:
        raise EmptyFile("0 bytes")
    if status.st_size > limits.bytes:
        raise TooManyBytes(f"{status.st_size:,} bytes; at most {limits.bytes:,} are read")


def _list_formats(path: Path) -> tuple[str, ...]:
    """HEIF's library takes as long to import as Pillow, so it is only for files that begin as HEIF does."""
    with path.open("rb") as file:
        if file.read(8)[4:] != b"ftyp":
            return FORMATS
    from pillow_heif import register_heif_opener

    register_heif_opener(thumbnails=False)
    return (*FORMATS, HEIF)


def _explain_unidentified(path: Path) -> ImageRefused:
    with path.open("rb") as file:
        start = file.read(16)
    for signature, name in _SIGNATURES.items():
        pairs = zip(signature, start, strict=False)
        if len(start) >= len(signature) and all(ours in (theirs, ord(".")) for ours, theirs in pairs):
            return DamagedImage(f"begins as {name} does, but its header cannot be read")
    return NotAnImage("in none of the formats that are read: " + ", ".join((*FORMATS, HEIF)))


@contextlib.contextmanager
def _translate_errors() -> Iterator[None]:
    """Decoders fail in every way there is on hostile bytes; each becomes a named refusal of this image."""
    try:
        yield
    except ImageRefused:
        raise
    except Image.DecompressionBombError:
        raise TooManyPixels("a decompression bomb by its header") from None
    except Exception as error:  # noqa: BLE001 - see above
        text = " ".join(str(error).split())[:120] or type(error).__name__
        if isinstance(error, EOFError) or any(sign in text.lower() for sign in _TRUNCATED_SIGNS):
            raise TruncatedImage(text) from None
        raise DamagedImage(text) from None
