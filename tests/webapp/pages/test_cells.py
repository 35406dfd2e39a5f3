"""How values look; and that a refresh, cells alone, can only ever fit its page."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from cloud_monitor.system.text import format_number
from tests.webapp.sample import clock, write_sample
from webapp import create_app
from webapp.model.build import build_snapshot
from webapp.model.snapshot_view import PollOutcome, SnapshotView
from webapp.model.tree import Value
from webapp.pages.cells import Cell, LiveCells, show
from webapp.pages.hosts import peers_cells
from webapp.settings import read_settings

NOW = 1_800_000_000
VIEW = SnapshotView(build_snapshot(NOW, []), PollOutcome(), NOW, 180)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12, "12"),
        (1234567, "1 234 567"),
        (3.14159, "3.14"),
        (27.04, "27"),
        (1234.5, "1 234"),
        (-2, "-2"),
    ],
)
def test_numbers_are_short_and_legible(value: float, text: str) -> None:
    assert format_number(value) == text


def test_the_state_of_a_value_is_in_text_class_and_title() -> None:
    assert show(Value("p", 5.0, NOW), VIEW, tone="b") == Cell("5", "b")
    assert show(Value("p", 0.0, NOW), VIEW, tone="b") == Cell("0", "z")
    assert show(Value("p", 5.0, NOW - 600), VIEW, tone="b") == Cell("5", "s", "10 min old")
    assert show(Value("p", None, None), VIEW) == Cell("–", "m")
    assert show(None, VIEW) == Cell("–", "m")
    assert show(Value("p", 5.0, NOW), VIEW, path=True).path == "p"


@pytest.mark.parametrize(
    ("answered", "age_s", "texts"), [(2, 0, ["2 of 3 schedds"]), (3, 0, []), (2, 600, [])]
)
def test_schedds_that_do_not_answer_are_told_beside_the_grid(
    answered: float, age_s: int, texts: list[str]
) -> None:
    values = [
        Value(f"grids.g.condor.peers.schedds.{outcome}", value, NOW - age_s)
        for outcome, value in (("asked", 3.0), ("answered", answered))
    ]
    snapshot = build_snapshot(NOW, values)
    view = SnapshotView(snapshot, PollOutcome(), NOW, 180)
    assert [cell.text for cell in peers_cells(snapshot.grids[0], view)] == texts


PAGES = (
    "/",
    "/grids/belle",
    "/grids/belle/clouds/cern",
    "/grids/belle/hosts/belle",
    "/fleet",
    "/held",
    "/users",
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    folder = tmp_path_factory.mktemp("pages")
    write_sample(folder)
    return create_app(read_settings(state_dir=folder), poll=False, clock=clock).test_client()


class CellsOf(HTMLParser):
    """The texts of a page's live elements in their order, found as the browser finds them: td and data-c."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self._open = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        is_cell = (tag == "td" and "f" not in (names.get("class") or "").split()) or "data-c" in names
        self._open = tag if is_cell else ""
        if is_cell:
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.cells[-1] += data


@pytest.mark.parametrize("path", PAGES)
def test_a_refresh_has_the_cells_of_the_page_in_its_order(client: FlaskClient, path: str) -> None:
    body = json.loads(client.get(f"{path}?part=body").text)
    news = json.loads(client.get(f"{path}?part=cells").text)
    assert news["layout"] == body["layout"]
    texts = [cell if isinstance(cell, str) else cell[0] for cell in news["cells"]]
    assert [text.strip() for text in CellsOf(body["html"]).cells] == texts
    assert body["html"] in client.get(path).text
    assert f'data-layout="{news["layout"]}"' in client.get(path).text


def test_other_parts_are_refused(client: FlaskClient) -> None:
    assert client.get("/?part=everything").status_code == 404


def test_the_layout_stays_while_values_change_and_changes_with_the_rows(tmp_path: Path) -> None:
    def layout(now: float) -> str:
        write_sample(tmp_path, now)
        client = create_app(read_settings(state_dir=tmp_path), poll=False, clock=lambda: now).test_client()
        return str(json.loads(client.get("/?part=cells").text)["layout"])

    assert layout(NOW) == layout(NOW + 60)


names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


@given(names, names, names)
def test_cells_are_escaped_and_never_get_mixed_up(text: str, title: str, around: str) -> None:
    live = LiveCells()
    page = f"<p>{len(around)}{live.td(Cell(text, '', title))}{live.live('b', Cell('2'), 'kind')}</p>"
    filled = live.fill(page)
    inner = filled.html.split("<td", 1)[1].split("<b data-c", 1)[0]
    assert "<" not in inner
    assert filled.cells[1] == Cell("2", "kind")
    assert filled.refresh[1] == ["2", "kind"]


def test_a_cell_that_is_not_in_the_page_is_an_error() -> None:
    live = LiveCells()
    live.td(Cell("1"))
    with pytest.raises(ValueError, match="1 cells were made, 0 are in the page"):
        live.fill("<p></p>")
