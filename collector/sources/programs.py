"""Start a program of the operator, without a shell, and take what it prints."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO

from cloud_monitor.system import progress
from cloud_monitor.system.process import die_with_parent

_KEPT = ("COLLECTOR_GRID", "COLLECTOR_HOST")
_OWN_PREFIXES = (
    "COLLECTOR_", "WEBAPP_", "WORKER_", "CLOUD_MONITOR_", "NOTIFY_SOCKET", "LISTEN_", "CREDENTIALS_DIRECTORY",
    "STATE_DIRECTORY",
)  # fmt: skip

OUTPUT_BYTES_MAX = 32 << 20


class ProgramFailed(Exception):
    """A program could not be started, failed, or printed too much; says which and why."""


def split_command(command: str) -> list[str]:
    """The words of a command line, quoted as in a shell."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ProgramFailed(f"{command!r}: {error}") from None
    if not words:
        raise ProgramFailed("an empty command")
    return words


def program_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What a program gets: without Cloud Monitor's settings, which hold passwords (the names of grid and host
    apart), and without what systemd tells its own services."""
    return {
        name: value
        for name, value in environment.items()
        if name in _KEPT or not name.upper().startswith(_OWN_PREFIXES)
    }


def run_program(words: Sequence[str]) -> str:
    """Standard output as text. The calling process is killed at its deadline, and the program with it."""
    progress.report(f"running {words[0]}")
    with tempfile.TemporaryFile() as errors:
        try:
            program = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=program_environment(os.environ),
                preexec_fn=die_with_parent,
            )
        except OSError as error:
            raise ProgramFailed(f"{words[0]}: {error.strerror}") from None
        with program:
            assert program.stdout is not None
            output = program.stdout.read(OUTPUT_BYTES_MAX + 1)
            if len(output) > OUTPUT_BYTES_MAX:
                program.kill()
                raise ProgramFailed(f"{words[0]}: printed more than {OUTPUT_BYTES_MAX} bytes")
        if program.returncode != 0:
            raise ProgramFailed(f"{words[0]}: ended with status {program.returncode}: {_last_line(errors)}")
    return output.decode("utf-8", "replace")


def _last_line(errors: IO[bytes]) -> str:
    errors.seek(max(0, errors.seek(0, 2) - 2000))
    lines = errors.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
