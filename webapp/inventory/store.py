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

from cloud_monitor.inventory import STATES_IN_TROUBLE
from webapp.inventory.database import SUFFIX, InventoryFault, change_lists
from webapp.inventory.history import begin, goes_on, leave, proceed
from webapp.inventory.model import GONE, RECORD_TYPES, UNLISTED, Change, InventoryPayload, Record, RecordList

GRIDS_MAX = 1000
_GONE_MAX = 2000  # VMs, and jobs; a grid may end that many jobs in an hour
_AHEAD_MAX_S = 120  # a list from further in the future does not stand in the way of one from now

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
_VALUES = {
    record_type: attrgetter(*(field.name for field in fields(record_type)))
    for record_type in RECORD_TYPES.values()
}
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


def store_payload(
    folder: Path,
    grid: str,
    payload: InventoryPayload,
    *,
    now: float,
    keep_gone_s: float,
    forget_after_s: float,
) -> None:
    """Make `payload` the grid's list. Raises OlderList, or InventoryFault, and has then changed nothing.

    What is gone is kept for `keep_gone_s`, the lists of a silent grid for `forget_after_s`.
    """
    file = folder / f"{grid}{SUFFIX}"
    _make_room(folder, file, now - forget_after_s)
    with change_lists(file) as database:
        _check_age(database, payload, now)
        for list_name, record_list in payload.lists.items():
            _store_list(database, list_name, record_list, payload.taken_at, keep_gone_s)


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


def _check_age(database: sqlite3.Connection, payload: InventoryPayload, now: float) -> None:
    kept_at = database.execute("SELECT max(taken_at) FROM lists").fetchone()[0]
    if kept_at is not None and payload.taken_at < kept_at <= now + _AHEAD_MAX_S:
        raise OlderList(
            f"the list that is kept was taken at {kept_at}, this one earlier, at {payload.taken_at}"
        )


def _store_list(
    database: sqlite3.Connection, list_name: str, record_list: RecordList, taken_at: int, keep_gone_s: float
) -> None:
    known = {
        key: (data, gone_at, Change(*last))
        for key, data, gone_at, *last in database.execute(_KNOWN, (list_name,))
    }
    present = keyed(record_list.records)
    renewed, changed = [], []
    for key, record in present.items():
        data = pack(record)
        before, gone_at, last = known.get(key, (None, None, None))
        if before == data and gone_at is None:
            continue
        if last is not None and gone_at is None and goes_on(last, record, taken_at):
            renewed.append((*_columns(record), record.since, data, list_name, key))
        else:
            changed.append((key, record, data))
    database.executemany(_RENEW, renewed)
    database.executemany(_UPSERT, [_row(database, list_name, *change, taken_at) for change in changed])
    word = UNLISTED if record_list.is_cut else GONE
    missed = [key for key, (_, gone_at, _) in known.items() if gone_at is None and key not in present]
    database.executemany(_LEAVE, [_leaving(database, list_name, key, word, taken_at) for key in missed])
    database.execute(_FORGET, (list_name, taken_at - keep_gone_s))
    database.execute(_FORGET_MANY, (list_name, list_name, _GONE_MAX))
    row = (
        list_name,
        taken_at,
        time.time_ns(),
        json.dumps(record_list.total),
        len(present),
        record_list.is_cut,
    )
    database.execute(_LIST, row)


def keyed(records: Iterable[Record]) -> dict[str, Record]:
    """Things by key; where two have the same, the second is called `key#2`."""
    found: dict[str, Record] = {}
    numbers: Counter[str] = Counter()
    for record in records:
        key = record.key
        while key in found:
            numbers[record.key] += 1
            key = f"{record.key}#{numbers[record.key] + 1}"
        found[key] = record
    return found


def pack(record: Record) -> str:
    """The fields in their order, without their names: a filter by text must not find those."""
    return json.dumps(_VALUES[type(record)](record), ensure_ascii=False, separators=(",", ":"))


def _row(
    database: sqlite3.Connection, list_name: str, key: str, record: Record, data: str, at: int
) -> tuple[object, ...]:
    past = _changes(database, list_name, key)
    changes = proceed(past, record, at) if past else begin(record, at)
    since = changes[-1].at if record.since is None else record.since
    return (list_name, key, *_columns(record), since, at, data, json.dumps(changes), *changes[-1])


def _columns(record: Record) -> tuple[str, str, str, int]:
    """What is filtered by, as it stands in the table: cloud, types, states, trouble."""
    trouble = not STATES_IN_TROUBLE.isdisjoint(record.states)
    return record.cloud, f" {' '.join(record.types)} ", f" {' '.join(record.states)} ", int(trouble)


def _leaving(
    database: sqlite3.Connection, list_name: str, key: str, word: str, at: int
) -> tuple[object, ...]:
    changes = leave(_changes(database, list_name, key), word, at)
    return f" {word} ", at, at, json.dumps(changes), *changes[-1], list_name, key


def _changes(database: sqlite3.Connection, list_name: str, key: str) -> list[Change]:
    sql = "SELECT changes FROM items WHERE kind = ? AND key = ?"
    row = database.execute(sql, (list_name, key)).fetchone()
    return [] if row is None else [Change(*change) for change in json.loads(row[0])]
