"""Which VMs or jobs are asked for: a filter, an order and a part, as the address says it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from urllib.parse import urlencode

from webapp.inventory.model import RECORD_TYPES

WORDS_MAX = 8
_TEXT_MAX = 200
_PAGE_MAX = 1000


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """Empty is any. `sort` is a field, with `-` in front for descending; empty: what is in trouble first."""

    cloud: str = ""
    type: str = ""
    status: str = ""
    text: str = ""
    sort: str = ""
    page: int = 1

    @property
    def words(self) -> list[str]:
        """Each of them is to be found in what is shown."""
        return self.text.split()[:WORDS_MAX]

    @property
    def filters(self) -> bool:
        return bool(self.cloud or self.type or self.status or self.text)

    def query_string(self, **changes: str | int) -> str:
        """`?...` of an address for this, with `changes`; empty where nothing is asked for in particular.

        Another filter or order begins on the first page again.
        """
        changed = replace(self, **({"page": 1} | changes)) if changes else self  # type: ignore[arg-type]
        parts = {field.name: getattr(changed, field.name) for field in fields(changed)}
        said = {name: value for name, value in parts.items() if value not in ("", 1)}
        return f"?{urlencode(said)}" if said else ""


def read_query(arguments: Mapping[str, str], list_name: str) -> RecordQuery:
    """What the query of an address asks for; what makes no sense in it counts as not asked."""

    def text(name: str) -> str:
        return arguments.get(name, "").strip()[:_TEXT_MAX]

    page = arguments.get("page", "")
    return RecordQuery(
        text("cloud"),
        text("type"),
        text("status"),
        text("text"),
        text("sort") if text("sort").removeprefix("-") in sortable(list_name) else "",
        max(1, min(int(page), _PAGE_MAX)) if page.isascii() and page.isdigit() and len(page) < 9 else 1,
    )


def sortable(list_name: str) -> frozenset[str]:
    """The fields that a list may be sorted by; `key` is its name."""
    return frozenset({"key", *(field.name for field in fields(RECORD_TYPES[list_name]))})
