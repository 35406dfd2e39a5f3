"""What `/fleet/chunks` shows: its address read, each chunk with its claims. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from cloud_monitor.system.text import format_number, one_line
from webapp.errors import RequestRefused
from webapp.pages.cells import BAD, WARN, Cell, day_and_time
from webapp.views.fleet.words import coarse_span, count_text
from worker.review.chunks import CHUNK_STATES, ChunkAttempt, ChunkLife, ChunksPage

_TONES = {"failed": BAD, "cancelled": "z"}
_OUTCOMES = {"failed": WARN, "crashed": BAD, "expired": WARN}
_ID_MAX = 2**31 - 1
_NAME_MAX = 1000


@dataclass(frozen=True, slots=True)
class ChunkChoice:
    batch: str
    state: str  # "" asks for all
    after: int  # chunk


@dataclass(frozen=True, slots=True)
class ChunkLine:
    name: str
    state: Cell
    pictures: Cell
    waits: Cell  # what for, or how it ended
    claims: tuple[Cell, ...]  # the newest first


@dataclass(frozen=True, slots=True)
class ChunksView:
    batch: str
    states: tuple[tuple[str, str], ...]  # words and query of each choice
    lines: tuple[ChunkLine, ...]
    query_string: str
    next_query: str  # "" on the last page


def read_choice(arguments: Mapping[str, str]) -> ChunkChoice:
    """Raises RequestRefused: 400 for what no link of the page says."""
    state, after = arguments.get("state", ""), arguments.get("after", "0")
    if state and state not in CHUNK_STATES:
        raise RequestRefused(400, "bad_query", f"state must be one of {', '.join(CHUNK_STATES)}")
    if not (after.isascii() and after.isdecimal() and int(after[:20]) <= _ID_MAX):
        raise RequestRefused(400, "bad_query", "after must be as the link to the next page has it")
    return ChunkChoice(arguments.get("batch", "")[:_NAME_MAX].replace("\0", ""), state, int(after))


def chunks_view(found: ChunksPage, choice: ChunkChoice, hold: str) -> ChunksView:
    """`hold`: who holds the whole fleet, and why."""
    following = "" if found.after is None else _query(choice.batch, choice.state, found.after)
    return ChunksView(
        batch=choice.batch,
        states=tuple((state or "all", _query(choice.batch, state)) for state in ("", *CHUNK_STATES)),
        lines=tuple(_line(chunk, found.at, hold) for chunk in found.chunks),
        query_string=_query(choice.batch, choice.state, choice.after),
        next_query=following,
    )


def _query(batch: str, state: str, after: int = 0) -> str:
    asked = {"batch": batch, "state": state, "after": after or ""}
    return urlencode({name: value for name, value in asked.items() if value})


def _line(chunk: ChunkLife, at: float, hold: str) -> ChunkLine:
    done = f"{format_number(chunk.images_done)} of {format_number(chunk.images)}"
    failed = f", {format_number(chunk.images_failed)} failed" if chunk.images_failed else ""
    earlier = chunk.claims - len(chunk.attempts)
    claims = tuple(_claim(attempt) for attempt in chunk.attempts)
    more = (Cell(f"and {count_text(earlier, 'earlier claim')}", "z"),) if earlier > 0 and claims else ()
    return ChunkLine(
        name=one_line(chunk.name),
        state=Cell(chunk.state, f"t {_TONES.get(chunk.state, '')}".strip()),
        pictures=Cell(done + failed),
        waits=Cell("; ".join(_reasons(chunk, at, hold)), "t"),
        claims=(*claims, *more),
    )


def _reasons(chunk: ChunkLife, at: float, hold: str) -> Iterator[str]:
    """What a chunk that waits waits for, what one that was given up had, when another one ended."""
    if chunk.state == "pending":
        if hold:
            yield f"the whole fleet is held: {one_line(hold)}"
        if chunk.is_paused:
            yield "paused"
        if chunk.not_before > at:
            yield f"tried again at {day_and_time(chunk.not_before)}"
    if chunk.error and chunk.state != "done":
        yield one_line(chunk.error)
    if chunk.ended_at is not None:
        yield f"ended {day_and_time(chunk.ended_at)}"
        if chunk.deadline is not None and chunk.ended_at > chunk.deadline:
            yield f"{coarse_span(chunk.ended_at - chunk.deadline)} after its deadline"


def _claim(attempt: ChunkAttempt) -> Cell:
    by = f"{day_and_time(attempt.claimed_at)} {one_line(attempt.worker, 80)} on {one_line(attempt.host, 80)}"
    if attempt.ended_at is None:
        return Cell(f"{by}: at work", "t")
    how = f"{attempt.outcome or 'ended'} after {coarse_span(attempt.ended_at - attempt.claimed_at)}"
    why = f": {one_line(attempt.error, 200)}" if attempt.error else ""
    tone = _OUTCOMES.get(attempt.outcome or "", "")
    return Cell(f"{by}: {how}{why}", f"t {tone}".strip())
