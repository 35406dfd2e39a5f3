"""The tables of docs/settings.md, made from the code: `python -m tools.settings_tables` writes them anew."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from collector import settings as collector_settings
from webapp import settings as webapp_settings
from worker import settings as worker_settings

DOCS = Path(__file__).resolve().parent.parent / "docs/settings.md"
PARTS: dict[str, tuple[str, type[BaseModel]]] = {
    "Collector": (collector_settings.PREFIX, collector_settings.Settings),
    "Status page": (webapp_settings.PREFIX, webapp_settings.Settings),
    "Worker fleet": (worker_settings.PREFIX, worker_settings.Settings),
}
_TABLE = re.compile(r"^\| variable \|.*?(?=^(?!\|)|\Z)", re.MULTILINE | re.DOTALL)


def settings_table(prefix: str, model: type[BaseModel]) -> str:
    """The settings of one part in Markdown, defaults as they would be written in the environment."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        default = shown_default(field)
        rows.append(
            f"| `{prefix}{name.upper()}` | {f'`{default}`' if default else ''} | {field.description} |"
        )
    return "\n".join(rows) + "\n"


def shown_default(field: FieldInfo) -> str:
    """Empty where there is none, or where it depends on the host."""
    default: Any = field.default
    if default in (None, PydanticUndefined) or isinstance(default, SecretStr):
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, dict):
        return "; ".join(f"{name} = {text}" for name, text in default.items())
    if isinstance(default, (tuple, frozenset)):
        return ", ".join(default)
    return str(default)


def fill_tables(text: str) -> str:
    """The page with the table below each part's heading as the code has it."""
    for heading, (prefix, model) in PARTS.items():
        before, title, rest = text.partition(f"\n## {heading}\n")
        table = settings_table(prefix, model)
        text = before + title + _TABLE.sub(lambda _, table=table: table, rest, count=1)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    DOCS.write_text(fill_tables(DOCS.read_text()))
