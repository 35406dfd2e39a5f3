"""What an address asks of a batch's results, read and written again. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from webapp.errors import RequestRefused
from worker.review import (
    ANSWERS,
    FAILED,
    NO_MOLECULE,
    NOTE_NAMES,
    NOTED,
    REVIEWS,
    SOURCE_ITSELF,
    TRUNCATED,
    After,
    ResultFilter,
    folder_of,
)

SHOWN = {
    ANSWERS: "read, least sure first",
    NOTED: "with a note",
    NO_MOLECULE: "not a molecule",
    TRUNCATED: "truncated",
    FAILED: "failed",
}
FILTERS = ("show", "below", "note", "error", "folder", "review", "text")  # as an address names them
TEXT_MAX, ERROR_MAX = 200, 500
_FOLDER_MAX = 4096


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for. `query_string` says the choice again, without the page of the list."""

    chosen: ResultFilter
    after: After | None
    query_string: str
    folder: str  # as the address has it; "" asks nothing
    narrowed: tuple[str, ...]  # name and value, where they are other than what a bare address shows

    def query_from(self, after: After | None) -> str:
        """The same choice, from another result on."""
        if after is None:
            return self.query_string
        begin = urlencode({"after": after_text(after)})
        return f"{self.query_string}&{begin}" if self.query_string else begin


def read_asked(arguments: Mapping[str, str]) -> Asked:
    """Raises RequestRefused: 400 for what no link of the page says; empty fields ask nothing."""
    show = _one_of("show", arguments.get("show", ""), tuple(SHOWN)) or ANSWERS
    note = _one_of("note", arguments.get("note", ""), NOTE_NAMES)
    review = _one_of("review", arguments.get("review", ""), REVIEWS)
    error, text = arguments.get("error", "")[:ERROR_MAX], arguments.get("text", "").strip()[:TEXT_MAX]
    folder = arguments.get("folder", "")
    if len(folder) > _FOLDER_MAX:
        raise RequestRefused(400, "bad_query", f"folder has more than {_FOLDER_MAX} characters")
    below = _share("below", arguments.get("below", "").strip())
    kept = {
        "show": "" if show == ANSWERS else show,
        "below": "" if below is None else f"{below:g}",
        "note": note,
        "error": error,
        "folder": folder,
        "review": review,
        "text": text,
    }
    after = arguments.get("after", "")
    # No text of a database holds NUL, and PostgreSQL refuses to be asked for one
    error, text, asked_folder = (word.replace("\0", "") for word in (error, text, folder))
    chosen = ResultFilter(
        show=show,
        below=below,
        note=note,
        error=error,
        text=text,
        review=review,
        folder=folder_of(asked_folder) if folder else None,
    )
    return Asked(
        chosen=chosen,
        after=read_after(after),
        query_string=urlencode({name: value for name, value in kept.items() if value}),
        folder=folder,
        narrowed=tuple(word for name, value in kept.items() if value for word in (name, value)),
    )


def read_chosen(arguments: Mapping[str, str]) -> tuple[ResultFilter | None, tuple[str, ...]]:
    """For an export: what its address chooses, None where it names no filter, and how a file's name says so.
    Raises as `read_asked`.
    """
    if not any(arguments.get(name) for name in FILTERS):
        return None, ()
    asked = read_asked({name: arguments.get(name, "") for name in FILTERS})
    return asked.chosen, asked.narrowed or ("show", asked.chosen.show)


def folder_word(folder: str) -> str:
    """How an address names a folder."""
    return folder or SOURCE_ITSELF


def after_text(after: After) -> str:
    """As `after=` says it."""
    place = f"{after.least!r},{after.chunk},{after.number}"
    return f"{place},{after.since}" if after.since else place


def _one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    if value and value not in known:
        raise RequestRefused(400, "bad_query", f"{name} must be one of {', '.join(known)}")
    return value


def _share(name: str, value: str) -> float | None:
    if not value:
        return None
    try:
        share = float(value)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise RequestRefused(400, "bad_query", f"{name} must be a confidence from 0 to 1")
    return share


def read_after(value: str) -> After | None:
    """Raises RequestRefused for what no link to a page says."""
    if not value:
        return None
    try:
        least, *whole = value.split(",")
        chunk, number, since = (*map(int, whole), 0)[:3] if len(whole) in (2, 3) else ()
        found = After(float(least), chunk, number, since)
    except ValueError:
        found = None
    places = () if found is None else (found.chunk, found.number, found.since)
    if found is None or not math.isfinite(found.least) or max(map(abs, places)) >= 2**31:
        raise RequestRefused(400, "bad_query", "after must be as the link to the next page has it")
    return found
