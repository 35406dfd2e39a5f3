"""What programs tell. Standard output that cannot be written (a full disk, a reader that has gone) is one
line, no traceback; lines that cron would mail each minute anew are told when they change.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloud_monitor.system.files import replace_file

_OF_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EPIPE)


@contextmanager
def guarded_output() -> Iterator[None]:
    """Whatever ends the block, what is buffered is written before; where that fails the program ends with
    code 1 and, but for a reader that has gone, a line that says why.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.filename is not None or error.errno not in _OF_OUTPUT:
            raise
        _discard_output()
        if error.errno != errno.EPIPE:
            print(f"error: cannot write to standard output: {error.strerror}", file=sys.stderr)
        sys.exit(1)


def _discard_output() -> None:
    """What is still buffered is not tried again at the interpreter's end."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # a stream without a descriptor
        pass


def changed_lines(lines: list[str], told: Path) -> list[str]:
    """The lines, or none where the run before has told the same; `told` keeps what that was."""
    text = "".join(f"{line}\n" for line in lines)
    try:
        if (told.read_text() if told.exists() else "") == text:
            return []
        told.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(told, text.encode("utf-8", "replace"))
    except (OSError, ValueError):
        pass  # the run itself tells what is wrong with its folder
    return lines
