"""Keep a grid's newest list: what is new, changed or gone. Of what stayed nothing is written."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import fields
from operator import attrgetter
from pathlib import Path

from webapp.inventory.database import SUFFIX, InventoryFault, open_database
from webapp.inventory.history import begin, goes_on, leave, proceed
from webapp.inventory.model import GONE, KINDS, UNLISTED, Change, Listed, Listing, Thing

GRIDS_MAX = 1000
_GONE_MAX = 2000  # of each kind; a grid may end that many jobs in an hour
_AHEAD_MAX_S = 120  # a list from further in the future does not stand in the way of one from now
_TROUBLE = frozenset({"error", "lost", "held", "unreg"})

_KNOWN = "SELECT key, data, gone_at, last_status, last_host, last_at FROM items WHERE kind = ?"
_UPSERT = """
INSERT INTO items (kind, key, cloud, types, states, trouble, since, first_seen_at, gone_at, data, changes,
    last_status, last_host, last_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?, ?)
ON CONFLICT (kind, key) DO UPDATE SET cloud = excluded.cloud, types = excluded.types,
    states = excluded.states, trouble = excluded.trouble, since = excluded.since, gone_at = NULL,
    data = excluded.data, changes = excluded.changes, last_status = excluded.last_status,
    last_host = excluded.last_host, last_at = excluded.last_at
"""
# Most of what differs from one list to the next is no change of status: then the past is not touched.
_RENEW = """
UPDATE items SET cloud = ?, types = ?, states = ?, trouble = ?, since = coalesce(?, since), data = ?
WHERE kind = ? AND key = ?
"""
_VALUES = {kind: attrgetter(*(field.name for field in fields(kind))) for kind in KINDS.values()}
_LEAVE = """
UPDATE items SET states = ?, trouble = 0, since = ?, gone_at = ?, changes = ?, last_status = ?,
    last_host = ?, last_at = ? WHERE kind = ? AND key = ?
"""
_LIST = "REPLACE INTO lists (kind, taken_at, edition, total, listed, is_cut) VALUES (?, ?, ?, ?, ?, ?)"
_FORGET = "DELETE FROM items WHERE kind = ? AND gone_at < ?"
_FORGET_MANY = """
DELETE FROM items WHERE kind = ? AND key IN (
    SELECT key FROM items WHERE kind = ? AND gone_at IS NOT NULL ORDER BY gone_at DESC LIMIT -1 OFFSET ?
)
"""


class OlderList(Exception):
    """The list that is kept is newer than the one that came."""


def keep(
    folder: Path, grid: str, listing: Listing, *, now: float, keep_gone_s: float, forget_after_s: float
) -> None:
    """Make `listing` the grid's list. Raises OlderList, or InventoryFault, and has then changed nothing.

    What is gone is kept for `keep_gone_s`, the lists of a silent grid for `forget_after_s`.
    """
    file = folder / f"{grid}{SUFFIX}"
    _make_room(folder, file, now - forget_after_s)
    with open_database(file, create=True) as database:
        assert database is not None
        database.execute("BEGIN IMMEDIATE")
        _check_age(database, listing, now)
        for kind, listed in listing.kinds.items():
            _keep_kind(database, kind, listed, listing.taken_at, keep_gone_s)
        database.execute("COMMIT")


def _make_room(folder: Path, file: Path, forget_before: float) -> None:
    """For a grid that is new: the files of silent ones go, and there may not be too many."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # users' names and reasons are in it
        if file.exists():
            return
        others = list(folder.glob(f"*{SUFFIX}"))
        for silent in [other for other in others if other.stat().st_mtime < forget_before]:
            silent.unlink(missing_ok=True)
            others.remove(silent)
    except OSError as error:
        raise InventoryFault(f"{error.filename or folder}: {error.strerror}") from error
    if len(others) >= GRIDS_MAX:
        raise InventoryFault(f"{folder} holds the lists of {GRIDS_MAX} grids already")


def _check_age(database: sqlite3.Connection, listing: Listing, now: float) -> None:
    kept_at = database.execute("SELECT max(taken_at) FROM lists").fetchone()[0]
    if kept_at is not None and listing.taken_at < kept_at <= now + _AHEAD_MAX_S:
        raise OlderList(
            f"the list that is kept was taken at {kept_at}, this one earlier, at {listing.taken_at}"
        )


def _keep_kind(
    database: sqlite3.Connection, kind: str, listed: Listed, taken_at: int, keep_gone_s: float
) -> None:
    known = {
        key: (data, gone_at, Change(*last)) for key, data, gone_at, *last in database.execute(_KNOWN, (kind,))
    }
    present = keyed(listed.things)
    renewed, changed = [], []
    for key, thing in present.items():
        data = pack(thing)
        before, gone_at, last = known.get(key, (None, None, None))
        if before == data and gone_at is None:
            continue
        if last is not None and gone_at is None and goes_on(last, thing, taken_at):
            renewed.append((*_columns(thing), thing.since, data, kind, key))
        else:
            changed.append((key, thing, data))
    database.executemany(_RENEW, renewed)
    database.executemany(_UPSERT, [_row(database, kind, *change, taken_at) for change in changed])
    word = UNLISTED if listed.is_cut else GONE
    missed = [key for key, (_, gone_at, _) in known.items() if gone_at is None and key not in present]
    database.executemany(_LEAVE, [_leaving(database, kind, key, word, taken_at) for key in missed])
    database.execute(_FORGET, (kind, taken_at - keep_gone_s))
    database.execute(_FORGET_MANY, (kind, kind, _GONE_MAX))
    row = (kind, taken_at, time.time_ns(), json.dumps(listed.total), len(present), listed.is_cut)
    database.execute(_LIST, row)


def keyed(things: Iterable[Thing]) -> dict[str, Thing]:
    """Things by key; where two have the same, the second is called `key#2`."""
    found: dict[str, Thing] = {}
    numbers: Counter[str] = Counter()
    for thing in things:
        key = thing.key
        while key in found:
            numbers[thing.key] += 1
            key = f"{thing.key}#{numbers[thing.key] + 1}"
        found[key] = thing
    return found


def pack(thing: Thing) -> str:
    """The fields in their order, without their names: a filter by text must not find those."""
    return json.dumps(_VALUES[type(thing)](thing), ensure_ascii=False, separators=(",", ":"))


def _row(
    database: sqlite3.Connection, kind: str, key: str, thing: Thing, data: str, at: int
) -> tuple[object, ...]:
    past = _changes(database, kind, key)
    changes = proceed(past, thing, at) if past else begin(thing, at)
    since = changes[-1].at if thing.since is None else thing.since
    return (kind, key, *_columns(thing), since, at, data, json.dumps(changes), *changes[-1])


def _columns(thing: Thing) -> tuple[str, str, str, int]:
    """What is filtered by, as it stands in the table: cloud, types, states, trouble."""
    trouble = not _TROUBLE.isdisjoint(thing.states)
    return thing.cloud, f" {' '.join(thing.types)} ", f" {' '.join(thing.states)} ", int(trouble)


def _leaving(database: sqlite3.Connection, kind: str, key: str, word: str, at: int) -> tuple[object, ...]:
    changes = leave(_changes(database, kind, key), word, at)
    return f" {word} ", at, at, json.dumps(changes), *changes[-1], kind, key


def _changes(database: sqlite3.Connection, kind: str, key: str) -> list[Change]:
    query = "SELECT changes FROM items WHERE kind = ? AND key = ?"
    row = database.execute(query, (kind, key)).fetchone()
    return [] if row is None else [Change(*change) for change in json.loads(row[0])]
