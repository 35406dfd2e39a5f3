"""The files in which all processes share the poll: what the last good one saw, in columns, which are quick to
read and small; how the polling goes, the attempt noted before each poll; and how many alerts fire.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from cloud_monitor.system.files import replace_file
from webapp.model.snapshot_view import AlertCount, PollOutcome
from webapp.model.tree import Value
from webapp.poll.times import NEVER, Clock, StoreSteps

SNAPSHOT_NAME = "snapshot.json"
OUTCOME_NAME = "outcome.json"
ALERTS_NAME = "alerts.json"
ARRIVALS_NAME = "arrivals"
_VERSION = 1
_ARRIVAL_KEPT_S = 86400


@dataclass(frozen=True, slots=True)
class Polled:
    """The series of a good poll, together with those that earlier ones saw and that are not forgotten yet."""

    taken_at: float = 0.0  # epoch seconds; 0.0 before the first good poll
    values: Sequence[Value] = ()
    clocks: Mapping[str, Clock] = field(default_factory=dict)  # by owner, see webapp.poll.times
    steps: StoreSteps = NEVER


def read_polled(state_dir: Path) -> Polled:
    """What the file holds; a file that is absent, torn or of another version counts as no poll yet."""
    try:
        raw = json.loads((state_dir / SNAPSHOT_NAME).read_bytes())
        if raw["version"] != _VERSION:
            return Polled()
        columns = zip(raw["paths"], raw["values"], raw["timestamps"], strict=True)
        clocks = {
            owner: Clock(float(ahead_s), {int(at): int(sent) for at, sent in seen})
            for owner, ahead_s, seen in raw.get("clocks", ())
        }
        seen_at, steps = raw.get("steps", (0.0, {}))
        store_steps = StoreSteps(float(seen_at), {grid: int(step_s) for grid, step_s in steps.items()})
        return Polled(float(raw["taken_at"]), [Value(*row) for row in columns], clocks, store_steps)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Polled()


def write_polled(state_dir: Path, polled: Polled) -> None:
    columns = {
        "version": _VERSION,
        "taken_at": polled.taken_at,
        "paths": [value.path for value in polled.values],
        "values": [value.value for value in polled.values],
        "timestamps": [value.timestamp for value in polled.values],
        "clocks": [
            (owner, clock.ahead_s, list(clock.seen.items())) for owner, clock in polled.clocks.items()
        ],
        "steps": (polled.steps.seen_at, dict(polled.steps.by_grid)),
    }
    replace_file(state_dir / SNAPSHOT_NAME, json.dumps(columns, separators=(",", ":")).encode())


_NAMES = frozenset(one.name for one in fields(PollOutcome))


def read_outcome(state_dir: Path) -> PollOutcome:
    """What the file says; a file that is absent, torn or of another version counts as no poll yet."""
    try:
        raw = json.loads((state_dir / OUTCOME_NAME).read_bytes())
        never = PollOutcome()
        return PollOutcome(**{name: type(getattr(never, name))(raw[name]) for name in raw if name in _NAMES})
    except (OSError, ValueError, TypeError):
        return PollOutcome()


def note_arrival(state_dir: Path, grid: str, ahead_s: float) -> None:
    """Keep how far the clock of a grid was ahead of this host's when a list came from it."""
    folder = state_dir / ARRIVALS_NAME
    with suppress(OSError):  # the list that came is kept already
        folder.mkdir(mode=0o700, exist_ok=True)
        replace_file(folder / grid, f"{ahead_s:.0f}\n".encode())


def read_arrivals(state_dir: Path) -> dict[str, float]:
    """What note_arrival has kept within a day, by grid."""
    found = {}
    for path in (state_dir / ARRIVALS_NAME).glob("*"):
        with suppress(OSError, ValueError):
            if time.time() - path.stat().st_mtime < _ARRIVAL_KEPT_S:
                found[path.name] = float(path.read_bytes())
            else:
                path.unlink()
    return found


def write_outcome(state_dir: Path, outcome: PollOutcome) -> None:
    replace_file(state_dir / OUTCOME_NAME, json.dumps(asdict(outcome)).encode())


def read_alert_count(state_dir: Path) -> AlertCount:
    """What the file says; a file that is absent or torn counts as none."""
    try:
        raw = json.loads((state_dir / ALERTS_NAME).read_bytes())
        worst = str(raw["worst"])
        return AlertCount(int(raw["firing"]), worst if worst.isalpha() and worst.isascii() else "")
    except (OSError, ValueError, TypeError, KeyError):
        return AlertCount()


def write_alert_count(state_dir: Path, count: AlertCount) -> None:
    """Where it is not the same already: every process has its pages rendered anew for it."""
    if count != read_alert_count(state_dir):
        replace_file(state_dir / ALERTS_NAME, json.dumps(count._asdict()).encode())
