"""How the polling goes: the attempt noted before each poll, and what came of it. Shared by all processes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from cloud_monitor.system.files import replace_file

FILE_NAME = "outcome.json"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last poll. Times are epoch seconds, 0.0 for never."""

    attempted_at: float = 0.0
    finished_at: float = 0.0  # of the last poll that came to an end, well or not
    succeeded_at: float = 0.0
    failures: int = 0  # failed polls since the last good one
    empty_polls: int = 0  # good polls in a row that found no series
    error: str = ""  # what went wrong with the last finished poll; empty when it went well
    duration_s: float = 0.0
    requests: int = 0
    series: int = 0

    @property
    def is_good(self) -> bool:
        return self.succeeded_at > 0 and not self.error


_NAMES = frozenset(field.name for field in fields(Outcome))


def read_outcome(state_dir: Path) -> Outcome:
    """What the file says; a file that is absent, torn or of another version counts as no poll yet."""
    try:
        raw = json.loads((state_dir / FILE_NAME).read_bytes())
        never = Outcome()
        return Outcome(**{name: type(getattr(never, name))(raw[name]) for name in raw if name in _NAMES})
    except (OSError, ValueError, TypeError):
        return Outcome()


def write_outcome(state_dir: Path, outcome: Outcome) -> None:
    replace_file(state_dir / FILE_NAME, json.dumps(asdict(outcome)).encode())
