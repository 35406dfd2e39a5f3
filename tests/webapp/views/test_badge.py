"""The small picture of a grid's state."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from tests.webapp.sample import clock, write_sample
from webapp import create_app
from webapp.settings import Settings
from webapp.views.health import draw_badge


def test_a_grid_has_a_badge_under_its_shown_name(tmp_path: Path) -> None:
    write_sample(tmp_path)
    client = create_app(
        Settings(state_dir=tmp_path, grid_names={"belle": "Belle <II>"}), poll=False, clock=clock
    ).test_client()
    answer = client.get("/badge/belle.svg")
    assert answer.content_type == "image/svg+xml"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    texts = [
        text.text for text in ElementTree.fromstring(answer.text).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert texts[0] == "Belle <II>"
    assert texts[1] in ("ok", "warning", "critical")
    assert (
        client.get("/badge/belle.svg", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    )


def test_a_quiet_grid_does_not_look_well(tmp_path: Path) -> None:
    write_sample(tmp_path)
    client = create_app(Settings(state_dir=tmp_path), poll=False, clock=clock).test_client()
    assert (
        ">no data<" in client.get("/badge/quiet.svg").text
        or ">critical<" in client.get("/badge/quiet.svg").text
    )


def test_an_unknown_or_hidden_grid_has_none(tmp_path: Path) -> None:
    write_sample(tmp_path)
    client = create_app(
        Settings(state_dir=tmp_path, hidden_grids=frozenset({"atlas"})), poll=False, clock=clock
    ).test_client()
    assert client.get("/badge/nowhere.svg").status_code == 404
    assert client.get("/badge/atlas.svg").status_code == 404


def test_texts_are_escaped() -> None:
    svg = draw_badge('"><script>alert(1)</script>', "ok", "#000")
    assert "<script" not in svg
    ElementTree.fromstring(svg)
