"""Standard output that cannot be written (a full disk, a reader that has gone): one line, no traceback."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

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
