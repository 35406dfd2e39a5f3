"""Files of `NAME=value`: what is not told of reads alike by systemd's own parser, a shell and our reader."""

from __future__ import annotations

import ctypes
import os
import random
import subprocess
from pathlib import Path

import pytest

from cloud_monitor.setup import plan_setup
from cloud_monitor.system.environment_file import find_misread
from cloud_monitor.system.installation import File
from tests.services.needs import need
from tests.services.support import absent
from worker.settings import READER


def of_systemd(file: Path) -> dict[str, str]:
    """As a unit's EnvironmentFile= has it, by the function that systemd calls for that."""
    need("systemd-analyze")
    library = next(Path("/usr/lib").glob("*/systemd/libsystemd-shared-*.so"), None)
    if library is None:
        absent("systemd's library (Debian package systemd) is not installed")
    found = ctypes.POINTER(ctypes.c_char_p)()
    load = ctypes.CDLL(str(library)).load_env_file
    assert load(None, ctypes.c_char_p(bytes(file)), ctypes.byref(found)) >= 0
    lines = []
    while found and (line := found[len(lines)]) is not None:
        lines.append(line.decode())
    return dict(line.split("=", 1) for line in lines)


def of_shell(file: Path) -> dict[str, str]:
    told = subprocess.run(
        ["sh", "-c", f"set -a; . {file}; exec env -0"],
        env={"PATH": os.environ["PATH"], "HOME": "/home/nobody"},
        capture_output=True,
        check=True,
    )
    assert told.stderr == b""
    lines = (line.split("=", 1) for line in told.stdout.decode().split("\0") if line)
    return {name: value for name, value in lines if name not in ("PATH", "HOME", "PWD", "OLDPWD", "_")}


SECRET = "postgresql://fleet:p$a'ss@h/fleet?application_name=a;b"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("W=a#b,c/d:e@f%g+h=i~j", "a#b,c/d:e@f%g+h=i~j"),
        ("W='a;b $c `d` \\e #f & \"g\"'", 'a;b $c `d` \\e #f & "g"'),
        ('W="it\'s \\$5; \\"x\\" \\\\ \\y" \t', 'it\'s $5; "x" \\ \\y'),
        ("W=\n", ""),
        ("W='a\nb'\n", "a\nb"),
    ],
)
def test_what_reads_alike_is_not_told_of(text: str, value: str, tmp_path: Path) -> None:
    file = tmp_path / "file.env"
    file.write_bytes(text.encode())
    assert list(find_misread(file.read_bytes())) == []
    assert of_systemd(file) == of_shell(file) == {"W": value}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            f"\n\nWORKER_DATABASE_URL={SECRET}\n",
            "line 3: systemd and a shell do not read WORKER_DATABASE_URL",
        ),
        ("W=a b", "line 1: systemd and a shell do not read W alike: put its value, and nothing else"),
        ("W=a #b", "do not read W alike"),
        ('W="a$b"', "do not read W alike"),
        ("W='a' # why", "do not read W alike"),
        ("W='it'\\''s'", "do not read W alike"),
        ("W=a\\b", "do not read W alike"),
        ("W=~/x", "do not read W alike"),
        (" W = a", "do not read W alike"),
        ("export W=a", "systemd does not take W with `export` before it: leave that out"),
        ("; W=a", "line 1: it is neither NAME=VALUE nor a comment"),
        ("# a \\\nW=a", "line 1: a comment is one line without \\ at its end, which hides the next line"),
        ("# a\r\nW='b'\r\n", "has Windows' line ends, at which a shell stumbles"),
        ("# a\rW=a", "line 1: a comment"),
        ("\ufeffW=a", "begins with a byte order mark, and so its first line is not taken"),
    ],
)
def test_what_does_not_is_told_with_its_line_and_without_its_value(text: str, told: str) -> None:
    (line,) = find_misread(text.encode())
    assert told in line
    assert "p$a" not in line
    assert list(find_misread(b"W=a\nW=\xff\n")) == ["line 2 is not UTF-8: systemd refuses the whole file"]


def test_whatever_is_not_told_of_reads_alike(tmp_path: Path) -> None:
    """Of thousands of odd lines at once."""
    chance = random.Random(85)  # of 120 tried the one in whose lines a fault was
    lines = []
    for number in range(8_000):
        value = "".join(chance.choices("ab\"\"''\\$`;#&|<>()~*?!{}[] \t\r\n=,é", k=chance.randrange(7)))
        quote = chance.choice(("", '"', "'"))
        line = f"W{number}={quote}{value}{quote}\n"
        if not list(find_misread(line.encode())):
            lines.append(line)
    assert len(lines) > 500
    file = tmp_path / "file.env"
    file.write_bytes("".join(lines).encode())
    assert list(find_misread(file.read_bytes())) == []
    assert of_systemd(file) == of_shell(file)


def test_our_reader_takes_the_values_of_a_shell_that_read_windows_line_ends() -> None:
    environment = {"WORKER_STATE_DIR": "/srv/fleet\r", "AZURE_STORAGE_CONNECTION_STRING": "A=b;C=d\r"}
    settings = READER.read(environment)
    assert settings.state_dir == Path("/srv/fleet")
    assert settings.azure_connection_string.get_secret_value() == "A=b;C=d"


def test_first_settings_read_alike(tmp_path: Path) -> None:
    """Also with the examples in them taken out of their comments."""
    (first,) = (step for step in plan_setup("worker", "none") if isinstance(step, File))
    lines = first.text.splitlines()
    text = "".join(f"{line.removeprefix('# ')}\n" for line in lines if "=" in line)
    assert list(find_misread(first.text.encode())) == list(find_misread(text.encode())) == []
    (tmp_path / "file.env").write_text(text)
    values = of_systemd(tmp_path / "file.env")
    assert of_shell(tmp_path / "file.env") == values
    settings = READER.read(values)
    assert settings.database_url == "postgresql://fleet:SECRET@db.example.org/fleet"
    assert settings.storage_url == "/srv/drawings"
