"""What one value for many points of a metric is: their mean, largest, last or sum."""

from __future__ import annotations

from typing import Literal

Statistic = Literal["mean", "max", "last", "sum"]

MEAN: Statistic = "mean"  # a level: how much there was of it in the time
MAX: Statistic = "max"  # a wait, an age, a duration: the worst of the time is what is looked for
LAST: Statistic = "last"  # a sum that only grows, a limit, a countdown: as it stood at the end of the time
SUM: Statistic = "sum"  # each point counts what happened in its minute
