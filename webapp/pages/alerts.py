"""The pages of alerts: what fires with its symptoms, who takes care of what, how channels do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cloud_monitor.system.text import duration_text
from webapp.alerts.causes import Cause, CauseState, severity_of
from webapp.alerts.model import Alert, Silence
from webapp.alerts.observe import plot_targets
from webapp.alerts.rules.rules import AlertRule, AlertSettings
from webapp.alerts.rules.windows import hours_text
from webapp.alerts.sending.message import shown_place
from webapp.alerts.sending.outbox import ChannelState
from webapp.alerts.store import AlertsState, HistoryEntry
from webapp.model.health import Finding, Level
from webapp.pages.cells import BAD, NOTHING, WARN, Cell

SECTIONS: Mapping[CauseState, str] = {
    "firing": "Firing",
    "acknowledged": "Acknowledged",
    "pending": "Pending",
    "silenced": "Silenced",
}
_LEVELS = {"critical": Level.BAD, "warning": Level.WARN, "info": Level.WARN}
_OLD_S = 180.0  # an evaluation that is older is late


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert as a line. `place` and `rule` are those that a silence names."""

    id: str
    place: str
    rule: str
    name: str
    text: str
    finding: Finding
    since: Cell
    care: Cell
    symptoms: tuple[AlertLine, ...] = ()
    targets: tuple[str, ...] = ()
    began: float = 0.0
    is_acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class SilenceRow:
    number: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class AlertsPage:
    """`sections` are headings with their lines; those without any are left out."""

    note: Cell
    sections: tuple[tuple[str, tuple[AlertLine, ...]], ...]
    silences: tuple[SilenceRow, ...]
    windows: tuple[tuple[Cell, ...], ...]
    channels: tuple[tuple[Cell, ...], ...]
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlertPage:
    """One alert. `line` is None when it is over; `history` is what is left of it then."""

    title: str
    line: AlertLine | None
    facts: tuple[tuple[str, Cell], ...]
    history: tuple[tuple[Cell, ...], ...]
    targets: tuple[str, ...] = ()
    began: float = 0.0
    rules: tuple[str, ...] = field(default=())


class Naming:
    """How places are called: grids by the names that are shown for them."""

    def __init__(self, grid_names: Mapping[str, str]) -> None:
        self._grid_names = grid_names

    def place(self, place: str) -> str:
        if place in ("", "*"):
            return "everything"
        grid, *below = shown_place(place).split(" / ")
        return " / ".join((self._grid_names.get(grid, grid), *below))


def alerts_page(
    state: AlertsState,
    causes: Iterable[Cause],
    open_now: Sequence[Silence],
    settings: AlertSettings,
    naming: Naming,
    now: float,
) -> AlertsPage:
    """`open_now`: the maintenance windows that are open."""
    found: dict[CauseState, list[AlertLine]] = {}
    for cause in causes:
        found.setdefault(cause.state, []).append(cause_line(cause, settings.rules, naming, now))
    return AlertsPage(
        _evaluated(state, now),
        tuple((heading, tuple(found[state])) for state, heading in SECTIONS.items() if state in found),
        tuple(SilenceRow(one.number, _silence_cells(one, naming, now)) for one in state.silences),
        _windows(settings, open_now, naming, now),
        _channels(state.channels, settings, now),
        tuple(settings.rules),
    )


def alert_page(
    found: Alert | None,
    cause: Cause | None,
    history: Sequence[HistoryEntry],
    settings: AlertSettings,
    naming: Naming,
    now: float,
) -> AlertPage:
    """`cause` where the alert is one, and not a symptom of another. Either `found` or `history` is there."""
    rows = tuple(_history_cells(entry) for entry in history)
    if found is None:
        last = next((one for one in history if one.text and one.what in ("fired", "over")), history[0])
        over = (
            ("State", Cell("over")),
            ("Place", Cell(naming.place(last.place))),
            ("Rule", Cell(last.rule)),
        )
        return AlertPage(last.text or last.rule, None, over, rows)
    line = alert_line(found, settings.rules, naming, now)
    if cause is not None:
        line = cause_line(cause, settings.rules, naming, now)
    told = ", ".join(found.told) or "nobody"
    facts = (
        ("State", Cell(found.state if found.clear_since is None else "over, is kept for a while")),
        ("Place", Cell(line.name)),
        ("Rule", Cell(found.key.rule)),
        ("Severity", Cell(severity_of(found, settings.rules))),
        ("Since", line.since),
        ("Explained by", Cell("" if found.cause is None or cause is not None else found.cause.rule)),
        ("Told", Cell(told)),
        ("Care", line.care),
        ("Came and went", Cell(f"{found.flaps} times" if found.flaps else "")),
    )
    return AlertPage(
        found.text,
        line,
        tuple((name, cell) for name, cell in facts if cell.text),
        rows,
        line.targets,
        found.since,
        tuple(settings.rules),
    )


def cause_line(cause: Cause, rules: Mapping[str, AlertRule], naming: Naming, now: float) -> AlertLine:
    symptoms = tuple(alert_line(one, rules, naming, now) for one in cause.symptoms)
    return alert_line(cause.alert, rules, naming, now, symptoms)


def alert_line(
    alert: Alert,
    rules: Mapping[str, AlertRule],
    naming: Naming,
    now: float,
    symptoms: tuple[AlertLine, ...] = (),
) -> AlertLine:
    age = duration_text(max(0.0, now - alert.since))
    return AlertLine(
        alert.id,
        alert.key.place,
        alert.key.rule,
        naming.place(alert.key.place),
        alert.text,
        Finding(_LEVELS[severity_of(alert, rules)]),
        Cell(f"for {age}"),
        Cell(_care_text(alert, now)),
        symptoms,
        plot_targets(alert.key, rules.get(alert.key.rule)),
        alert.since,
        alert.is_acknowledged(now),
    )


def _care_text(alert: Alert, now: float) -> str:
    words = []
    if alert.is_acknowledged(now):
        note = f": {alert.note}" if alert.note else ""
        words.append(f"{alert.acked_by} takes care for {duration_text(alert.acked_until - now)}{note}")
    if alert.silenced:
        words.append(f"silenced {alert.silenced}")
    if alert.clear_since is not None:
        words.append("over, is kept for a while")
    elif alert.unknown_since is not None:
        words.append("unknown now")
    return "; ".join(words)


def _evaluated(state: AlertsState, now: float) -> Cell:
    if not state.evaluated_at:
        return Cell("Alerts have not been evaluated yet.", WARN)
    age_s = max(0.0, now - state.evaluated_at)
    waiting = f", {state.waiting} messages wait" if state.waiting else ""
    return Cell(f"Evaluated {duration_text(age_s)} ago{waiting}.", BAD if age_s > _OLD_S else "")


def _silence_cells(silence: Silence, naming: Naming, now: float) -> tuple[Cell, ...]:
    left = duration_text(max(0.0, silence.ends_at - now))
    return (
        Cell(naming.place(silence.place)),
        Cell("all" if silence.rule == "*" else silence.rule),
        Cell("until it is over" if silence.until_over else f"for {left}"),
        Cell(silence.by),
        Cell(silence.comment),
    )


def _windows(
    settings: AlertSettings, open_now: Sequence[Silence], naming: Naming, now: float
) -> tuple[tuple[Cell, ...], ...]:
    rows = []
    for window in settings.windows:
        key = (window.rule, window.place, window.comment)
        is_open = next((one for one in open_now if (one.rule, one.place, one.comment) == key), None)
        left = f"open for {duration_text(is_open.ends_at - now)}" if is_open is not None else ""
        rows.append(
            (
                Cell(f"{hours_text(window.hours)} {settings.time_zone}"),
                Cell(naming.place(window.place)),
                Cell("all" if window.rule == "*" else window.rule),
                Cell(left, WARN if left else ""),
                Cell(window.comment),
            )
        )
    return tuple(rows)


def _channels(
    states: Iterable[ChannelState], settings: AlertSettings, now: float
) -> tuple[tuple[Cell, ...], ...]:
    known = {one.name: one for one in states}
    rows = []
    for name in sorted(settings.channels.keys() | known.keys()):
        one = known.get(name)
        delivered = NOTHING if one is None or one.delivered_at is None else _ago(one.delivered_at, now)
        failed = one is not None and one.failures > 0
        how = f"{one.failures} failures in a row: {one.error}" if one is not None and failed else ""
        rows.append((Cell(name), Cell(delivered), Cell(how or "well", BAD if failed else "")))
    return tuple(rows)


def _ago(at: float, now: float) -> str:
    return f"{duration_text(max(0.0, now - at))} ago"


def _history_cells(entry: HistoryEntry) -> tuple[Cell, ...]:
    at = datetime.fromtimestamp(entry.at, UTC)
    return Cell(f"{at:%Y-%m-%d %H:%M:%S}"), Cell(entry.what), Cell(entry.by), Cell(entry.text)
