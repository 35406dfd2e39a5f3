"""docs/settings.md says what the code says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from webapp.settings import PREFIX, Settings

DOCS = Path(__file__).resolve().parent.parent.parent / "docs/settings.md"
HEADING = "## Status page"


def table() -> str:
    """The table of docs/settings.md as the code has it: paste it there when this test fails."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = _shown(field.default)
        rows.append(
            f"| `{PREFIX}{name.upper()}` | {f'`{default}`' if default else ''} | {field.description} |"
        )
    return "\n".join(rows)


def _shown(default: Any) -> str:
    if default is None:
        return ""
    value = default.model_dump() if isinstance(default, BaseModel) else to_jsonable_python(default)
    return value if isinstance(value, str) else json.dumps(value)


def test_every_setting_is_documented_with_its_default() -> None:
    text = DOCS.read_text()
    assert HEADING in text
    section = text.split(HEADING, 1)[1].split("\n## ", 1)[0]
    assert table() in section, f"\n{table()}"
