"""Read the lists of a grid: which there are, the part of one that a query finds, one VM or job."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from cloud_monitor.metrics.paths import is_clean
from webapp.inventory.database import SUFFIX, open_lists
from webapp.inventory.model import (
    RECORD_TYPES,
    UNLISTED,
    Change,
    JobRecord,
    ListSummary,
    QueryResult,
    TrackedRecord,
    VmRecord,
)
from webapp.inventory.query import RecordQuery

_COLUMNS = frozenset({"key", "cloud", "types", "states", "since"})  # kept beside the fields as well
_AS_COLUMN = {"status": "states", "vmtype": "types"}
_TYPES = [field.name for field in fields(JobRecord)].index("types")
_SELECT = "SELECT kind, key, data, since, first_seen_at, gone_at, changes FROM items"


class InventoryReader:
    """One grid's lists, all of one moment."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def edition(self) -> int:
        """Changes with every list that is kept; 0 before the first."""
        return int(self._database.execute("SELECT coalesce(max(edition), 0) FROM lists").fetchone()[0])

    def counts(self) -> dict[str, int | None]:
        """When the newest list was taken, and how many VMs and jobs are known now."""
        taken_at = self._database.execute("SELECT max(taken_at) FROM lists").fetchone()[0]
        sql = "SELECT COUNT(*) FROM items WHERE kind = ? AND gone_at IS NULL"
        return {"taken_at": taken_at} | {
            list_name: self._database.execute(sql, (list_name,)).fetchone()[0] for list_name in RECORD_TYPES
        }

    def summary(self, list_name: str) -> ListSummary | None:
        """None before the first such list."""
        sql = "SELECT taken_at, total, listed, is_cut FROM lists WHERE kind = ?"
        row = self._database.execute(sql, (list_name,)).fetchone()
        if row is None:
            return None
        total = json.loads(row[1])
        totals = total if isinstance(total, dict) else {}
        return ListSummary(
            row[0], sum(totals.values()) if isinstance(total, dict) else total, totals, row[2], bool(row[3])
        )

    def find(self, list_name: str, query: RecordQuery, limit: int) -> QueryResult:
        """At most `limit` records, from page `query.page` on."""
        by_status = self._count(list_name, query)
        where, values = _where(list_name, query, with_status=True)
        found = self._database.execute(f"SELECT COUNT(*) FROM items WHERE {where}", values).fetchone()[0]
        rows = self._database.execute(
            f"{_SELECT} WHERE {where} ORDER BY {_order(list_name, query.sort)} LIMIT ? OFFSET ?",
            (*values, limit, (query.page - 1) * limit),
        )
        records = tuple(map(_tracked, rows))
        return QueryResult(records, found, by_status, *self._names(list_name))

    def record(self, list_name: str, key: str) -> TrackedRecord | None:
        row = self._database.execute(f"{_SELECT} WHERE kind = ? AND key = ?", (list_name, key)).fetchone()
        return None if row is None else _tracked(row)

    def jobs_called(self, number: str) -> list[str]:
        """Keys of the jobs of that number on any schedd."""
        like = f"{_escape(number)}@%"
        sql = "SELECT key FROM items WHERE kind = 'jobs' AND key LIKE ? ESCAPE '\\' LIMIT 100"
        return [key for (key,) in self._database.execute(sql, (like,))]

    def jobs_on(self, host: str, limit: int) -> list[TrackedRecord]:
        """Jobs that run on the host, or ran there last."""
        conditions = " OR ".join(
            f"lower({_field('jobs', name)}) = lower(?)" for name in ("host", "last_host")
        )
        sql = f"{_SELECT} WHERE kind = 'jobs' AND ({conditions}) ORDER BY {_order('jobs', '-since')} LIMIT ?"
        return list(map(_tracked, self._database.execute(sql, (host, host, limit))))

    def _count(self, list_name: str, query: RecordQuery) -> dict[str, int]:
        where, values = _where(list_name, query, with_status=False)
        counts: Counter[str] = Counter()
        sql = f"SELECT states, COUNT(*) FROM items WHERE {where} GROUP BY states"
        for states, count in self._database.execute(sql, values):
            counts.update(dict.fromkeys(states.split(), count))
        return dict(counts)

    def _names(self, list_name: str) -> Iterator[tuple[str, ...]]:
        for column in ("cloud", "types"):
            sql = f"SELECT DISTINCT {column} FROM items WHERE kind = ?"
            yield tuple(
                sorted(
                    {name for (names,) in self._database.execute(sql, (list_name,)) for name in names.split()}
                )
            )


@contextmanager
def open_reader(folder: Path, grid: str) -> Iterator[InventoryReader | None]:
    """The grid's lists; None where it has sent none. Raises InventoryFault."""
    if not is_clean(grid):  # it would be a path to somewhere else
        yield None
        return
    with open_lists(folder / f"{grid}{SUFFIX}") as database:
        if database is None:
            yield None
            return
        database.execute("BEGIN")
        yield InventoryReader(database)


def grids_with_lists(folder: Path) -> list[str]:
    return sorted(file.name.removesuffix(SUFFIX) for file in folder.glob(f"*{SUFFIX}"))


def _where(list_name: str, query: RecordQuery, *, with_status: bool) -> tuple[str, list[str]]:
    """The condition in SQL, and the values of its question marks."""
    parts, values = ["kind = ?"], [list_name]
    if query.cloud:
        parts.append("cloud = ?")
        values.append(query.cloud)
    if query.type:
        parts.append("instr(types, ?)")
        values.append(f" {query.type} ")
    if with_status and query.status:
        parts.append("instr(states, ?)")
        values.append(f" {query.status} ")
    elif with_status:
        parts.append("states <> ?")  # neither there nor gone, as far as one knows: shown to who asks for it
        values.append(f" {UNLISTED} ")
    for word in query.words:
        parts.append("(key LIKE ? ESCAPE '\\' OR data LIKE ? ESCAPE '\\')")
        values += [f"%{_escape(word)}%"] * 2
    return " AND ".join(parts), values


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _order(list_name: str, sort: str) -> str:
    """An ORDER BY of nothing but known names. What is gone comes last, before it what has no value."""
    by_key = "length(key), key" if list_name == "jobs" else "key"  # job 99 before job 100
    if not sort:
        return f"gone_at IS NOT NULL, trouble DESC, {by_key}"
    name, direction = sort.removeprefix("-"), "DESC" if sort.startswith("-") else "ASC"
    if name == "key":
        return f"gone_at IS NOT NULL, key {direction}"
    field = _field(list_name, name)
    return f"gone_at IS NOT NULL, {field} IS NULL, {field} {direction}, {by_key}"


def _field(list_name: str, name: str) -> str:
    """The SQL of a field's value. Raises ValueError for what is no field."""
    column = _AS_COLUMN.get(name, name)
    if column in _COLUMNS:
        return column
    return f"json_extract(data, '$[{[field.name for field in fields(RECORD_TYPES[list_name])].index(name)}]')"


def _tracked(row: tuple[Any, ...]) -> TrackedRecord:
    list_name, key, data, since, first_seen_at, gone_at, changes = row
    return TrackedRecord(key, _unpack(list_name, data), since, first_seen_at, gone_at, _read_changes(changes))


def _unpack(list_name: str, data: str) -> VmRecord | JobRecord:
    values = json.loads(data)
    if list_name == "vms":
        return VmRecord(*values)
    values[_TYPES] = tuple(values[_TYPES])  # JSON knows lists only
    return JobRecord(*values)


def _read_changes(changes: str) -> tuple[Change, ...]:
    return tuple(Change(*change) for change in json.loads(changes))
