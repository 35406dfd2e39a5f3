"""The files in which all processes share the poll: what the last good one saw, in columns, which are quick to
read and small; and how the polling goes, the attempt noted before each poll.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from cloud_monitor.system.files import replace_file
from webapp.model.snapshot_view import PollOutcome
from webapp.model.tree import Value

SNAPSHOT_NAME = "snapshot.json"
OUTCOME_NAME = "outcome.json"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Polled:
    """The series of a good poll, together with those that earlier ones saw and that are not forgotten yet."""

    taken_at: float = 0.0  # epoch seconds; 0.0 before the first good poll
    values: Sequence[Value] = ()


def read_polled(state_dir: Path) -> Polled:
    """What the file holds; a file that is absent, torn or of another version counts as no poll yet."""
    try:
        raw = json.loads((state_dir / SNAPSHOT_NAME).read_bytes())
        if raw["version"] != _VERSION:
            return Polled()
        columns = zip(raw["paths"], raw["values"], raw["timestamps"], strict=True)
        return Polled(float(raw["taken_at"]), [Value(*row) for row in columns])
    except (OSError, ValueError, TypeError, KeyError):
        return Polled()


def write_polled(state_dir: Path, polled: Polled) -> None:
    columns = {
        "version": _VERSION,
        "taken_at": polled.taken_at,
        "paths": [value.path for value in polled.values],
        "values": [value.value for value in polled.values],
        "timestamps": [value.timestamp for value in polled.values],
    }
    replace_file(state_dir / SNAPSHOT_NAME, json.dumps(columns, separators=(",", ":")).encode())


_NAMES = frozenset(field.name for field in fields(PollOutcome))


def read_outcome(state_dir: Path) -> PollOutcome:
    """What the file says; a file that is absent, torn or of another version counts as no poll yet."""
    try:
        raw = json.loads((state_dir / OUTCOME_NAME).read_bytes())
        never = PollOutcome()
        return PollOutcome(**{name: type(getattr(never, name))(raw[name]) for name in raw if name in _NAMES})
    except (OSError, ValueError, TypeError):
        return PollOutcome()


def write_outcome(state_dir: Path, outcome: PollOutcome) -> None:
    replace_file(state_dir / OUTCOME_NAME, json.dumps(asdict(outcome)).encode())
