"""What is tracked says nothing of where packages come from or on which machine it was written."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Written with a break in each, so that this file is clean by its own rule.
FORBIDDEN = {
    "host of a package registry": r"py[p]i\.org|python[h]osted\.org|npm[j]s\.(org|com)|yarn[p]kg\.com"
    r"|deb\.[d]ebian\.org|\bpkg\.[d]ev\b|artifact[r]egistry",
    "index option": r"--(extra-)?index[-]url|--find[-]links\b(?!\s*\\?$)|PIP_[I]NDEX_URL",
    "path of a machine": r"(?<![\w.$~-])/(root|home/[a-z]\w*|Users/\w+|work|tmp/\w+)/(?=\w)",
}


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listing.decode().split("\0") if name and (ROOT / name).is_file()]


def findings(text: str) -> list[str]:
    """What of the forbidden is in a text, each with its kind."""
    return [
        f"{kind}: {found[0]}" for kind, pattern in FORBIDDEN.items() for found in re.finditer(pattern, text)
    ]


def test_no_tracked_file_names_a_registry_an_index_or_a_machine() -> None:
    problems = {}
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content and (found := findings(content.decode(errors="replace"))):
            problems[str(path.relative_to(ROOT))] = found
    assert problems == {}


@pytest.mark.parametrize(
    "text",
    [
        "--index" + "-url something",
        "https://" + "py" + "pi.org/simple",
        '"resolved": "ht' + "tps://registry." + "npm" + 'js.org/uplot"',
        "see " + "/home" + "/alice/x",
        'open("/' + 'root/x")',
    ],
)
def test_the_rule_finds(text: str) -> None:
    assert findings(text)


def test_lock_file_says_no_origin_and_pins_every_package() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    assert [name for name, entry in packages.items() if name and "version" not in entry] == []


@pytest.mark.parametrize("name", ["requirements.txt", "embedded/requirements.txt"])
def test_requirements_are_pinned(name: str) -> None:
    lines = [
        line for line in (ROOT / name).read_text().splitlines() if line and not line.lstrip().startswith("#")
    ]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.!+]+( ;.*)?", line)] == []


def test_what_users_named_is_at_the_top() -> None:
    top = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {
        "collector", "webapp", "worker", "wsgi", "apache", "tests", "requirements.txt", "README.md",
        "requirements-upstream.txt",
    } <= top  # fmt: skip
