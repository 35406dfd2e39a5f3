"""How values look: in figures, and by their state."""

from __future__ import annotations

import pytest

from cloud_monitor.system.text import format_number
from webapp.model.build import build_snapshot
from webapp.model.snapshot_view import PollOutcome, SnapshotView
from webapp.model.tree import Value
from webapp.pages.cells import Cell, show
from webapp.pages.hosts import peers_cells

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
