"""The words of what is told (pure): the cause, how many wait behind it, since when, where to look, its id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import unquote

from cloud_monitor.system.text import duration_text, one_line
from webapp.alerts.model import Notice, NoticeKind
from webapp.alerts.rules.rules import AlertRule, AlertSettings
from webapp.alerts.sending.outbox import ACTION, OutMessage

_WORDS: Mapping[NoticeKind, str] = {
    "repeated": "STILL ",
    "escalated": "ESCALATED ",
    "resolved": "OVER ",
    "silence_ending": "SILENCE ENDS SOON ",
}
_BEHIND_MAX = 10
_TITLE_MAX, _LINE_MAX = 150, 300


def messages_of(notice: Notice, settings: AlertSettings, now: float) -> Iterator[OutMessage]:
    """One for each channel, all with one id."""
    rule = settings.rules.get(notice.alert.key.rule)
    title, body = title_of(notice, rule), body_of(notice, settings, now)
    prefix = ACTION if notice.kind == "action" else ""
    for channel in notice.channels:
        yield OutMessage(notice.id, notice.kind, prefix + channel, notice.alert.id, title, body)


def title_of(notice: Notice, rule: AlertRule | None) -> str:
    severity = rule.severity.upper() if rule is not None else "INFO"
    where = shown_place(notice.alert.key.place)
    what = f"{where}: {notice.alert.text}" if where else notice.alert.text
    return one_line(f"[{_WORDS.get(notice.kind, '')}{severity}] {what}", _TITLE_MAX)


def body_of(notice: Notice, settings: AlertSettings, now: float) -> str:
    alert = notice.alert
    lines = [alert.text]
    began = datetime.fromtimestamp(alert.since, settings.zone)
    lines.append(f"Since {began:%Y-%m-%d %H:%M %Z}, for {duration_text(max(0.0, now - alert.since))}.")
    if notice.because:
        lines.append(notice.because[:1].upper() + notice.because[1:] + ".")
    if notice.behind:
        lines.append(f"{len(notice.behind)} more wait behind it:")
        lines += [f"- {text}" for text in notice.behind[:_BEHIND_MAX]]
        if len(notice.behind) > _BEHIND_MAX:
            lines.append("- ...")
    lines.append(f"Rule {alert.key.rule}, place {shown_place(alert.key.place) or 'everything'}.")
    if settings.base_url:
        lines.append(f"{settings.base_url.rstrip('/')}/alerts/{alert.id}")
    lines.append(f"id: {notice.id}")
    return "\n".join(one_line(line, _LINE_MAX) for line in lines)


def shown_place(place: str) -> str:
    return one_line(" / ".join(unquote(name, errors="replace") for name in place.split("/")), _LINE_MAX)
