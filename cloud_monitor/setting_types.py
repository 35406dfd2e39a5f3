"""The forms that the settings of all parts share: lists, tables, levels, secrets, where a part's state is."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

# A `;` or a line's end separates, but not inside a quoted string.
_PART = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^;\n])+""")
_JSON_LIST = re.compile(r"""\[\s*["'{\[\]]""")  # an IPv6 address begins with a bracket too


class SettingsGroup(BaseModel):
    """Settings that are used together. A part's Settings inherit its groups, so that they are one flat list
    of names, and a function asks for no more than its group.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


class Secret:
    """Marks a field whose value is never shown; one of type SecretStr is a secret anyway."""


def split_names(value: object) -> object:
    """A comma-separated text, or a JSON array, as a list; anything else as it is."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            if _JSON_LIST.match(value.lstrip()):
                raise ValueError('is neither `a, b` nor a JSON array such as ["a", "b"]') from None
    return [part for part in map(str.strip, value.split(",")) if part]


def split_assignments(value: object) -> object:
    """`name = text` lines, or the same separated by `;`, or a JSON object, as a mapping; else as it is."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        return _read_object(value)
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


def _read_object(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"is neither `name = text; ...` nor a JSON object: {error}") from None


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(split_names)]
Table = Annotated[dict[str, str], BeforeValidator(split_assignments)]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)]
UserPath = Annotated[Path, AfterValidator(Path.expanduser)]  # `~` is the user's home
SecretUrl = Annotated[str, Secret()]  # with a password in it


def default_state_dir(part: str, old: Path | None = None) -> Path:
    """Where a part keeps its state when nothing says where; `old`: where version 0.1.0 did, if in use."""
    return choose_state_dir(part, old, os.environ.get("STATE_DIRECTORY", ""), is_root=os.geteuid() == 0)


def choose_state_dir(part: str, old: Path | None, made: str, is_root: bool) -> Path:
    """The folder of old; those that systemd made (StateDirectory=, separated by colons); for root, and users
    without a home, /var/lib/cloud-monitor/PART; for others ~/.local/state/cloud-monitor/PART.
    """
    if old is not None:
        return old
    if made:
        return Path(made.split(":")[0])
    if not is_root:
        try:
            return Path(f"~/.local/state/cloud-monitor/{part}").expanduser()
        except RuntimeError:  # no home
            pass
    return Path(f"/var/lib/cloud-monitor/{part}")


def is_secret(metadata: list[Any]) -> bool:
    return any(isinstance(mark, Secret) for mark in metadata)
