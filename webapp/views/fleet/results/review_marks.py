"""Reviews as pages show them: of an answer, and how often a batch's answers were right by band. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloud_monitor.reviews import CORRECTED, RIGHT, SMILES_MAX, WRONG
from cloud_monitor.system.text import format_number, one_line
from webapp.pages.cells import NOTHING, Cell, day_and_time
from webapp.reviews import KeptReview

if TYPE_CHECKING:
    from worker.review import BandAgreement, ResultRow

VERDICT_WORDS = {RIGHT: "✓ right", WRONG: "✗ wrong", CORRECTED: "✎ corrected"}
REVIEW_CHOICES = (
    ("", "reviewed or not"),
    ("unreviewed", "not reviewed"),
    ("reviewed", "reviewed"),
    (RIGHT, "right"),
    (WRONG, "wrong or corrected"),
)
FEW = 10  # reviews, under which a share says little


def is_reviewable(row: ResultRow) -> bool:
    """Whether it has an answer that a review can be kept of, and a picture that it would be known by."""
    return bool(row.result.smiles and len(row.result.smiles) <= SMILES_MAX and row.result.sha256)


@dataclass(frozen=True, slots=True)
class ReviewMark:
    """`number` and `verdict` are None and "" where nobody has reviewed the answer."""

    number: int | None = None
    verdict: str = ""
    words: str = "not reviewed"
    corrected: str = ""  # what it is instead
    by: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class AgreementLine:
    band: str
    share: Cell
    width: float | None  # of 100, as the share
    counts: Cell


def review_mark(kept: KeptReview | None) -> ReviewMark:
    if kept is None:
        return ReviewMark()
    review = kept.review
    return ReviewMark(
        number=kept.number,
        verdict=review.verdict,
        words=VERDICT_WORDS[review.verdict],
        corrected=one_line(review.corrected_smiles or ""),
        by=one_line(review.reviewer),
        at=f"{day_and_time(review.reviewed_at)} UTC",
    )


def agreement_lines(bands: Sequence[BandAgreement]) -> tuple[AgreementLine, ...]:
    """The surest first; none where nothing was reviewed."""
    if not any(band.reviewed for band in bands):
        return ()
    return tuple(_line(band) for band in reversed(bands))


def _line(band: BandAgreement) -> AgreementLine:
    if not band.reviewed:
        return AgreementLine(band.text, Cell(NOTHING, "n m"), None, Cell("none reviewed", "t z"))
    share = 100 * band.right / band.reviewed
    counts = f"{format_number(band.right)} of {format_number(band.reviewed)}"
    is_few = band.reviewed < FEW
    return AgreementLine(
        band.text, Cell(f"{share:.0f} %", "n z" if is_few else "n"), round(share, 1),
        Cell(f"{counts}, few" if is_few else counts, "t z" if is_few else "t"),
    )  # fmt: skip
