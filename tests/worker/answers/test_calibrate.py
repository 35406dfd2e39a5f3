"""The calibration's tables, from answers to known drawings."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.worker.fleet import ROOT
from tools.calibrate import Judged, choose, resamples, split, threshold_table, wilson
from worker.answers.confidence import BANDS, band_of, band_text


def test_the_tables_count_by_band_and_by_note(tmp_path: Path) -> None:
    answers = [
        ("a/1.png", "CCO", 0.95, {}),
        ("b/2.png", "C[C@H](N)C(=O)O", 0.9, {"rotated": "EXIF orientation 6"}),
        ("3.png", "C1", 0.3, {"unparsable": "ring bond 1 is not closed"}),
        ("unknown.png", "C", 0.3, {}),
        ("4.png", None, None, {}),
        ("5.png", "C", 0.9, {}),
    ]
    truth = [("1.png", "OCC"), ("2.png", "C[C@@H](N)C(=O)O"), ("3.png", "C"), ("4.png", "C"), ("5.png", None)]
    write(
        tmp_path / "answers",
        [
            {"file": file, "smiles": smiles, "least_confidence": least, "notes": notes}
            for file, smiles, least, notes in answers
        ],
    )
    write(tmp_path / "truth", [{"file": file, "smiles": smiles} for file, smiles in truth])
    done = calibrate(tmp_path / "answers", tmp_path / "truth", "--below", "0.5")
    bands, thresholds, notes = (text.splitlines()[2:] for text in done.stdout.strip().split("\n\n"))
    assert bands == [
        "| below 0.5 | 1 | 0 % (0 to 79) | 0 % (0 to 79) |",
        "| 0.9 and more | 2 | 50 % (9 to 91) | 100 % (34 to 100) |",
    ]
    assert thresholds[0].startswith("| below 0.5 | 33 % (0 to 100) | 0 % (0 to 0) | 50 % (")
    assert notes == [
        "| `unparsable` | 1 | 100 % (21 to 100) |",
        "| `rotated` | 1 | 100 % (21 to 100) |",
        "| no note | 1 | 0 % (0 to 79) |",
    ]


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        ('{"file": "2.png", "smiles": "C"}\n', "no answer of "),
        ('{"file": "a/1.png", "smiles": "C"}\n{"file": "b/1.png", "smiles": "CC"}\n', "1.png is there twice"),
        ('{"file": "1.png", "smiles": "C"}\n{"file"\n', "truth, line 2: no JSON"),
        ('{"smiles": "C"}\n', "truth, line 1: no object with `file`"),
        (None, "truth: No such file or directory"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, truth: str | None, said: str) -> None:
    write(tmp_path / "answers", [{"file": "1.png", "smiles": "C", "least_confidence": 0.5}])
    if truth is not None:
        (tmp_path / "truth").write_text(truth)
    done = calibrate(tmp_path / "answers", tmp_path / "truth")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert said in line


def test_a_threshold_is_tried_on_drawings_that_did_not_choose_it() -> None:
    """Where confidence says nothing, the best threshold seems to say something on its own drawings alone."""
    chance = random.Random(3)
    noise = [Judged(chance.random(), chance.random() < 0.5, False) for _ in range(60)]
    for sample, others in list(resamples(noise))[:50]:
        assert not {id(row) for row in sample} & {id(row) for row in others}
        assert len(sample) == len(noise)
    own = split(noise, choose(noise))
    assert own.right_of_doubtful is not None
    assert own.right_of_others is not None
    assert own.right_of_others - own.right_of_doubtful > 0.1
    left_out = list(threshold_table(noise, 0.6))[3]
    below, above = (int(cell.split(" %")[0]) for cell in left_out.split(" | ")[2:4])
    assert abs(above - below) < 10


def test_the_threshold_is_where_right_and_wrong_part() -> None:
    rows = [Judged(least, least > 0.6, False) for least in (0.1, 0.3, 0.55, 0.62, 0.7, 0.9)]
    assert choose(rows) == 0.6
    assert split(rows, 0.6) == (0.5, 0, 1, 1)
    assert split(rows, 0.05) == (0, None, 0.5, 0)


@pytest.mark.parametrize(
    ("count", "of", "expected"), [(0, 10, (0, 0.2775)), (10, 10, (0.7225, 1)), (5, 10, (0.2366, 0.7634))]
)
def test_intervals_are_wilsons(count: int, of: int, expected: tuple[float, float]) -> None:
    assert wilson(count, of) == pytest.approx(expected, abs=1e-4)


def calibrate(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.calibrate", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_bands_are_those_of_the_documents_table() -> None:
    table = (ROOT / "docs" / "decimer.md").read_text().partition("| least confidence |")[2].splitlines()[2:]
    rows = [line.split("|")[1].strip() for line in table[: table.index("")]]
    assert rows == [band_text(band) for band in range(len(BANDS))]
    assert [band_of(least) for least in (0.0, 0.4999, 0.5, 0.6, 0.89, 0.9, 1.0)] == [0, 0, 1, 2, 4, 5, 5]


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
