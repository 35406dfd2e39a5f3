"""A batch's results as SDF, written by a process of its own: RDKit takes much memory, and answers are read by
it that no chemist wrote. Whoever asks is told by a pipe, since the database's address has a password in it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, BinaryIO

from cloud_monitor.system.process import die_with_parent
from worker.answers.chemistry import Chemist
from worker.exports.base import CHEMISTRY, WITHOUT_LISTS
from worker.exports.export import with_chemistry
from worker.exports.sdf import SdfFormat
from worker.queue.model import QueueError
from worker.review.choice import ResultFilter
from worker.review.export import chosen_keys, export_rows, export_rows_at
from worker.review.reviewed import NO_VERDICTS, Verdicts

_MEMORY_MAX = 4 * 2**30  # of addresses, of which RDKit takes half a GB
_PIECE = 2**16


def has_chemistry() -> bool:
    """Whether RDKit is installed (extra `chemistry`)."""
    return importlib.util.find_spec("rdkit") is not None


def sdf_pieces(
    url: str, batch: str | None, chosen: ResultFilter | None = None, verdicts: Verdicts = NO_VERDICTS
) -> Iterator[bytes]:
    """All results, or what is chosen of a batch's. The process ends with the iteration, also where that is
    broken off; it knows no reviews, and is told which results these leave. Raises QueueError where it ended
    with less than all.
    """
    asked: dict[str, Any] = {"url": url, "batch": batch, "chosen": chosen and asdict(chosen), "keys": None}
    if batch is not None and chosen is not None and chosen.review:
        asked["keys"] = chosen_keys(url, batch, chosen, verdicts)
    # Under mod_wsgi the interpreter is the system's, which knows nothing of an environment's packages
    path = os.pathsep.join(filter(None, sys.path))
    writer = subprocess.Popen(
        [sys.executable, "-P", "-m", "worker.review.sdf"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path, "MALLOC_ARENA_MAX": "1"},
        start_new_session=True,
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    try:
        with writer.stdin:
            writer.stdin.write(json.dumps(asked).encode())
        while piece := os.read(writer.stdout.fileno(), _PIECE):
            yield piece
        if writer.wait() != 0:
            raise QueueError(f"the process that writes SDF ended with status {writer.returncode}")
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()


def write_sdf(asked: BinaryIO, stream: BinaryIO) -> None:
    wanted = json.loads(asked.read())
    add = with_chemistry(Chemist(), with_molfile=True)
    if wanted["keys"] is not None:
        rows = export_rows_at(wanted["url"], [(chunk, number) for chunk, number in wanted["keys"]])
    else:
        chosen = wanted["chosen"] and ResultFilter(**wanted["chosen"])
        rows = export_rows(wanted["url"], wanted["batch"], chosen)
    SdfFormat().write(add(rows), stream, (*WITHOUT_LISTS, *CHEMISTRY))
    stream.flush()


if __name__ == "__main__":
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_MAX, _MEMORY_MAX))
    write_sdf(sys.stdin.buffer, sys.stdout.buffer)
