"""Annotations are kept once, found by time and grid, ended when they are over, and bounded."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from webapp.annotations.model import ALERT, NOTE, Annotation
from webapp.annotations.store import FILE_NAME, Keeping, find_annotations, open_annotations

DAY = 86400.0
NOW = 1_760_000_000.0
KEEPING = Keeping(10 * DAY, 100)


def note(
    at: float, text: str = "x", place: str = "", key: str = "", until: float | None = -1.0
) -> Annotation:
    return Annotation(at, at if until == -1.0 else until, NOTE, text, place, "anna", ("deploy",), key)


def texts(state_dir: Path, from_s: float, until_s: float, grid: str = "", count_max: int = 1000) -> list[str]:
    return [one.text for one in find_annotations(state_dir, from_s, until_s, grid, count_max)]


def test_what_is_kept_is_found_as_it_was(tmp_path: Path) -> None:
    assert find_annotations(tmp_path, 0, NOW) == ()
    given = Annotation(NOW, NOW + 5, NOTE, "1.4 \U0001f600 <b>", "belle/a%2Fb", "anna", ("deploy", "x"), "k")
    with open_annotations(tmp_path) as store:
        assert store.add([given], KEEPING, NOW) == 1
    (found,) = find_annotations(tmp_path, NOW - 1, NOW + 1)
    assert found.number > 0
    assert found == Annotation(*(getattr(given, name) for name in given.__slots__[:-1]), found.number)


def test_without_a_way_to_the_file_there_are_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nor a fault of the page: a folder may be closed, here a name is too long for the system."""
    assert find_annotations(tmp_path / ("x" * 300), 0, NOW) == ()
    assert "cannot be read" in caplog.text


def test_one_with_a_key_is_noted_once(tmp_path: Path) -> None:
    with open_annotations(tmp_path) as store:
        assert store.add([note(NOW, "first", key="k"), note(NOW, "second", key="k")], KEEPING, NOW) == 1
        assert store.add([note(NOW, "third", key="k"), note(NOW), note(NOW)], KEEPING, NOW) == 2
    assert texts(tmp_path, NOW - 1, NOW) == ["x", "x", "first"]


def test_a_range_has_what_reaches_into_it(tmp_path: Path) -> None:
    with open_annotations(tmp_path) as store:
        spans = [("past", 0, 5), ("into", 0, 15), ("in", 12, 12), ("over", 5, 40), ("open", 3, None)]
        store.add(
            [note(NOW + a, name, until=None if b is None else NOW + b) for name, a, b in spans], KEEPING, NOW
        )
        store.add([note(NOW + 25, "after")], KEEPING, NOW)
    assert texts(tmp_path, NOW + 10, NOW + 20) == ["in", "over", "open", "into"]
    assert texts(tmp_path, NOW + 10, NOW + 20, count_max=1) == ["in"]


def test_a_grid_has_its_own_and_those_of_all(tmp_path: Path) -> None:
    with open_annotations(tmp_path) as store:
        places = ("belle", "belle/cern", "atlas", "", "bel", "b%2Fc/x")
        store.add([note(NOW, place or "all", place) for place in places], KEEPING, NOW)
    assert set(texts(tmp_path, NOW - 1, NOW, "belle")) == {"belle", "belle/cern", "all"}
    assert set(texts(tmp_path, NOW - 1, NOW, "b/c")) == {"b%2Fc/x", "all"}


def test_what_is_over_ends_when_it_was_over(tmp_path: Path) -> None:
    def alert(key: str) -> Annotation:
        return Annotation(NOW, None, ALERT, key, key=key)

    with open_annotations(tmp_path) as store:
        store.add([alert("a"), alert("b"), alert("c"), note(NOW, "note", until=None)], KEEPING, NOW)
        store.sync_open(ALERT, ["c"], {"a": NOW + 30, "x": NOW}, NOW + 60)
        store.sync_open(ALERT, ["c"], {}, NOW + 600)
    ends = {one.text: one.until for one in find_annotations(tmp_path, NOW, NOW + 1)}
    assert ends == {"a": NOW + 30, "b": NOW + 60, "c": None, "note": None}


def test_the_old_go_and_the_many_of_a_kind_but_no_other_kind(tmp_path: Path) -> None:
    with open_annotations(tmp_path) as store:
        store.add([note(NOW - 11 * DAY, "old"), note(NOW - 9 * DAY, "young")], KEEPING, NOW)
        store.add([Annotation(NOW - 12 * DAY, None, ALERT, "still")], KEEPING, NOW)
    assert texts(tmp_path, 0, NOW) == ["young", "still"]
    with open_annotations(tmp_path) as store:
        store.add([note(NOW + number, str(number)) for number in range(150)], KEEPING, NOW)
    found = texts(tmp_path, 0, NOW + 1000)
    assert found == [*(str(number) for number in range(149, 49, -1)), "still"]


def test_a_broken_file_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database at all" * 100)
    assert find_annotations(tmp_path, 0, NOW) == ()
    with open_annotations(tmp_path) as store:
        store.add([note(NOW)], KEEPING, NOW)
    assert texts(tmp_path, 0, NOW) == ["x"]
    assert list(tmp_path.glob(f"{FILE_NAME}.corrupt-*"))


def test_a_file_that_is_broken_further_in_is_set_aside_for_the_next(tmp_path: Path) -> None:
    with open_annotations(tmp_path) as store:
        store.add([note(NOW + number, "x" * 400) for number in range(200)], KEEPING, NOW)
    file = tmp_path / FILE_NAME
    with closing(sqlite3.connect(file)) as connection:
        page_size = connection.execute("PRAGMA page_size").fetchone()[0]
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'by_time'").fetchone()[0]
    with file.open("r+b") as pages:
        pages.seek((root - 1) * page_size)
        pages.write(b"\xa5" * page_size)
    with pytest.raises(sqlite3.DatabaseError), open_annotations(tmp_path) as store:
        store.add([note(NOW)], KEEPING, NOW)
    with open_annotations(tmp_path) as store:
        store.add([note(NOW, "anew")], KEEPING, NOW)
    assert texts(tmp_path, 0, NOW) == ["anew"]
    assert list(tmp_path.glob(f"{FILE_NAME}.corrupt-*"))


def test_what_ends_in_a_fault_is_not_kept(tmp_path: Path) -> None:
    try:
        with open_annotations(tmp_path) as store:
            store.add([note(NOW)], KEEPING, NOW)
            raise RuntimeError
    except RuntimeError:
        pass
    assert texts(tmp_path, 0, NOW) == []


def test_each_is_mirrored_once(tmp_path: Path) -> None:
    with open_annotations(tmp_path) as store:
        store.add([note(NOW + number, str(number)) for number in range(5)], KEEPING, NOW)
        claimed = store.find_unmirrored(NOW, 3)
        assert [one.text for one in claimed] == ["0", "1", "2"]
        store.note_mirrored(one.number for one in claimed)
        assert [one.text for one in store.find_unmirrored(NOW, 3)] == ["3", "4"]
        assert [one.text for one in store.find_unmirrored(NOW + 4, 3)] == ["4"]
