"""What the documents for contributors name is there: files, and functions, classes and methods in them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from embedded.install import ADVICE

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("CONTRIBUTING.md", "docs/architecture.md")
# `folder/file.py`, `folder/file.py:name`, `folder/`; what is made while it runs has no folder before it
PLACE = re.compile(r"`((?:[\w.-]+/)+(?:[\w.-]+\.\w+)?)(?::([\w.]+))?`")


def named(document: str) -> list[tuple[str, str]]:
    return PLACE.findall((ROOT / document).read_text())


def names_in(module: Path) -> set[str]:
    """Functions and classes of a module, and the methods of its classes as Class.method."""
    found = set()
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
    return found


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_names_is_there(document: str) -> None:
    places = named(document)
    assert len(places) > 15
    missing = [place for place, _ in places if not (ROOT / place).exists()]
    missing += [
        f"{place}:{name}"
        for place, name in places
        if name and (ROOT / place).exists() and name not in names_in(ROOT / place)
    ]
    assert missing == [], f"{document} names what is not there"


def anchors_of(document: Path) -> set[str]:
    """Of its headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


PAGES = sorted(path for folder in ("", "apache", "docs") for path in (ROOT / folder).glob("*.md"))


@pytest.mark.parametrize("page", [pytest.param(path, id=str(path.relative_to(ROOT))) for path in PAGES])
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    broken = []
    for name, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text()):
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(f"{name}#{anchor}" if anchor else name)
    assert broken == []


def test_a_name_that_is_gone_is_found(tmp_path: Path) -> None:
    assert PLACE.findall("see `worker/a.py:Old.name` and `webapp/` but `/api/series`, `--check`, `a.py`") == [
        ("worker/a.py", "Old.name"),
        ("webapp/", ""),
    ]
    module = tmp_path / "a.py"
    module.write_text("def new():\n    pass\n\nclass One:\n    def of(self): ...\n")
    assert names_in(module) == {"new", "One", "One.of"}


def test_readme_says_which_python_each_part_needs() -> None:
    readme = " ".join((ROOT / "README.md").read_text().split())
    lowest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert f"needs Python {lowest.removeprefix('>=')} or later" in readme
    of_graphite = re.search(r"Graphite needs (Python [\d.]+ to [\d.]+)", ADVICE)
    assert of_graphite is not None
    assert of_graphite[0] in readme
    assert "where there is none (Debian 13, Ubuntu 24.04) VictoriaMetrics takes its place" in readme
    assert re.search(r"make run PYTHON=/usr/bin/(python3\.\d+).* on RHEL 9 .*dnf install \1\b", readme)


def test_troubleshooting_has_the_symptoms_that_people_come_with() -> None:
    headings = re.findall(r"^\*\*(.+?)\*\*", (ROOT / "docs/troubleshooting.md").read_text(), re.MULTILINE)
    for symptom in (
        "target as down", "No data", "stale", "refused", "port is taken", "from HTCondor", "stands still",
    ):  # fmt: skip
        assert any(symptom in heading for heading in headings), symptom


INSTALLED = "/opt/cloud-monitor/.venv/bin/"
COMMAND = re.compile(r"(\S*)cloud-monitor-(collector|webapp|worker) (?=--|[a-z])([^`\n|]*)")


def test_commands_for_an_installed_system_work_as_pasted() -> None:
    """The environment's path is whole, and settings that `setup --system` makes are named: the file of
    the collector, the variables of the worker; the page finds its own."""
    wrong = []
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "apache/README.md"]
    commands = 0
    for page in pages:
        for paragraph in re.split(r"\n\s*\n", page.read_text()):
            for line in paragraph.splitlines():
                found = COMMAND.search(line)
                if found is None or re.search(r"systemctl|journalctl", line):
                    continue
                commands += 1
                where, part, arguments = found.groups()
                is_whole = where.lstrip("`'\"").endswith(INSTALLED)
                settings = {
                    "collector": arguments.startswith("--config /etc/cloud-monitor/collector.toml"),
                    "worker": ". /etc/cloud-monitor/worker.env" in paragraph or "in the same shell" in line,
                    "webapp": True,
                }[part]
                if not is_whole or not (settings or arguments.startswith(("setup", "--version"))):
                    wrong.append(f"{page.name}: {line.strip()}")
    assert wrong == []
    assert commands > 10


def test_make_has_the_targets_that_contributors_are_told() -> None:
    told = set(re.findall(r"`?make ([a-z-]+)", (ROOT / "CONTRIBUTING.md").read_text()))
    makefile = (ROOT / "Makefile").read_text()
    assert told - set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)) == set()


def test_hooks_before_a_commit_are_the_checks_of_make_and_download_nothing() -> None:
    (source,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert source["repo"] == "local"
    entries = {hook["entry"].split(" --")[0].removeprefix(".venv/bin/") for hook in source["hooks"]}
    checks = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert checks is not None
    commands = {line.split("$(BIN)/")[1].split(" --")[0].strip() for line in checks[1].splitlines()}
    assert entries == {command for command in commands if not command.startswith("pytest")}


def test_scripts_in_python_are_checked_whatever_their_name() -> None:
    """Hooks find them by their first line, `ruff check` by its settings alone."""

    def lines_of(*command: str) -> list[str]:
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return ended.stdout.splitlines()

    listed = lines_of(sys.executable, "-m", "ruff", "check", "--show-files")
    shown = {Path(line).relative_to(ROOT) for line in listed}
    scripts = {
        Path(name)
        for name in lines_of("git", "ls-files")
        if re.match(rb"#!.*\bpython", (ROOT / name).open("rb").readline(80))
    }
    assert Path("tools/install-nova") in scripts
    assert scripts - shown == set()
