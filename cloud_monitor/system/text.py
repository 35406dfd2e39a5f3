"""Text that others wrote, made fit for a list: one line, printable, of bounded length (pure)."""

from __future__ import annotations

TEXT_LENGTH_MAX = 300
_READ_MAX = 4 * TEXT_LENGTH_MAX  # runs of blanks shrink, so a little more is looked at than shown


def displayable(text: str, length_max: int = TEXT_LENGTH_MAX) -> str:
    """What does not print (control, direction, half a pair) and runs of blanks become one space; what is too
    long ends in an ellipsis."""
    if len(text) <= length_max and " " not in text and text.isprintable():
        return text  # as nearly every name is
    printable = "".join(char if char.isprintable() else " " for char in text[:_READ_MAX])
    line = " ".join(printable.split())
    if len(line) <= length_max and len(text) <= _READ_MAX:
        return line
    return line[: length_max - 1] + "…"


def printable(text: str) -> str:
    """One line without control characters, which could move the cursor, colour or hide what follows."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
