"""What alerts are made of: keys, what is seen, silences, episodes, and what is to be said (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Literal, NamedTuple, Protocol
from urllib.parse import quote

AZURE_CRITICAL, AZURE_WARNING = "azure_critical", "azure_warning"  # what Azure tells of itself
NoticeKind = Literal["firing", "resolved", "repeated", "escalated", "silence_ending", "action"]


class AlertKey(NamedTuple):
    """Two alerts are the same when these are. A place is names from the grid on, each quoted, joined by `/`;
    empty for what concerns everything.
    """

    rule: str
    place: str

    @property
    def digest(self) -> str:
        return sha256("\0".join(self).encode("utf-8", "surrogatepass")).hexdigest()[:8]


Samples = Mapping[AlertKey, tuple[tuple[float, float], ...]]  # of rules on an increase: time, value


def place_of(names: Iterable[str]) -> str:
    return "/".join(map(_quoted, names))


@lru_cache(maxsize=4096)  # few names make up all places
def _quoted(name: str) -> str:
    return quote(name, safe="", errors="surrogatepass")


def is_within(place: str, outer: str) -> bool:
    """Whether a place is another one or below it; `*` and the empty place hold every one."""
    return outer in ("*", "", place) or place.startswith(outer + "/")


class RuleTiming(Protocol):
    """What the engine asks of a rule; all times in seconds."""

    @property
    def for_s(self) -> float: ...
    @property
    def keep_s(self) -> float: ...
    @property
    def repeat_s(self) -> float: ...
    @property
    def escalate_after_s(self) -> float: ...
    @property
    def channels(self) -> tuple[str, ...]: ...
    @property
    def escalate_to(self) -> tuple[str, ...]: ...
    @property
    def action(self) -> str: ...
    @property
    def may_explain(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that holds now. `began` is since when, where that is remembered (epoch seconds)."""

    key: AlertKey
    text: str
    value: float | None = None
    began: float | None = None
    flaps: int = 0
    cause: AlertKey | None = None
    not_to: frozenset[str] = frozenset()  # channels that cannot carry it


@dataclass(frozen=True, slots=True)
class Observation:
    """All that is seen at one moment. What is neither seen nor unknown does not hold."""

    seen: Mapping[AlertKey, Seen]
    unknown: frozenset[AlertKey] = frozenset()


@dataclass(frozen=True, slots=True)
class Silence:
    """`rule` may be `*`. `until_over`: it ends when nothing is left that it covers. A maintenance window has
    no number.
    """

    rule: str
    place: str
    starts_at: float
    ends_at: float
    by: str
    comment: str = ""
    until_over: bool = False
    number: int = 0

    @property
    def words(self) -> str:
        return f"by {self.by}" + (f" ({self.comment})" if self.comment else "")

    def covers(self, key: AlertKey, now: float) -> bool:
        is_on = self.starts_at <= now < self.ends_at
        return is_on and self.rule in ("*", key.rule) and is_within(key.place, self.place)


@dataclass(frozen=True, slots=True)
class Alert:
    """One episode of something that holds. Times are epoch seconds, None for never."""

    key: AlertKey
    episode: int
    state: Literal["pending", "firing"]
    since: float
    text: str
    value: float | None = None
    flaps: int = 0
    cause: AlertKey | None = None
    unknown_since: float | None = None
    clear_since: float | None = None
    told_at: float | None = None  # last; None: nobody was told
    told: tuple[str, ...] = ()  # channels that heard of it
    told_count: int = 0
    escalated: bool = False
    acked_by: str = ""
    acked_until: float = 0.0
    note: str = ""
    silenced: str = ""  # by what silence, in words

    @property
    def id(self) -> str:
        """What people and channels call it by: of this episode alone."""
        return f"{self.key.digest}-{self.episode}"

    def is_acknowledged(self, now: float) -> bool:
        return bool(self.acked_by) and now < self.acked_until


@dataclass(frozen=True, slots=True)
class Known:
    alerts: Mapping[AlertKey, Alert] = field(default_factory=dict)
    episodes: int = 0  # begun so far
    settling: Mapping[str, float] = field(default_factory=dict)  # place -> until when it may come back
    warned: frozenset[int] = frozenset()  # silences whose end was foretold


@dataclass(frozen=True, slots=True)
class Notice:
    """What is to be said. Its id with a channel never comes twice, so it is the sender's key."""

    kind: NoticeKind
    alert: Alert
    channels: tuple[str, ...]
    behind: tuple[str, ...] = ()  # texts of symptoms that wait behind this cause
    because: str = ""

    @property
    def id(self) -> str:
        return f"{self.alert.id}-{self.kind}-{self.alert.told_count}"


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one moment led to."""

    known: Known
    notices: tuple[Notice, ...]
    begun: tuple[Alert, ...] = ()
    ended: tuple[Alert, ...] = ()
