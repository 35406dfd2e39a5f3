"""How sure an answer is: the least of its tokens' confidences, and their mean (docs/decimer.md says how
well each tells right from wrong, on drawings with known answers).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

BANDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)  # of least confidence: where each begins
DOUBTFUL_BELOW = 0.6  # least confidence: under it three of four answers are wrong


def least_confidence(confidences: Sequence[float]) -> float | None:
    """None where nothing was read: of an error, or of an answer without tokens."""
    return min(confidences, default=None)


def mean_confidence(confidences: Sequence[float]) -> float | None:
    return math.fsum(confidences) / len(confidences) if confidences else None


def written(confidence: float) -> float:
    """As results give it: to six digits, more than the engine's own precision says."""
    return round(confidence, 6)


def written_or_none(confidence: float | None) -> float | None:
    return None if confidence is None else written(confidence)


def band_of(least: float) -> int:
    """Which of BANDS it is in."""
    return bisect_right(BANDS, least) - 1


def band_text(band: int) -> str:
    if band == 0:
        return f"below {BANDS[1]:g}"
    if band == len(BANDS) - 1:
        return f"{BANDS[band]:g} and more"
    return f"{BANDS[band]:g} to {BANDS[band + 1]:g}"
