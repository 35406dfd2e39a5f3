"""What is to be sent, and how each channel does: rows of the alerts' file, within its transactions."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

ACTION = "action:"  # before the name of an action, where a channel's stands
GIVE_UP_S = 86400.0  # a message that could not be sent for so long
# None waits for longer: one that seems to was queued before the clock was set back.
AHEAD_MAX_S = 1000.0
FAILING_FROM = 3  # failures in a row from which on a channel is itself an alert


@dataclass(frozen=True, slots=True)
class OutMessage:
    """What is to be sent on one channel. `alert` is the id that closes what it opened."""

    id: str
    kind: str
    channel: str
    alert: str
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class ChannelState:
    name: str
    delivered_at: float | None
    failed_at: float | None
    failures: int  # in a row
    error: str


class ClaimedMessage(NamedTuple):
    """A message that is about to be sent."""

    number: int
    message: OutMessage
    attempts: int


class MessageOutbox:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def queue(self, messages: Iterable[OutMessage], at: float) -> None:
        """Each once: a message that is there already is left as it is."""
        self._sql.executemany(
            "INSERT OR IGNORE INTO messages (id, kind, channel, alert, title, body, made_at, not_before) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(m.id, m.kind, m.channel, m.alert, m.title, m.body, at, at) for m in messages],
        )

    def read_channels(self) -> tuple[ChannelState, ...]:
        rows = self._sql.execute(
            "SELECT name, delivered_at, failed_at, failures, error FROM channels ORDER BY name"
        )
        return tuple(ChannelState(*row) for row in rows)

    def count_waiting(self, due_at: float | None = None) -> int:
        """Messages that are not sent yet; those that are due where a time is given."""
        row = self._sql.execute(
            "SELECT count(*) FROM messages WHERE sent_at IS NULL AND given_up_at IS NULL AND (? IS NULL OR "
            "not_before <= ? OR not_before > ? + ?)",
            (due_at, due_at, due_at, AHEAD_MAX_S),
        ).fetchone()
        return int(row[0])

    def claim(self, now: float, lease_s: float, without: frozenset[str]) -> ClaimedMessage | None:
        """The next message that is due; the attempt is noted before it is made."""
        names = json.dumps(sorted(without))
        row = self._sql.execute(
            "UPDATE messages SET attempts = attempts + 1, not_before = ? WHERE number = ("
            " SELECT m.number FROM messages m LEFT JOIN channels c ON c.name = m.channel"
            " WHERE m.sent_at IS NULL AND m.given_up_at IS NULL AND (m.not_before <= ? OR m.not_before > ?)"
            " AND m.channel NOT IN (SELECT value FROM json_each(?))"
            " ORDER BY coalesce(c.failures, 0), m.number LIMIT 1)"
            " RETURNING number, id, kind, channel, alert, title, body, attempts",
            (now + lease_s, now, now + AHEAD_MAX_S, names),
        ).fetchone()
        return None if row is None else ClaimedMessage(row[0], OutMessage(*row[1:7]), row[7])

    def note_sent(self, number: int, channel: str, at: float) -> None:
        self._sql.execute("UPDATE messages SET sent_at = ?, error = '' WHERE number = ?", (at, number))
        self.note_channel(channel, "", at)

    def note_channel(self, channel: str, error: str, at: float) -> None:
        """How it went; without an error it has delivered."""
        if error:
            self._sql.execute(
                "INSERT INTO channels (name, failed_at, failures, error) VALUES (?, ?, 1, ?) "
                "ON CONFLICT (name) DO UPDATE SET failed_at = excluded.failed_at, failures = failures + 1, "
                "error = excluded.error",
                (channel, at, error),
            )
            return
        self._sql.execute(
            "INSERT INTO channels (name, delivered_at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET "
            "delivered_at = excluded.delivered_at, failures = 0, error = ''",
            (channel, at),
        )

    def forget_channels_but(self, names: Iterable[str]) -> None:
        """One that the settings name no more fails no more."""
        self._sql.execute(
            "DELETE FROM channels WHERE name NOT IN (SELECT value FROM json_each(?))", (json.dumps([*names]),)
        )

    def note_failed(self, number: int, channel: str, error: str, at: float, again_at: float) -> None:
        """To be tried again; given up when it has waited for a day."""
        self._sql.execute(
            "UPDATE messages SET not_before = ?, error = ?, given_up_at = CASE WHEN made_at < ? THEN ? END "
            "WHERE number = ?",
            (again_at, error, at - GIVE_UP_S, at, number),
        )
        self.note_channel(channel, error, at)

    def give_up(self, number: int, error: str, at: float) -> None:
        self._sql.execute(
            "UPDATE messages SET given_up_at = ?, error = ? WHERE number = ?", (at, error, number)
        )

    def read_message(self, id: str, channel: str) -> tuple[int, float | None, str] | None:
        """Of one message: attempts, when it was sent, the last error."""
        row = self._sql.execute(
            "SELECT attempts, sent_at, error FROM messages WHERE id = ? AND channel = ?", (id, channel)
        ).fetchone()
        return None if row is None else (int(row[0]), row[1], str(row[2]))
