"""What the two dialects spell differently: the database's clock, by which the leases of many hosts are
compared, the first word of an error, and texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Connection, Double, Table, Text, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


class db_now(GenericFunction[float]):
    """Seconds since the epoch; to the millisecond in SQLite, and while the statement runs, not when its
    transaction began, in PostgreSQL.
    """

    type = Double()
    inherit_cache = True


@compiles(db_now, "sqlite")
def _sqlite(element: db_now, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(db_now, "postgresql")
def _postgresql(element: db_now, compiler: Any, **options: Any) -> str:
    return "extract(epoch FROM clock_timestamp())::double precision"


class error_kind(GenericFunction[str]):
    """What stands before the first colon."""

    type = Text()
    inherit_cache = True


@compiles(error_kind, "sqlite")
def _sqlite_kind(element: error_kind, compiler: Any, **options: Any) -> str:
    error = compiler.process(element.clauses, **options)
    return f"substr({error}, 1, instr({error} || ':', ':') - 1)"


@compiles(error_kind, "postgresql")
def _postgresql_kind(element: error_kind, compiler: Any, **options: Any) -> str:
    return f"split_part({compiler.process(element.clauses, **options)}, ':', 1)"


class like_any_case(GenericFunction[bool]):
    """A text and a pattern of LIKE with `/` before what is meant as it is, whatever the case."""

    type = Boolean()
    inherit_cache = True


@compiles(like_any_case, "sqlite")
def _sqlite_like(element: like_any_case, compiler: Any, **options: Any) -> str:
    # Without lower(), which takes as long again: SQLite's LIKE heeds no case of ASCII, nor does lower() more
    text, pattern = (compiler.process(part, **options) for part in element.clauses)
    return f"({text} LIKE {pattern} ESCAPE '/')"


@compiles(like_any_case, "postgresql")
def _postgresql_like(element: like_any_case, compiler: Any, **options: Any) -> str:
    text, pattern = (compiler.process(part, **options) for part in element.clauses)
    return f"({text} ILIKE {pattern} ESCAPE '/')"


def contains_text(column: ColumnElement[str], text: str) -> like_any_case:
    """Whether it stands anywhere in the column, whatever the case."""
    meant = text.replace("/", "//").replace("%", "/%").replace("_", "/_")
    return like_any_case(column, f"%{meant}%")


class given_pairs(GenericFunction[Any]):
    """Pairs of whole numbers out of one text, a JSON list of lists, to the right of IN. Both databases look
    them up one by one; given a list of pairs, they look through the whole table.
    """

    inherit_cache = True


@compiles(given_pairs, "sqlite")
def _sqlite_pairs(element: given_pairs, compiler: Any, **options: Any) -> str:
    numbers = ", ".join(f"CAST(json_extract(value, '$[{at}]') AS INTEGER)" for at in (0, 1))
    return f"(SELECT {numbers} FROM json_each({compiler.process(element.clauses, **options)}))"


@compiles(given_pairs, "postgresql")
def _postgresql_pairs(element: given_pairs, compiler: Any, **options: Any) -> str:
    given = compiler.process(element.clauses, **options)
    return (
        "(SELECT CAST(value->>0 AS bigint), CAST(value->>1 AS integer) "
        f"FROM json_array_elements(CAST({given} AS json)))"
    )


Insert = postgresql.Insert | sqlite.Insert


def insert_or_ignore(connection: Connection, table: Table) -> Insert:
    return _insert(connection, table).on_conflict_do_nothing()


def insert_or_replace(connection: Connection, table: Table, columns: Sequence[str]) -> Insert:
    """`columns` take the new values where the primary key is there already."""
    statement = _insert(connection, table)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={name: statement.excluded[name] for name in columns},
    )


def _insert(connection: Connection, table: Table) -> Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def storable(text: str | None) -> str | None:
    """PostgreSQL has no NUL and no lone surrogates in its texts."""
    if text is None:
        return None
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def read_now(connection: Connection) -> float:
    """The database's clock."""
    return float(connection.execute(select(db_now())).scalar_one())
