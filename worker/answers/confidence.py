"""How sure an answer is: the least of its tokens' confidences, which tells right from wrong, and their mean,
which does not (docs/decimer.md has both measured on drawings with known answers).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

DOUBTFUL_BELOW = 0.6  # least confidence: under it more answers are wrong than right


def least_confidence(confidences: Sequence[float]) -> float | None:
    """None where nothing was read: of an error, or of an answer without tokens."""
    return min(confidences, default=None)


def mean_confidence(confidences: Sequence[float]) -> float | None:
    return math.fsum(confidences) / len(confidences) if confidences else None
