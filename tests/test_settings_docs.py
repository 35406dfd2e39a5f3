"""docs/settings.md lists the settings as the code has them: `python -m tools.settings_tables` writes it."""

from __future__ import annotations

from tools.settings_tables import DOCS, PARTS, fill_tables, settings_table


def test_every_setting_of_every_part_is_documented_with_its_default() -> None:
    text = DOCS.read_text()
    assert text == fill_tables(text)
    for heading, (prefix, model) in PARTS.items():
        section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
        assert settings_table(prefix, model) in section
