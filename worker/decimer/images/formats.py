"""Which format a file has by its first bytes, whatever its name: what is read, what is known and not read,
and what may have several pages. Loads no library: whoever asks may need none.
"""

from __future__ import annotations

import re
from pathlib import Path

from worker.decimer.errors import DamagedImage, ImageRefused, NotAnImage

# Pillow knows more; some start other programs (EPS) or are read by nobody's scanner.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000")
HEIF, AVIF, PDF = "HEIF", "AVIF", "PDF"
HEAD = 1024  # bytes: a PDF may begin so late
_READ = {
    rb"\x89PNG\r\n\x1a\n": "PNG",
    rb"\xff\xd8\xff": "JPEG",
    rb"GIF8": "GIF",
    rb"II[*+]\0|MM\0[*+]": "TIFF",
    rb"RIFF....WEBP": "WEBP",
    rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51": "JPEG 2000",
    rb"....ftyp(?:heic|heix|hevc|heim|heis|mif1|msf1)": HEIF,
    rb"....ftypavi[fs]": AVIF,
}
_KNOWN = {  # sound files that are not read
    rb"....ftypcrx ": "CR3",
    rb"....ftyp(?:isom|iso\d|mp4\d|M4V |avc1|qt  )": "video",
    rb"\xff\x0a|\0\0\0\x0cJXL ": "JPEG XL",
    rb"8BPS": "PSD",
    rb"%!PS|\xc5\xd0\xd3\xc6": "PostScript",
    rb"\0\0[\x01\x02]\0": "ICO",
    rb"AT&TFORM": "DjVu",
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?(?:<!DOCTYPE svg.*?)?<svg": "SVG",
    rb"\s*(?:<!DOCTYPE html|<html)": "HTML",
    rb"PK\x03\x04": "ZIP (or an office document)",
    rb"\xd0\xcf\x11\xe0": "an older office document",
    rb"\x8aMNG|\x8bJNG": "MNG",
    rb"DDS ": "DDS",
    rb"\xd7\xcd\xc6\x9a|\x01\0\0\0": "WMF or EMF",
}
_PAGED = re.compile(
    rb"II[*+]\0|MM\0[*+]|GIF8|RIFF....WEBP|....ftyp(?:avi[fs]|hei|hev|mif1|msf1)|\x89PNG.*acTL|.{0,1000}%PDF-",
    re.DOTALL,
)


def formats_of(path: Path) -> tuple[str, ...]:
    """Those of Pillow's that the file may have; (PDF,) for a PDF."""
    head = _read_head(path)
    if b"%PDF-" in head and not _match(_READ, head):
        return (PDF,)
    kind = _match(_READ, head)
    if kind == AVIF:
        from PIL import features

        if not features.check("avif"):
            raise NotAnImage("AVIF is not read: this Pillow was built without it")
        return (*FORMATS, AVIF)
    return (*FORMATS, HEIF) if kind == HEIF else FORMATS


def explain_unidentified(path: Path) -> ImageRefused:
    head = _read_head(path)
    if kind := _match(_READ, head):
        return DamagedImage(f"begins as {kind} does, but its header cannot be read")
    if kind := _match(_KNOWN, head):
        return NotAnImage(f"{kind} is not read")
    return NotAnImage("in none of the formats that are read: " + ", ".join((*FORMATS, HEIF, AVIF, PDF)))


def may_have_pages(path: Path) -> bool:
    """False too for what cannot be opened."""
    try:
        with path.open("rb") as file:
            return _PAGED.match(file.read(HEAD)) is not None
    except (OSError, ValueError):  # the latter: a name with NUL
        return False


def _read_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def _match(signatures: dict[bytes, str], head: bytes) -> str | None:
    return next((name for sign, name in signatures.items() if re.match(sign, head, re.DOTALL)), None)
