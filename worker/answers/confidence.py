"""How sure an answer is: the least of its tokens' confidences, and their mean (docs/decimer.md says how
well each tells right from wrong, on drawings with known answers).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

DOUBTFUL_BELOW = 0.6  # least confidence: under it three of four answers are wrong


def least_confidence(confidences: Sequence[float]) -> float | None:
    """None where nothing was read: of an error, or of an answer without tokens."""
    return min(confidences, default=None)


def mean_confidence(confidences: Sequence[float]) -> float | None:
    return math.fsum(confidences) / len(confidences) if confidences else None
