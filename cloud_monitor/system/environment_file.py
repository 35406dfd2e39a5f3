"""Lines of `NAME=value` that systemd (EnvironmentFile=) and a shell (`set -a; . FILE`) do not take alike, by
their form: a value that one of them cuts, and a setting that neither takes, are missed in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_MARK = "\ufeff"
# At other characters a shell cuts, expands or runs; both take an unquoted backslash away
_PLAIN = r"(?:(?!~)[\w./:@%+,=~^?*!#\[\]{}-]+)?"
_QUOTED = r"""'[^']*'|"(?:[^"\\$`]|\\.)*\""""
_COMMENT = r"#[^\n\r]*(?<!\\)"  # which systemd ends at \r, and lets go on after a backslash
_ALIKE = re.compile(
    rf"[ \t]*(?:[A-Za-z_]\w*=(?:{_QUOTED}|{_PLAIN})[ \t]*|{_COMMENT})?(?=\n|\Z)", re.ASCII | re.DOTALL
)
_NAME = re.compile(r"[ \t]*(export[ \t]+)?([A-Za-z_]\w*)[ \t]*=", re.ASCII)


def find_misread(content: bytes) -> Iterator[str]:
    """A text for each such line: its number and its variable, never the value, and what to write instead."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        yield f"line {_line(content[: error.start].decode())} is not UTF-8: systemd refuses the whole file"
        return
    if text.startswith(_MARK):
        yield "begins with a byte order mark, and so its first line is not taken: save it without"
    if "\r\n" in text:
        yield "has Windows' line ends, at which a shell stumbles: save it with those of Unix"
    text = text.removeprefix(_MARK).replace("\r\n", "\n")
    place = 0
    while place < len(text):
        if alike := _ALIKE.match(text, place):
            place = alike.end() + 1
            continue
        line, number = text[place:].split("\n", 1)[0], _line(text[:place])
        yield f"line {number}: {_explain(line)}"
        place += len(line) + 1


def _line(before: str) -> int:
    return before.count("\n") + 1


def _explain(line: str) -> str:
    if line.lstrip().startswith("#"):
        return "a comment is one line without \\ at its end, which hides the next line from systemd"
    name = _NAME.match(line)
    if name is None:
        return "it is neither NAME=VALUE nor a comment (#)"
    if name[1]:
        return f"systemd does not take {name[2]} with `export` before it: leave that out"
    return (
        f"systemd and a shell do not read {name[2]} alike: put its value, and nothing else, right after the "
        "= and into '...' (into \"...\" where it has a ')"
    )
