"""The calibration's table, from answers to known drawings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.worker.fleet import ROOT


def test_the_table_counts_by_band(tmp_path: Path) -> None:
    answers = [
        ("a/1.png", "CCO", 0.95),
        ("b/2.png", "C[C@H](N)C(=O)O", 0.9),
        ("3.png", "C1", 0.3),
        ("unknown.png", "C", 0.3),
        ("4.png", None, None),
    ]
    truth = [("1.png", "OCC"), ("2.png", "C[C@@H](N)C(=O)O"), ("3.png", "C"), ("4.png", "C")]
    write(
        tmp_path / "answers",
        [{"file": f, "smiles": smiles, "least_confidence": least} for f, smiles, least in answers],
    )
    write(tmp_path / "truth", [{"file": f, "smiles": smiles} for f, smiles in truth])
    command = [sys.executable, "-m", "tools.calibrate", tmp_path / "answers", tmp_path / "truth"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[2:] == [
        "| below 0.5 | 1 | 0 % | 0 % |",
        "| 0.9 and more | 2 | 50 % | 100 % |",
    ]


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
