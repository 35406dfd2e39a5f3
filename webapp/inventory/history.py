"""How the past of a VM or job grows from one list to the next. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from webapp.inventory.values import Change, Job, Thing

CHANGES_MAX = 50  # the oldest are dropped


def begin(thing: Thing, at: int) -> list[Change]:
    """The past of what is seen for the first time, in the list of `at`."""
    return [Change(thing.status, thing.place, min(thing.since or at, at))]


def proceed(past: Sequence[Change], thing: Thing, at: int) -> list[Change]:
    """`past` with what the list of `at` adds to it, if that is anything.

    A change is as old as its source says, where that lies between the last one and now. A job that entered
    the same status anew, on the same host, has changed as well: it was started again in between.
    """
    last = past[-1]
    entered = thing.since if thing.since is not None and last.at < thing.since <= at else None
    same = (last.status, last.host) == (thing.status, thing.place)
    if same and not (isinstance(thing, Job) and entered is not None):
        return list(past)
    since = max(at, last.at) if entered is None else entered  # a clock may have been set back
    return _bounded([*past, Change(thing.status, thing.place, since)])


def leave(past: Sequence[Change], word: str, at: int) -> list[Change]:
    """`past` of what is not in the list of `at`."""
    return _bounded([*past, Change(word, "", max(at, past[-1].at))])


def _bounded(changes: list[Change]) -> list[Change]:
    return changes[-CHANGES_MAX:]
