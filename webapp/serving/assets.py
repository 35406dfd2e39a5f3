"""Static files under a path that carries the hash of them all: kept by browsers for ever, replaced at once.

One hash for the whole folder, in a folder of its own, lets ES modules import each other relatively.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "static"
TEMPLATES = Path(__file__).parent.parent / "templates"
MAX_AGE_S = 365 * 86400


def hash_of(*folders: Path) -> str:
    """Twelve hex digits over names and contents."""
    digest = sha256()
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()[:12]
