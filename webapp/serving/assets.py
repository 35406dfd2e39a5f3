"""Static files under a path that carries the hash of them all: kept by browsers for ever, replaced at once.

One hash for the whole folder, in a folder of its own, lets ES modules import each other relatively.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "static"
TEMPLATES = Path(__file__).parent.parent / "templates"
MAX_AGE_S = 365 * 86400
_ENTRY, _CLASSIC = "main.js", "theme.js"  # the latter runs before the page is drawn, and is no module

# What pages ask for by name, and what their workers import; the scripts that js/main.js imports come with it.
NEEDED = (
    "icon.svg",
    "js/main.js",
    "js/theme.js",
    "page.css",
    "vendor/openchemlib.js",
    "vendor/uPlot.iife.min.js",
    "vendor/uPlot.min.css",
    "workers/structures.js",
)


class PartsMissing(Exception):
    """The installation lacks files that pages are made of; the message names them and the folder."""


def check_parts(folder: Path = FOLDER) -> None:
    """Raises PartsMissing unless everything that pages ask for is there."""
    if missing := [name for name in NEEDED if not (folder / name).is_file()]:
        raise PartsMissing(
            f"{', '.join(missing)} missing in {folder}: the page would be broken; "
            "install Cloud Monitor anew, from a whole wheel or checkout"
        )


@cache
def modules() -> tuple[str, ...]:
    """The modules of every page, named so that browsers ask for them at once, not one after the other."""
    names = sorted(path.name for path in (FOLDER / "js").glob("*.js"))
    return (_ENTRY, *(name for name in names if name not in (_ENTRY, _CLASSIC)))


@cache
def hash_of(*folders: Path) -> str:
    """Twelve hex digits over names and contents, as this process first found them."""
    digest = sha256()
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()[:12]
