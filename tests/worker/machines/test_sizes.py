"""What common sizes carry stands in the docs as the gate says: `python -m tools.machine_size_tables`."""

from __future__ import annotations

import pytest

from tools.machine_size_tables import DOCS, Size, fill_tables, workers_on
from worker.settings import Settings


def test_the_docs_have_the_table_as_the_gate_says() -> None:
    text = DOCS.read_text()
    assert "| Azure Standard_F16s_v2 | 16 | 32 GB |" in text
    assert fill_tables(text) == text


@pytest.mark.parametrize(
    ("size", "engine", "workers"),
    [
        (Size("balanced", 16, 64), "onnx", (12, "CPU")),  # 75 % of the cores, reached by the twelfth
        (Size("lean", 16, 32), "upstream", (6, "memory")),  # 90 % of 34.4 GB over 5 GB, less the system's
        (Size("tiny", 2, 4), "upstream", (0, "memory")),
    ],
)
def test_the_limit_that_binds_is_named(size: Size, engine: str, workers: tuple[int, str]) -> None:
    assert workers_on(size, Settings.model_validate({"decimer_engine": engine})) == workers
