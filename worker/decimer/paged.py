"""Whether a file may have several pages, by its first bytes and without a library: nearly none has."""

from __future__ import annotations

import re
from pathlib import Path

_PAGED = re.compile(
    rb"II[*+]\0|MM\0[*+]|GIF8|RIFF....WEBP|....ftyp(?:avi[fs]|hei|hev|mif1|msf1)|\x89PNG.*acTL|.{0,1000}%PDF-",
    re.DOTALL,
)
HEAD = 1024  # bytes


def may_have_pages(path: Path) -> bool:
    """False too for what cannot be opened."""
    try:
        with path.open("rb") as file:
            return _PAGED.match(file.read(HEAD)) is not None
    except (OSError, ValueError):  # the latter: a name with NUL
        return False
