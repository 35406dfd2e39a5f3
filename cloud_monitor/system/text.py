"""Text that others wrote, made fit to be shown, and durations in words, told and read (pure)."""

from __future__ import annotations

import re
from itertools import pairwise

TEXT_LENGTH_MAX = 300
_ERROR_LENGTH_MAX = 500
_THIN_SPACE = " "  # narrow and unbreakable, between thousands
_READ_MAX = 4 * TEXT_LENGTH_MAX  # runs of blanks shrink, so a little more is looked at than shown


def one_line(text: str, length_max: int = TEXT_LENGTH_MAX) -> str:
    """For a list: what does not print (control, direction, half a pair) and runs of blanks become one space;
    what is too long ends in an ellipsis."""
    if len(text) <= length_max and " " not in text and text.isprintable():
        return text  # as nearly every name is
    line = " ".join(without_controls(text[:_READ_MAX], " ").split())
    if len(line) <= length_max and len(text) <= _READ_MAX:
        return line
    return line[: length_max - 1] + "…"


def without_controls(text: str, instead: str = "\ufffd") -> str:
    """For a terminal: as long as it is, with `instead` for each control character, which could move the
    cursor, colour, hide or turn what follows."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else instead for character in text)


def describe_error(error: BaseException) -> str:
    """Its class and text in one line, for whoever does not know the class."""
    return f"{type(error).__name__}: {error_text(error)}"


def error_text(error: BaseException) -> str:
    """Its text alone, in one line of bounded length."""
    return " ".join(str(error).split())[:_ERROR_LENGTH_MAX]


_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def duration_text(seconds: float | None) -> str:
    """The two largest units: `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`; a dash where nothing is known."""
    return "-" if seconds is None else _in_units(round(seconds))


def age_text(age_s: float) -> str:
    """As people say it: seconds only of the first minute, then `3 min`, `2 h 5 min`, `3 d 4 h`."""
    return _in_units(int(age_s) if age_s < 60 else int(age_s) // 60 * 60)


_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])", re.ASCII)
_SPAN_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_duration(text: str) -> float:
    """Seconds of a span as people give it: `30s`, `90m`, `4h`, `1.5d`. Raises ValueError that shows some."""
    span = _SPAN.fullmatch(text.strip())
    if span is None:
        raise ValueError(f"{text!r} is no time such as 30s, 10m, 4h or 2d")
    return float(span[1]) * _SPAN_UNITS_S[span[2]]


def _in_units(seconds: int) -> str:
    """A second unit that is 0 is left out."""
    for (name, size), (smaller_name, smaller) in pairwise(_UNITS):
        if seconds >= size:
            rest = seconds % size // smaller
            return f"{seconds // size} {name} {rest} {smaller_name}" if rest else f"{seconds // size} {name}"
    return f"{max(0, seconds)} s"


def format_number(value: float) -> str:
    """Integers in full, with thin spaces between thousands; other numbers with about three figures."""
    if value == int(value):
        return f"{int(value):,}".replace(",", _THIN_SPACE)
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2
    rounded = f"{value:,.{digits}f}"
    shortened = rounded.rstrip("0").rstrip(".") if "." in rounded else rounded
    return shortened.replace(",", _THIN_SPACE)


def counted(count: int, noun: str, nouns: str = "") -> str:
    """`1 chunk`, `1,200 chunks`, for command lines, logs and events; `nouns` where no s makes them."""
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"
