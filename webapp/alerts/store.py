"""What alerts remember: episodes, silences, the outbox, who did what; one SQLite file in the state folder.

A change of state and the messages it leads to are one transaction: both or neither survive whatever dies.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cloud_monitor.system import sqlite_file
from webapp.alerts.azure import AzureAlert
from webapp.alerts.model import Alert, AlertKey, Known, Samples, Silence
from webapp.alerts.sending.outbox import ChannelState, MessageOutbox

log = logging.getLogger(__name__)

FILE_NAME = "alerts.sqlite"
READ_S = 2.0
KEEP_S = 400 * 86400  # history and what was sent
_SCHEMA = """
CREATE TABLE alerts (rule TEXT NOT NULL, place TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (rule, place));
CREATE TABLE silences (
    number INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, place TEXT NOT NULL,
    starts_at REAL NOT NULL, ends_at REAL NOT NULL, by TEXT NOT NULL, comment TEXT NOT NULL,
    until_over INTEGER NOT NULL);
CREATE TABLE messages (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL, channel TEXT NOT NULL,
    alert TEXT NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL, made_at REAL NOT NULL,
    not_before REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, sent_at REAL, given_up_at REAL,
    error TEXT NOT NULL DEFAULT '', UNIQUE (id, channel));
CREATE INDEX waiting ON messages (not_before) WHERE sent_at IS NULL AND given_up_at IS NULL;
CREATE TABLE channels (
    name TEXT PRIMARY KEY, delivered_at REAL, failed_at REAL, failures INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '');
CREATE TABLE history (
    number INTEGER PRIMARY KEY, at REAL NOT NULL, what TEXT NOT NULL, by TEXT NOT NULL, rule TEXT NOT NULL,
    place TEXT NOT NULL, alert TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE state (name TEXT PRIMARY KEY, data TEXT NOT NULL);
"""
_TABLES = sqlite_file.Tables(_SCHEMA, version=1, probe="SELECT count(*) FROM alerts")


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    at: float
    what: str  # fired over acknowledged silenced unsilenced action ...
    by: str
    rule: str
    place: str
    alert: str
    text: str


@dataclass(frozen=True, slots=True)
class AlertsState:
    """All that pages and commands show."""

    known: Known = field(default_factory=Known)
    silences: tuple[Silence, ...] = ()
    foreign_silences: tuple[Mapping[str, Any], ...] = ()  # as webapp.alerts.sending.alertmanager keeps them
    channels: tuple[ChannelState, ...] = ()
    evaluated_at: float = 0.0
    waiting: int = 0  # messages


class AlertStore:
    """One open transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection
        self.outbox = MessageOutbox(connection)

    def read_known(self) -> Known:
        alerts = [_alert(json.loads(row[0])) for row in self._sql.execute("SELECT data FROM alerts")]
        rest = self._get("engine", {})
        return Known(
            {alert.key: alert for alert in alerts},
            int(rest.get("episodes", 0)),
            dict(rest.get("settling", {})),
            frozenset(rest.get("warned", ())),
        )

    def write_known(self, before: Known, after: Known) -> None:
        gone = before.alerts.keys() - after.alerts.keys()
        self._sql.executemany("DELETE FROM alerts WHERE rule = ? AND place = ?", [tuple(key) for key in gone])
        new = [alert for key, alert in after.alerts.items() if before.alerts.get(key) != alert]
        self._sql.executemany(
            "INSERT OR REPLACE INTO alerts VALUES (?, ?, ?)",
            [(alert.key.rule, alert.key.place, json.dumps(asdict(alert))) for alert in new],
        )
        rest = {
            "episodes": after.episodes,
            "settling": dict(after.settling),
            "warned": sorted(after.warned),
        }
        self._put("engine", rest)

    def read_samples(self) -> Samples:
        return {
            AlertKey(rule, place): tuple((float(at), float(value)) for at, value in points)
            for rule, place, points in self._get("samples", [])
        }

    def write_samples(self, samples: Samples) -> None:
        self._put("samples", [[*key, points] for key, points in samples.items()])

    @property
    def evaluated_at(self) -> float:
        return float(self._get("evaluated_at", 0.0))

    def note_evaluated(self, at: float) -> None:
        self._put("evaluated_at", at)

    def read_silences(self) -> tuple[Silence, ...]:
        rows = self._sql.execute(
            "SELECT rule, place, starts_at, ends_at, by, comment, until_over, number FROM silences "
            "ORDER BY number"
        )
        return tuple(
            Silence(rule, place, starts_at, ends_at, by, comment, bool(until_over), number)
            for rule, place, starts_at, ends_at, by, comment, until_over, number in rows
        )

    def read_foreign_silences(self) -> list[dict[str, Any]]:
        """As webapp.alerts.sending.alertmanager keeps them."""
        return list(self._get("foreign_silences", []))

    def write_foreign_silences(self, silences: list[dict[str, Any]]) -> None:
        self._put("foreign_silences", silences)

    def add_silence(self, silence: Silence) -> int:
        """Its number."""
        row = self._sql.execute(
            "INSERT INTO silences (rule, place, starts_at, ends_at, by, comment, until_over) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING number",
            (silence.rule, silence.place, silence.starts_at, silence.ends_at, silence.by, silence.comment,
             silence.until_over),
        ).fetchone()  # fmt: skip
        return int(row[0])

    def remove_silence(self, number: int) -> bool:
        return self._sql.execute("DELETE FROM silences WHERE number = ?", (number,)).rowcount == 1

    def note(self, entry: HistoryEntry) -> None:
        self._sql.execute(
            "INSERT INTO history (at, what, by, rule, place, alert, text) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (entry.at, entry.what, entry.by, entry.rule, entry.place, entry.alert, entry.text),
        )

    def read_history(self, entries_max: int, alert: str = "") -> tuple[HistoryEntry, ...]:
        """The newest first; of one alert where its id is given."""
        rows = self._sql.execute(
            "SELECT at, what, by, rule, place, alert, text FROM history WHERE ? IN ('', alert) "
            "ORDER BY number DESC LIMIT ?",
            (alert, entries_max),
        )
        return tuple(HistoryEntry(*row) for row in rows)

    def forget_old(self, now: float) -> None:
        self._sql.execute("DELETE FROM history WHERE at < ?", (now - KEEP_S,))
        self._sql.execute("DELETE FROM messages WHERE made_at < ?", (now - KEEP_S,))

    def action_begun_at(self, name: str) -> float:
        """When an action was run last, 0.0 for never."""
        return float(self._get(f"action {name}", 0.0))

    def note_action(self, name: str, at: float) -> None:
        self._put(f"action {name}", at)

    def read_azure(self) -> tuple[AzureAlert, ...]:
        """What Azure has told of, also what is over, so that it does not begin again."""
        return tuple(AzureAlert(**one) for one in self._get("azure", []))

    def write_azure(self, alerts: Iterable[AzureAlert]) -> None:
        self._put("azure", [asdict(one) for one in alerts])

    def read_state(self) -> AlertsState:
        foreign, channels = tuple(self.read_foreign_silences()), self.outbox.read_channels()
        return AlertsState(
            self.read_known(), self.read_silences(), foreign, channels, self.evaluated_at,
            self.outbox.count_waiting(),
        )  # fmt: skip

    def _get(self, name: str, otherwise: Any) -> Any:
        row = self._sql.execute("SELECT data FROM state WHERE name = ?", (name,)).fetchone()
        return otherwise if row is None else json.loads(row[0])

    def _put(self, name: str, data: object) -> None:
        self._sql.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, json.dumps(data)))


@contextmanager
def open_store(state_dir: Path) -> Iterator[AlertStore]:
    """A transaction, as sqlite_file.open_transaction makes it; after a broken file what holds is told again.

    Raises OSError or sqlite3.Error where the folder cannot be written.
    """
    with sqlite_file.open_transaction(state_dir / FILE_NAME, _TABLES, synchronous="FULL") as connection:
        yield AlertStore(connection)


@contextmanager
def _open_to_read(state_dir: Path) -> Iterator[AlertStore | None]:
    with sqlite_file.open_to_read(state_dir / FILE_NAME, READ_S) as connection:
        yield None if connection is None else AlertStore(connection)


def load_alerts(state_dir: Path) -> AlertsState:
    """What is remembered; nothing where there is no file yet. Raises sqlite3.Error; ValueError, TypeError or
    KeyError where it is of another program.
    """
    with _open_to_read(state_dir) as store:
        return AlertsState() if store is None else store.read_state()


def read_alerts(state_dir: Path) -> AlertsState:
    """What is remembered; nothing where there is no file that can be read."""
    try:
        return load_alerts(state_dir)
    except (sqlite3.Error, ValueError, TypeError, KeyError) as error:
        log.warning("%s cannot be read: %s", state_dir / FILE_NAME, error)
        return AlertsState()


def load_history(state_dir: Path, entries_max: int, alert: str = "") -> tuple[HistoryEntry, ...]:
    """What has happened, the newest first; of one alert where its id is given. Raises sqlite3.Error."""
    with _open_to_read(state_dir) as store:
        return () if store is None else store.read_history(entries_max, alert)


def read_history(state_dir: Path, entries_max: int = 200, alert: str = "") -> tuple[HistoryEntry, ...]:
    """The same; nothing where there is no file that can be read."""
    try:
        return load_history(state_dir, entries_max, alert)
    except sqlite3.Error as error:
        log.warning("%s cannot be read: %s", state_dir / FILE_NAME, error)
        return ()


def _alert(data: Mapping[str, Any]) -> Alert:
    cause = data["cause"]
    return Alert(**{
        **data, "key": AlertKey(*data["key"]), "told": tuple(data["told"]),
        "cause": None if cause is None else AlertKey(*cause),
    })  # fmt: skip
