"""How the past of a VM or job grows from one list to the next. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from webapp.inventory.model import Change, JobRecord, Record

CHANGES_MAX = 50  # the oldest are dropped


def begin(record: Record, at: int) -> list[Change]:
    """The past of what is seen for the first time, in the list of `at`."""
    return [Change(record.status, record.on_host, min(record.since or at, at))]


def goes_on(last: Change, record: Record, at: int) -> bool:
    """Whether the list of `at` adds nothing to a past that ends in `last`.

    A job that entered the same status anew, on the same host, has changed: it was started again in between.
    """
    same = (last.status, last.host) == (record.status, record.on_host)
    return same and not (isinstance(record, JobRecord) and _entered(last, record, at) is not None)


def proceed(past: Sequence[Change], record: Record, at: int) -> list[Change]:
    """`past` with what the list of `at` adds to it, if that is anything.

    A change is as old as its source says, where that lies between the last one and now.
    """
    last = past[-1]
    if goes_on(last, record, at):
        return list(past)
    entered = _entered(last, record, at)
    since = max(at, last.at) if entered is None else entered  # a clock may have been set back
    return _bounded([*past, Change(record.status, record.on_host, since)])


def _entered(last: Change, record: Record, at: int) -> int | None:
    """When it came into its status, where that lies between the last change and now."""
    return record.since if record.since is not None and last.at < record.since <= at else None


def leave(past: Sequence[Change], word: str, at: int) -> list[Change]:
    """`past` of what is not in the list of `at`."""
    return _bounded([*past, Change(word, "", max(at, past[-1].at))])


def _bounded(changes: list[Change]) -> list[Change]:
    return changes[-CHANGES_MAX:]
