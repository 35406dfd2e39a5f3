"""How much disk an installation takes: the packages of some extras with all they depend on, and folders."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement

MB = 1024 * 1024


def packages_mb(extras: Iterable[str]) -> float:
    """Size of what `pip install '.[extras]'` installs, as it lies in this environment."""
    wanted = [("cloud-monitor", frozenset(extras))]
    seen: set[tuple[str, frozenset[str]]] = set()
    sizes: dict[str, int] = {}
    while wanted:
        name, chosen = item = wanted.pop()
        if item in seen:
            continue
        seen.add(item)
        distribution = importlib.metadata.distribution(name)
        if name != "cloud-monitor":
            sizes[_normal(name)] = sum(_size(Path(str(file.locate()))) for file in distribution.files or ())
        for text in distribution.requires or ():
            requirement = Requirement(text)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in chosen | {""}):
                wanted.append((requirement.name, frozenset(requirement.extras)))
    return sum(sizes.values()) / MB


def folder_mb(folder: Path) -> float:
    """Size of the files below a folder."""
    return sum(_size(path) for path in folder.rglob("*") if not path.is_symlink()) / MB


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
