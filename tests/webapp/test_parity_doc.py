"""docs/parity.md names tests; each of them is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def named_tests() -> list[tuple[Path, str]]:
    """File and name of every test in the tables; a prefix ends in "...", `::name` is of the file before."""
    found: list[tuple[Path, str]] = []
    for line in (ROOT / "docs/parity.md").read_text().splitlines():
        file = Path()
        for text in re.findall(r"`((?:[\w/]+\.py)?(?:::[\w.]+)?)`", line):
            name, _, test = text.partition("::")
            if name:
                file = ROOT / name if "/" in name else ROOT / "tests/browser" / name
            if text:
                found.append((file, test))
    return found


def test_every_test_that_is_named_exists() -> None:
    named = named_tests()
    assert len(named) > 60
    missing = []
    for file, test in named:
        source = file.read_text() if file.is_file() else ""
        pattern = rf"def {re.escape(test.removesuffix('...'))}" + ("" if test.endswith("...") else r"\b")
        if not source or (test and not re.search(pattern, source)):
            missing.append(f"{file.relative_to(ROOT)}::{test}")
    assert not missing
