"""What people change of alerts: acknowledge, silence, and end either. For commands, page and API alike."""

from __future__ import annotations

from pathlib import Path

from cloud_monitor.system.text import duration_text
from webapp.alerts.causes import count_firing, find_causes, silences_of
from webapp.alerts.engine import ACK_S, acknowledge
from webapp.alerts.model import Alert, Known, Silence
from webapp.alerts.rules.rules import AlertSettings
from webapp.alerts.store import AlertStore, HistoryEntry
from webapp.poll.state_files import write_alert_count

SILENCE_S = 2 * 3600.0
SILENCE_MAX_S = 30 * 86400.0
ACK_MAX_S = 7 * 86400.0
NOTE_MAX, PLACE_MAX = 500, 500
SILENCES_MAX = 500  # each is gone through for every alert of every evaluation


class ChangeRefused(Exception):
    """What was asked cannot be done; the text says why."""


class NotThere(ChangeRefused):
    """There is no such alert or silence."""


def acknowledge_alert(
    store: AlertStore, alert_id: str, by: str, now: float, *, for_s: float = ACK_S, note: str = ""
) -> Alert:
    """Somebody takes care of it until then. Raises ChangeRefused."""
    if not 0 < for_s <= ACK_MAX_S:
        raise ChangeRefused(f"an acknowledgement lasts {duration_text(ACK_MAX_S)} at most")
    known = store.read_known()
    alert = _find_alert(known, alert_id)
    after = acknowledge(known, alert.key, by, now + for_s, note[:NOTE_MAX])
    store.write_known(known, after)
    store.note(
        HistoryEntry(now, "acknowledged", by, alert.key.rule, alert.key.place, alert.id, note[:NOTE_MAX])
    )
    return after.alerts[alert.key]


def take_back(store: AlertStore, alert_id: str, by: str, now: float) -> Alert:
    """Nobody takes care of it any more; that is told with the next evaluation. Raises ChangeRefused."""
    known = store.read_known()
    alert = _find_alert(known, alert_id)
    if not alert.is_acknowledged(now):
        raise ChangeRefused(f"nobody takes care of alert {alert_id}")
    after = acknowledge(known, alert.key, alert.acked_by, 0.0, alert.note)
    store.write_known(known, after)
    key, of = alert.key, f"of {alert.acked_by}"
    store.note(HistoryEntry(now, "acknowledgement taken back", by, key.rule, key.place, alert.id, of))
    return after.alerts[key]


def _find_alert(known: Known, alert_id: str) -> Alert:
    alert = next((one for one in known.alerts.values() if one.id == alert_id), None)
    if alert is None:
        raise NotThere(f"there is no alert {alert_id[:40]!r}; `alerts list` shows their ids")
    return alert


def silence_place(store: AlertStore, silence: Silence, settings: AlertSettings) -> tuple[int, int]:
    """Its number, and how many alerts it covers now. Raises ChangeRefused."""
    if silence.rule != "*" and silence.rule not in settings.rules:
        raise ChangeRefused(f"there is no rule {silence.rule[:80]!r}; `alerts rules` lists them")
    if not 0 < silence.ends_at - silence.starts_at <= SILENCE_MAX_S:
        raise ChangeRefused(f"a silence lasts {duration_text(SILENCE_MAX_S)} at most")
    if len(store.read_silences()) >= SILENCES_MAX:
        raise ChangeRefused(f"there are {SILENCES_MAX} silences already: end those that are not needed")
    number = store.add_silence(silence)
    by, now = silence.by, silence.starts_at
    store.note(HistoryEntry(now, "silenced", by, silence.rule, silence.place, "", silence.comment))
    return number, sum(silence.covers(key, now) for key in store.read_known().alerts)


def end_silence(store: AlertStore, number: int, by: str, now: float) -> Silence:
    """The one that has ended. Raises NotThere."""
    silence = next((one for one in store.read_silences() if one.number == number), None)
    if silence is None or not store.remove_silence(number):
        raise NotThere(f"there is no silence {number}; `alerts list` shows them")
    store.note(HistoryEntry(now, "unsilenced", by, silence.rule, silence.place, "", str(number)))
    return silence


def publish_count(store: AlertStore, settings: AlertSettings, state_dir: Path, now: float) -> None:
    """Have every page show how many alerts fire. Raises OSError."""
    state = store.read_state()
    causes = find_causes(state.known.alerts, settings.rules, silences_of(state, settings, now), now)
    write_alert_count(state_dir, count_firing(causes))
