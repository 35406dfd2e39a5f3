"""Text that others wrote, made fit to be shown, and durations in words (pure)."""

from __future__ import annotations

from itertools import pairwise

TEXT_LENGTH_MAX = 300
_THIN_SPACE = " "  # narrow and unbreakable, between thousands
_READ_MAX = 4 * TEXT_LENGTH_MAX  # runs of blanks shrink, so a little more is looked at than shown


def one_line(text: str, length_max: int = TEXT_LENGTH_MAX) -> str:
    """For a list: what does not print (control, direction, half a pair) and runs of blanks become one space;
    what is too long ends in an ellipsis."""
    if len(text) <= length_max and " " not in text and text.isprintable():
        return text  # as nearly every name is
    printable = "".join(char if char.isprintable() else " " for char in text[:_READ_MAX])
    line = " ".join(printable.split())
    if len(line) <= length_max and len(text) <= _READ_MAX:
        return line
    return line[: length_max - 1] + "…"


def without_controls(text: str) -> str:
    """For a terminal: as long as it is, each control character marked, which could move the cursor, colour or
    hide what follows."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def duration_text(seconds: float | None) -> str:
    """The two largest units: `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`; a dash where nothing is known."""
    return "-" if seconds is None else _in_units(round(seconds))


def age_text(age_s: float) -> str:
    """As people say it: seconds only of the first minute, then `3 min`, `2 h 5 min`, `3 d 4 h`."""
    return _in_units(int(age_s) if age_s < 60 else int(age_s) // 60 * 60)


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
