"""Cloud Scheduler's JSON, where a number may come as text, as true, or not at all (pure)."""

from __future__ import annotations

import math

from cloud_monitor.inventory import YEAR_2100_S

COUNT_MAX = 10**9


class NotCloudStatus(ValueError):
    """The text is not what Cloud Scheduler answers, or its command prints."""


class NotNumber(ValueError):
    """A field that should hold a number holds something else."""


def parse_number(value: object) -> float | None:
    """The number; None where there is none (absent, null, "", "None"). NotNumber for anything else."""
    if value is None or (isinstance(value, str) and value.strip() in ("", "None", "null")):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise NotNumber(f"{value!r:.60} is not a number") from None
    if not math.isfinite(number):
        raise NotNumber(f"{value!r:.60} is not a finite number")
    return number


def parse_time(value: object) -> int | None:
    """Unix time in whole seconds; None where it is no number, or not of our days."""
    return _whole(value, 1, YEAR_2100_S)


def parse_count(value: object) -> int | None:
    """A count; None where it is none."""
    return _whole(value, 0, COUNT_MAX)


def _whole(value: object, least: int, bound: int) -> int | None:
    try:
        number = parse_number(value)
    except NotNumber:
        return None
    return int(number) if number is not None and least <= number < bound else None


def parse_truth(value: object) -> bool | None:
    """true, 1, "1", "True", "yes" and their opposites; None where there is none."""
    if isinstance(value, str) and value.strip().lower() in ("true", "yes", "false", "no"):
        return value.strip().lower() in ("true", "yes")
    number = parse_number(value)
    return None if number is None else number != 0
