"""What a group costs in a month, and whether it may grow (pure). Months are of UTC."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime


def month_start(now: float) -> float:
    day = datetime.fromtimestamp(now, UTC)
    return day.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()


def month_end(now: float) -> float:
    return month_start(month_start(now) + 32 * 86_400)


@dataclass(frozen=True, slots=True)
class MonthCost:
    spent: float  # since the month began
    per_hour: float  # of the machines there are
    projected: float  # at the month's end, should they all stay
    most: float | None  # the cap

    def with_another(self, price_per_hour: float) -> MonthCost:
        """With one machine more; what is projected is left as it was."""
        return replace(self, per_hour=self.per_hour + price_per_hour)

    @property
    def refusal(self) -> str:
        """Why the group does not grow; "" when it may. Another hour of what is there is reckoned in."""
        if self.most is None or self.spent + self.per_hour < self.most:
            return ""
        return (
            f"{self.spent:.2f} of {self.most:g} are spent this month, and {self.per_hour:.2f} an hour more:"
            " the group does not grow"
        )


def month_cost(spent: float, per_hour: float, now: float, most: float | None) -> MonthCost:
    return MonthCost(spent, per_hour, spent + per_hour * (month_end(now) - now) / 3600, most)
