"""Text from outside for a terminal (pure)."""

from __future__ import annotations


def printable(text: str) -> str:
    """One line without control characters, which could move the cursor, colour or hide what follows."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
