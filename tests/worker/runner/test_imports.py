"""What a worker's process loads before it has an image: each megabyte and second counts once per worker."""

from __future__ import annotations

import subprocess
import sys

from tests.worker.fleet import ROOT

HEAVY = {"numpy", "onnxruntime", "pyarrow", "PIL", "rich", "azure", "alembic", "opentelemetry"}
OF_OTHERS = {"rdkit", "pypdfium2"}  # of exports, and of the process that draws PDF files


def test_a_worker_loads_nothing_heavy_that_it_may_not_need() -> None:
    program = "import sys, worker.runner.runner; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True).stdout
    assert HEAVY & set(loaded.decode().split()) == set()


def test_an_engine_at_work_loads_no_chemistry_and_no_pdfium() -> None:
    program = "import sys, worker.runner.runner, worker.decimer.engine; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True).stdout
    names = set(loaded.decode().split())
    assert "onnxruntime" in names
    assert OF_OTHERS & names == set()
