"""What a worker process is made of."""

from __future__ import annotations

import subprocess
import sys

# What commands and other engines load; each would stay in the memory of every worker of a host.
NOT_OF_A_WORKER = {"alembic", "azure", "htcondor2", "numpy", "onnxruntime", "pyarrow", "requests", "rich"}


def test_a_worker_loads_no_library_that_it_does_not_use() -> None:
    program = "import sys, worker.__main__, worker.runner.runner; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {name.partition(".")[0] for name in done.stdout.split()} & NOT_OF_A_WORKER == set()
