"""The event log as version 0.1 kept it (`events.json`), to be taken over once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from webapp.model.health import GRID_SILENT, HEARTBEAT_LOST, POLL_FAILING, Key

FILE_NAME = "events.json"
RETIRED_NAME = "events.json.taken-over"

_BEGINS = {"poll_failed": POLL_FAILING, "grid_stale": GRID_SILENT, "heartbeat_lost": HEARTBEAT_LOST}
_ENDS = {"poll_recovered": POLL_FAILING, "grid_back": GRID_SILENT, "heartbeat_back": HEARTBEAT_LOST}
_KINDS = {"poll": POLL_FAILING, "grid": GRID_SILENT, "heartbeat": HEARTBEAT_LOST}
_LOST, _BACK = " does not answer", " answers again"
_OVER = {POLL_FAILING: "poll answered again", GRID_SILENT: "sends data again"}


class OldEpisode(NamedTuple):
    """Something that was wrong, by its two events; `ended` is None where the second has not come yet."""

    key: Key
    began: float
    ended: float | None
    text: str
    over: str


def read_old_log(state_dir: Path) -> list[OldEpisode]:
    """What the file says, oldest first; nothing where there is none, or a torn one."""
    try:
        raw = json.loads((state_dir / FILE_NAME).read_bytes())
        wrong = {_key(_KINDS[kind], str(grid), str(service)) for kind, grid, service in raw["wrong"]}
        events = [(float(at), str(kind), str(grid), str(text)) for at, kind, grid, text in raw["events"]]
        return list(_pair(events, wrong))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []


def retire_old_log(state_dir: Path) -> None:
    """It is read no more; the previous version would begin a new one."""
    with suppress(OSError):
        os.replace(state_dir / FILE_NAME, state_dir / RETIRED_NAME)


def _pair(events: list[tuple[float, str, str, str]], wrong: set[Key]) -> Iterator[OldEpisode]:
    """What ends without having begun in the log is left out; what still holds began as early as the log."""
    begun: dict[Key, tuple[float, str]] = {}
    for at, kind, grid, text in reversed(events):
        service = text.removesuffix(_LOST).removesuffix(_BACK) if kind.startswith("heartbeat") else ""
        if kind in _BEGINS:
            begun.setdefault(_key(_BEGINS[kind], grid, service), (at, text))
        elif kind in _ENDS and (first := begun.pop(key := _key(_ENDS[kind], grid, service), None)):
            yield OldEpisode(key, first[0], at, first[1], _OVER.get(key.kind, text))
    oldest = min((at for at, *_ in events), default=None)
    for key in sorted(wrong):
        service = key.part + (f" on {key.host}" if key.host else "")
        text = {POLL_FAILING: "poll fails", GRID_SILENT: "no new data"}.get(key.kind, service + _LOST)
        began, said = begun.get(key, (oldest, text))
        if began is not None:
            yield OldEpisode(key, began, None, said, _OVER.get(key.kind, service + _BACK))


def _key(kind: str, grid: str, service: str) -> Key:
    name, _, host = service.partition(" on ")
    return Key(kind, grid, host=host, part=name) if kind == HEARTBEAT_LOST else Key(kind, grid)
