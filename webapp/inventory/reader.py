"""Read the lists of a grid: which there are, the part of one that is asked for, one VM or job."""

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
from webapp.inventory.database import SUFFIX, open_database
from webapp.inventory.model import KINDS, UNLISTED, Change, Item, Job, Part, Summary, Vm
from webapp.inventory.query import Asked

_COLUMNS = frozenset({"key", "cloud", "types", "states", "since"})  # kept beside the fields as well
_AS_COLUMN = {"status": "states", "vmtype": "types"}
_TYPES = [field.name for field in fields(Job)].index("types")
_SELECT = "SELECT kind, key, data, since, first_seen_at, gone_at, changes FROM items"


class Reader:
    """One grid's lists, all of one moment."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def edition(self) -> int:
        """Changes with every list that is kept; 0 before the first."""
        return int(self._database.execute("SELECT coalesce(max(edition), 0) FROM lists").fetchone()[0])

    def counts(self) -> dict[str, int | None]:
        """When the newest list was taken, and how many VMs and jobs are known now."""
        taken_at = self._database.execute("SELECT max(taken_at) FROM lists").fetchone()[0]
        query = "SELECT COUNT(*) FROM items WHERE kind = ? AND gone_at IS NULL"
        return {"taken_at": taken_at} | {
            kind: self._database.execute(query, (kind,)).fetchone()[0] for kind in KINDS
        }

    def summary(self, kind: str) -> Summary | None:
        """None before the first list of that kind."""
        query = "SELECT taken_at, total, listed, is_cut FROM lists WHERE kind = ?"
        row = self._database.execute(query, (kind,)).fetchone()
        if row is None:
            return None
        total = json.loads(row[1])
        totals = total if isinstance(total, dict) else {}
        return Summary(row[0], sum(totals.values()) if totals else total, totals, row[2], bool(row[3]))

    def part(self, kind: str, asked: Asked, limit: int) -> Part:
        """At most `limit` items, from page `asked.page` on."""
        by_status = self._count(kind, asked)
        where, values = _where(kind, asked, with_status=True)
        found = self._database.execute(f"SELECT COUNT(*) FROM items WHERE {where}", values).fetchone()[0]
        rows = self._database.execute(
            f"{_SELECT} WHERE {where} ORDER BY {_order(kind, asked.sort)} LIMIT ? OFFSET ?",
            (*values, limit, (asked.page - 1) * limit),
        )
        items = tuple(map(_item, rows))
        return Part(items, found, by_status, *self._names(kind))

    def item(self, kind: str, key: str) -> Item | None:
        row = self._database.execute(f"{_SELECT} WHERE kind = ? AND key = ?", (kind, key)).fetchone()
        return None if row is None else _item(row)

    def jobs_called(self, number: str) -> list[str]:
        """Keys of the jobs of that number on any schedd."""
        like = f"{_escape(number)}@%"
        query = "SELECT key FROM items WHERE kind = 'jobs' AND key LIKE ? ESCAPE '\\' LIMIT 100"
        return [key for (key,) in self._database.execute(query, (like,))]

    def jobs_on(self, host: str, limit: int) -> list[Item]:
        """Jobs that run on the host, or ran there last."""
        places = " OR ".join(f"lower({_field('jobs', name)}) = lower(?)" for name in ("host", "last_host"))
        query = f"{_SELECT} WHERE kind = 'jobs' AND ({places}) ORDER BY {_order('jobs', '-since')} LIMIT ?"
        return list(map(_item, self._database.execute(query, (host, host, limit))))

    def _count(self, kind: str, asked: Asked) -> dict[str, int]:
        where, values = _where(kind, asked, with_status=False)
        counts: Counter[str] = Counter()
        query = f"SELECT states, COUNT(*) FROM items WHERE {where} GROUP BY states"
        for states, count in self._database.execute(query, values):
            counts.update(dict.fromkeys(states.split(), count))
        return dict(counts)

    def _names(self, kind: str) -> Iterator[tuple[str, ...]]:
        for column in ("cloud", "types"):
            query = f"SELECT DISTINCT {column} FROM items WHERE kind = ?"
            yield tuple(
                sorted(
                    {name for (names,) in self._database.execute(query, (kind,)) for name in names.split()}
                )
            )


@contextmanager
def open_reader(folder: Path, grid: str) -> Iterator[Reader | None]:
    """The grid's lists; None where it has sent none. Raises InventoryFault."""
    if not is_clean(grid):  # it would be a path to somewhere else
        yield None
        return
    with open_database(folder / f"{grid}{SUFFIX}") as database:
        if database is None:
            yield None
            return
        database.execute("BEGIN")
        yield Reader(database)


def grids_with_lists(folder: Path) -> list[str]:
    return sorted(file.name.removesuffix(SUFFIX) for file in folder.glob(f"*{SUFFIX}"))


def _where(kind: str, asked: Asked, *, with_status: bool) -> tuple[str, list[str]]:
    """The condition in SQL, and the values of its question marks."""
    parts, values = ["kind = ?"], [kind]
    if asked.cloud:
        parts.append("cloud = ?")
        values.append(asked.cloud)
    if asked.type:
        parts.append("instr(types, ?)")
        values.append(f" {asked.type} ")
    if with_status and asked.status:
        parts.append("instr(states, ?)")
        values.append(f" {asked.status} ")
    elif with_status:
        parts.append("states <> ?")  # neither there nor gone, as far as one knows: shown to who asks for it
        values.append(f" {UNLISTED} ")
    for word in asked.words:
        parts.append("(key LIKE ? ESCAPE '\\' OR data LIKE ? ESCAPE '\\')")
        values += [f"%{_escape(word)}%"] * 2
    return " AND ".join(parts), values


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _order(kind: str, sort: str) -> str:
    """An ORDER BY of nothing but known names. What is gone comes last, before it what has no value."""
    by_key = "length(key), key" if kind == "jobs" else "key"  # job 99 before job 100
    if not sort:
        return f"gone_at IS NOT NULL, trouble DESC, {by_key}"
    name, direction = sort.removeprefix("-"), "DESC" if sort.startswith("-") else "ASC"
    if name == "key":
        return f"gone_at IS NOT NULL, key {direction}"
    field = _field(kind, name)
    return f"gone_at IS NOT NULL, {field} IS NULL, {field} {direction}, {by_key}"


def _field(kind: str, name: str) -> str:
    """The SQL of a field's value. Raises ValueError for what is no field."""
    column = _AS_COLUMN.get(name, name)
    if column in _COLUMNS:
        return column
    return f"json_extract(data, '$[{[field.name for field in fields(KINDS[kind])].index(name)}]')"


def _item(row: tuple[Any, ...]) -> Item:
    kind, key, data, since, first_seen_at, gone_at, changes = row
    return Item(key, _unpack(kind, data), since, first_seen_at, gone_at, _read_changes(changes))


def _unpack(kind: str, data: str) -> Vm | Job:
    values = json.loads(data)
    if kind == "vms":
        return Vm(*values)
    values[_TYPES] = tuple(values[_TYPES])  # JSON knows lists only
    return Job(*values)


def _read_changes(changes: str) -> tuple[Change, ...]:
    return tuple(Change(*change) for change in json.loads(changes))
