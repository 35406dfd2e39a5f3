"""Settings of several parts in one text, as the environment gives them; a TOML list or table stays."""

from __future__ import annotations

import re

# A `;` or a line's end separates, but not inside a quoted string.
_PART = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^;\n])+""")


def split_names(value: object) -> object:
    """A comma-separated text as a list."""
    if isinstance(value, str):
        return [part for part in (part.strip() for part in value.split(",")) if part]
    return value


def split_assignments(value: object) -> object:
    """`name = text` lines, or the same separated by `;`, as a mapping."""
    if not isinstance(value, str):
        return value
    found: dict[str, str] = {}
    for part in _PART.findall(value):
        name, equals, text = (piece.strip() for piece in part.partition("="))
        if not part.strip():
            continue
        if not equals or not name or not text:
            raise ValueError(f"{part.strip()!r} is not of the form `name = text`")
        if name in found:
            raise ValueError(f"{name!r} is given twice")
        found[name] = text
    return found
