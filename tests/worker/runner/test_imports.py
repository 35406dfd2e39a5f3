"""What a worker's process loads before it has an image: each megabyte and second counts once per worker."""

from __future__ import annotations

import subprocess
import sys

from tests.worker.fleet import ROOT

HEAVY = {"numpy", "onnxruntime", "pyarrow", "PIL", "rich", "azure", "alembic", "opentelemetry"}


def test_a_worker_loads_nothing_heavy_that_it_may_not_need() -> None:
    program = "import sys, worker.runner.runner; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True).stdout
    assert HEAVY & set(loaded.decode().split()) == set()
