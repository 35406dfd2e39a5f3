"""How often answers are right, by how sure they are and by their notes: the tables of docs/decimer.md, from
drawings with known answers. `python -m tools.calibrate ANSWERS TRUTH [--below 0.6]`

ANSWERS: JSON lines of `recognise --json` or `results --format jsonl`. TRUTH: JSON lines with `file` (its name
counts, folders do not) and `smiles` or `inchikey`. Needs the extra `chemistry`.

A threshold looks better on the drawings it was chosen on than on others. So `--below` is to be one that was
chosen elsewhere; and what choosing on these would give is said of drawings that were left out of the choice.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from worker.answers.chemistry import Chemist
from worker.answers.confidence import BANDS, DOUBTFUL_BELOW, band_of, band_text
from worker.answers.notes import NOTES

SKELETON = 14  # characters of an InChIKey that say all but stereo and isotopes
THRESHOLDS = tuple(step / 20 for step in range(1, 20))
RESAMPLES, SEED = 1_000, 1
NORMAL_95 = 1.959964


class Judged(NamedTuple):
    least: float
    is_right: bool
    is_right_but_for_stereo: bool
    notes: frozenset[str] = frozenset()


class Split(NamedTuple):
    """What a threshold makes of some answers, as shares; None where there is nothing to share."""

    doubtful: float | None
    right_of_doubtful: float | None
    right_of_others: float | None
    wrong_found: float | None  # of the wrong answers, those that are doubtful


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("answers", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--below", type=float, default=DOUBTFUL_BELOW, help="doubtful below this")
    options = parser.parse_args()
    chemist = Chemist()
    truth = read_truth(chemist, options.truth)
    judged = list(judge(chemist, read_lines(options.answers, "file", "image"), truth))
    if not judged:
        raise SystemExit(f"no answer of {options.answers} is to a file of {options.truth}")
    for lines in (table(judged), threshold_table(judged, options.below), note_table(judged)):
        print(*lines, "", sep="\n")


def read_truth(chemist: Chemist, path: Path) -> dict[str, str]:
    """InChIKeys by the names of files; "" where none is known. Exits where a name says two things."""
    truth: dict[str, str] = {}
    for row in read_lines(path, "file"):
        name = PurePosixPath(row["file"]).name
        key = row.get("inchikey") or chemist.describe(row.get("smiles") or "").inchikey
        if truth.setdefault(name, key) != key:
            raise SystemExit(f"{path}: {name} is there twice, with two structures: folders do not count")
    return truth


def read_lines(path: Path, *names: str) -> Iterator[dict[str, Any]]:
    """Exits where the file cannot be read, or a line has none of the fields."""
    number = 0
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                row = json.loads(line)
                if not isinstance(row, dict) or not any(name in row for name in names):
                    raise SystemExit(f"{path}, line {number}: no object with `{'` or `'.join(names)}`")
                yield row
    except OSError as error:
        raise SystemExit(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise SystemExit(f"{path}, line {number}: no JSON: {error}") from None


def judge(
    chemist: Chemist, answers: Iterable[Mapping[str, Any]], truth: Mapping[str, str]
) -> Iterator[Judged]:
    """Of answers with a known truth; an answer that RDKit refuses is wrong."""
    for answer in answers:
        known = truth.get(PurePosixPath(answer.get("file") or answer["image"]).name)
        if known and answer.get("least_confidence") is not None:
            key = chemist.describe(answer["smiles"]).inchikey
            yield Judged(
                answer["least_confidence"],
                key == known,
                key[:SKELETON] == known[:SKELETON],
                frozenset(answer.get("notes") or ()),
            )


def table(rows: Sequence[Judged]) -> Iterator[str]:
    """In Markdown; a row for each band that has answers."""
    yield "| least confidence | answers | right | right but for stereo |"
    yield "|---|---|---|---|"
    for number in range(len(BANDS)):
        band = [row for row in rows if band_of(row.least) == number]
        if band:
            right = share_text(sum(row.is_right for row in band), len(band))
            but_for_stereo = share_text(sum(row.is_right_but_for_stereo for row in band), len(band))
            yield f"| {band_text(number)} | {len(band)} | {right} | {but_for_stereo} |"


def share_text(count: int, of: int) -> str:
    """With the 95 % that the share of all such drawings lies in (Wilson's, which is sound for few too)."""
    low, high = wilson(count, of)
    return f"{100 * count / of:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def wilson(count: int, of: int) -> tuple[float, float]:
    """https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval#Wilson_score_interval"""
    share, square = count / of, NORMAL_95**2
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = NORMAL_95 / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def threshold_table(rows: Sequence[Judged], below: float) -> Iterator[str]:
    """`below` on these answers, with the middle 95 % of resamples of them; and a threshold chosen on each
    resample, on those answers that are not in it.
    """
    given, chosen, left_out = [], [], []
    for sample, others in resamples(rows):
        given.append(split(sample, below))
        chosen.append(choose(sample))
        left_out.append(split(others, chosen[-1]))
    yield f"| of {len(rows)} answers | doubtful | of these right | of the others right | of the wrong found |"
    yield "|---|---|---|---|---|"
    yield _split_row(f"below {below:g}", split(rows, below), given)
    middle = f"below {statistics.median(chosen):g} ({_range(chosen)}), chosen on others"
    yield _split_row(middle, None, left_out)


def _split_row(name: str, found: Split | None, resampled: Sequence[Split]) -> str:
    """Where nothing was found on all, the median of the resamples."""
    cells = []
    for index in range(len(Split._fields)):
        values = [value for each in resampled if (value := each[index]) is not None]
        shown = found[index] if found is not None else statistics.median(values or [math.nan])
        percents = [round(100 * value) for value in values]
        cells.append(f"{100 * shown:.0f} % ({_range(percents)})" if values and shown is not None else "-")
    return f"| {name} | {' | '.join(cells)} |"


def _range(values: Sequence[float]) -> str:
    """The middle 95 % of them."""
    ordered = sorted(values)
    low, high = (ordered[round(share * (len(ordered) - 1))] for share in (0.025, 0.975))
    return f"{low:g} to {high:g}"


def resamples(rows: Sequence[Judged]) -> Iterator[tuple[list[Judged], list[Judged]]]:
    """As many drawn with repetition, and those that were not drawn (a third); the same on every run."""
    chance = random.Random(SEED)
    for _ in range(RESAMPLES):
        drawn = chance.choices(range(len(rows)), k=len(rows))
        left = set(range(len(rows))).difference(drawn)
        if left:
            yield [rows[number] for number in drawn], [rows[number] for number in sorted(left)]


def choose(rows: Sequence[Judged]) -> float:
    """The threshold that tells right from wrong best: most of the wrong below and of the right above it, each
    as a share (Youden's index); of equals the lowest.
    """
    right = sorted(row.least for row in rows if row.is_right)
    wrong = sorted(row.least for row in rows if not row.is_right)

    def told(threshold: float) -> float:
        found = sum(least < threshold for least in wrong) / max(len(wrong), 1)
        return found - sum(least < threshold for least in right) / max(len(right), 1)

    return max(THRESHOLDS, key=lambda threshold: (round(told(threshold), 9), -threshold))


def split(rows: Sequence[Judged], below: float) -> Split:
    doubtful = [row for row in rows if row.least < below]
    others = [row for row in rows if row.least >= below]
    wrong = [row for row in rows if not row.is_right]
    return Split(
        _share(rows, lambda row: row.least < below),
        _share(doubtful, lambda row: row.is_right),
        _share(others, lambda row: row.is_right),
        _share(wrong, lambda row: row.least < below),
    )


def _share(rows: Sequence[Judged], holds: Callable[[Judged], bool]) -> float | None:
    return sum(map(holds, rows)) / len(rows) if rows else None


def note_table(rows: Sequence[Judged]) -> Iterator[str]:
    """Of the notes that any answer has, and of the answers without one."""
    yield f"| of {len(rows)} answers | have it | of these wrong |"
    yield "|---|---|---|"
    for name in NOTES:
        yield from _note_row(f"`{name}`", [row for row in rows if name in row.notes])
    yield from _note_row("no note", [row for row in rows if not row.notes])


def _note_row(name: str, rows: Sequence[Judged]) -> Iterator[str]:
    if rows:
        yield f"| {name} | {len(rows)} | {share_text(sum(not row.is_right for row in rows), len(rows))} |"


if __name__ == "__main__":
    main()
