"""Programs of the operator: their lines become points, or are refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.sources.commands import LineRefused, collect_command, parse_line
from collector.sources.programs import ProgramFailed
from tests.collector.support import collector_environment, make_settings, run_collector, write_script

SETTINGS = make_settings(commands="disk pool = /bin/true; tape=/bin/true")
FURTHER = make_settings(owner="false", host="head2")


@pytest.mark.parametrize(
    ("line", "path", "value"),
    [
        ("drives 7", "grids.g.commands.tape.drives", 7.0),
        ("  library1.drives\t-1.5e3 ", "grids.g.commands.tape.library1.drives", -1500.0),
        ("grids.g.clouds.cern.api-vms.running 12", "grids.g.clouds.cern.api-vms.running", 12.0),
    ],
)
def test_lines_become_points(line: str, path: str, value: float) -> None:
    assert parse_line(line, SETTINGS, "tape") == (path, value)


def test_a_further_host_writes_into_its_own_tree() -> None:
    assert parse_line("drives 7", FURTHER, "tape").path == "grids.g.hosts.head2.commands.tape.drives"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("drives", "'drives' is not `path value`"),
        ("drives 7 8", "is not `path value`"),
        ("drives many", "'many' is not a number"),
        ("drives nan", "nan is not a finite number"),
        ("drives inf", "inf is not a finite number"),
        ("dri/ves 7", "'dri/ves' is not a path"),
        ("../../etc 7", "is not a path"),
        ("a..b 7", "is not a path"),
        ("a.b.c.d 7", "'a.b.c.d' is not in the catalog"),
        ("grids.other.clouds.cern.api-vms.running 1", "belongs to the grid other, not to g"),
    ],
)
def test_other_lines_are_refused_by_name(line: str, problem: str) -> None:
    with pytest.raises(LineRefused, match=problem.replace("[", r"\[").replace(".", r"\.")):
        parse_line(line, SETTINGS, "tape")


def test_refused_lines_are_complaints_and_the_others_count(tmp_path: Path) -> None:
    script = write_script(
        tmp_path / "tape", "printf '# head\\n\\ndrives 7\\nslots/x 1\\ndrives 8\\nfree 2\\n'"
    )
    collected = collect_command(make_settings(commands=f"tape = {script}"), "tape")
    assert dict(collected.values) == {"grids.g.commands.tape.drives": 7, "grids.g.commands.tape.free": 2}
    assert [text.partition(":")[0] for text in collected.complaints] == ["line 4", "line 5"]


def test_a_failing_program_is_named_with_its_last_words(tmp_path: Path) -> None:
    script = write_script(tmp_path / "tape", "echo drives 7; echo first >&2; echo no robot >&2; exit 9")
    with pytest.raises(ProgramFailed, match=r"tape: ended with status 9: no robot"):
        collect_command(make_settings(commands=f"tape = {script}"), "tape")


def test_no_shell_reads_the_command(tmp_path: Path) -> None:
    settings = make_settings(commands=f"tape = /bin/echo drives 7 > {tmp_path}/file")
    collected = collect_command(settings, "tape")
    assert len(collected.complaints) == 1
    assert not (tmp_path / "file").exists()


def test_a_command_gets_no_secrets_of_the_collector(tmp_path: Path) -> None:
    """Only the names that a command may want for its paths."""
    environment = collector_environment(
        tmp_path, "127.0.0.1:1", SOURCES="commands", CLOUDSCHEDULER_PASSWORD="hunter2",
        COMMANDS=f"env = {tmp_path / 'env'}",
    )  # fmt: skip
    script = f"env > {tmp_path}/told; echo drives 7"
    write_script(tmp_path / "env", script)
    ended = run_collector("--dry-run", environment={**environment, "KRB5CCNAME": "kept"})
    assert "grids.g.commands.env.drives 7" in ended.stdout
    told = (tmp_path / "told").read_text()
    assert "hunter2" not in told
    names = {line.partition("=")[0] for line in told.splitlines()}
    assert names >= {"PATH", "KRB5CCNAME", "COLLECTOR_GRID"}
    assert {name for name in names if name.startswith("COLLECTOR_")} == {"COLLECTOR_GRID"}
