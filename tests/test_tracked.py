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


def requirements_of(name: str) -> list[str]:
    """The requirements of a file, each on one line with its hashes, without comments."""
    lines = (ROOT / name).read_text().replace("\\\n", "").splitlines()
    return [" ".join(line.split()) for line in lines if line.strip() and not line.lstrip().startswith("#")]


PLAIN = ["constraints.txt"]
PINNED = r"[\w.-]+==[\w.!+]+( ; [^;]+)?"
TOGETHER = ["requirements.txt", "requirements-dev.txt"]  # in one environment
HASHED = [*TOGETHER, "requirements-upstream.txt", "embedded/requirements.txt"]


@pytest.mark.parametrize("name", PLAIN)
def test_requirements_are_pinned(name: str) -> None:
    found = requirements_of(name)
    assert found
    assert [line for line in found if not re.fullmatch(PINNED, line)] == []


@pytest.mark.parametrize("name", HASHED)
def test_requirements_are_pinned_by_hash(name: str) -> None:
    found = requirements_of(name)
    assert found
    hashed = PINNED + r"( --hash=sha256:[0-9a-f]{64})+"
    assert [line for line in found if not re.fullmatch(hashed, line)] == []


def test_what_is_installed_in_parts_has_the_same_pins() -> None:
    """constraints.txt is both files without their hashes, and no package has two versions."""
    hashed = {line.partition(" --hash=")[0].strip() for name in TOGETHER for line in requirements_of(name)}
    constraints = requirements_of("constraints.txt")
    assert sorted(hashed) == sorted(constraints)
    names = [line.partition("==")[0] for line in constraints]
    assert len(names) == len(set(names))


def test_a_plain_machine_gets_nothing_of_the_tests_and_clouds() -> None:
    """The first file is what collector, page and worker import; how it got there is pyproject.toml's."""
    plain = {line.partition("==")[0] for line in requirements_of("requirements.txt")}
    assert {"flask", "waitress", "htcondor", "onnxruntime", "psycopg-binary", "apprise"} <= plain
    assert not {"pytest", "mypy", "playwright", "moto", "boto3", "openstacksdk", "rdkit", "pyarrow"} & plain


def test_what_users_named_is_at_the_top() -> None:
    top = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {
        "collector", "webapp", "worker", "wsgi", "apache", "tests", "requirements.txt", "README.md",
        "requirements-upstream.txt", "requirements-dev.txt", "constraints.txt",
    } <= top  # fmt: skip
