"""How often answers are right, by how sure they are: the table of docs/decimer.md, from drawings with known
answers. `python -m tools.calibrate ANSWERS TRUTH`

ANSWERS: JSON lines of `recognise --json` or `results --format jsonl`. TRUTH: JSON lines with `file` (its name
counts, folders do not) and `smiles` or `inchikey`. Needs the extra `chemistry`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from worker.answers.chemistry import Chemist

EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)
SKELETON = 14  # characters of an InChIKey that say all but stereo and isotopes


class Judged(NamedTuple):
    least: float
    is_right: bool
    is_right_but_for_stereo: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("answers", type=Path)
    parser.add_argument("truth", type=Path)
    options = parser.parse_args()
    chemist = Chemist()
    truth = {
        PurePosixPath(row["file"]).name: row.get("inchikey") or chemist.describe(row["smiles"]).inchikey
        for row in read_lines(options.truth)
    }
    for line in table(judge(chemist, read_lines(options.answers), truth)):
        print(line)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def judge(
    chemist: Chemist, answers: Iterable[Mapping[str, Any]], truth: Mapping[str, str]
) -> Iterator[Judged]:
    """Of answers with a known truth; an answer that RDKit refuses is wrong."""
    for answer in answers:
        known = truth.get(PurePosixPath(answer.get("file") or answer["image"]).name)
        if known and answer["least_confidence"] is not None:
            key = chemist.describe(answer["smiles"]).inchikey
            yield Judged(answer["least_confidence"], key == known, key[:SKELETON] == known[:SKELETON])


def table(judged: Iterable[Judged]) -> Iterator[str]:
    """In Markdown; a row for each band that has answers."""
    rows = list(judged)
    yield "| least confidence | answers | right | right but for stereo |"
    yield "|---|---|---|---|"
    for low, high in zip(EDGES, (*EDGES[1:], float("inf")), strict=True):
        band = [row for row in rows if low <= row.least < high]
        if band:
            right = 100 * sum(row.is_right for row in band) / len(band)
            but_for_stereo = 100 * sum(row.is_right_but_for_stereo for row in band) / len(band)
            yield f"| {band_text(low, high)} | {len(band)} | {right:.0f} % | {but_for_stereo:.0f} % |"


def band_text(low: float, high: float) -> str:
    if low == 0:
        return f"below {high:g}"
    return f"{low:g} and more" if high > 1 else f"{low:g} to {high:g}"


if __name__ == "__main__":
    main()
