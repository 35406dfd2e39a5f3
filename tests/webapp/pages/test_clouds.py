"""The table of clouds has the columns that were chosen."""

from __future__ import annotations

from pathlib import Path

from tests.webapp.sample import clock, write_sample
from webapp import create_app
from webapp.settings import read_settings


def test_only_the_chosen_columns_are_shown(tmp_path: Path) -> None:
    write_sample(tmp_path)
    app = create_app(read_settings(state_dir=tmp_path, columns=("running", "held")), poll=False, clock=clock)
    html = app.test_client().get("/").text
    assert ">Running" in html
    assert ">Unreg." not in html
    assert "Slots in use" not in html
