"""The whole life of an alert, pure: what is seen at a moment, what was known -> what is known, what to tell.

It knows no clock, file, network or channel. Nothing that is unknown begins or ends; whoever heard of a
beginning hears of its end, silence or not; what has a cause waits behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from webapp.alerts.model import (
    Alert,
    AlertKey,
    Known,
    Notice,
    NoticeKind,
    Observation,
    RuleTiming,
    Seen,
    Silence,
    StepResult,
    is_within,
)  # fmt: skip

SETTLE_S = 180.0  # after a cause has ended its place may take so long to come back as a whole
FLAPPING_KEEP_S = 3600.0  # what comes and goes is over after so long without it
WARN_BEFORE_S = 900.0  # a silence that ends while something still holds is told so long before
ACK_S = 4 * 3600.0


def step(
    known: Known,
    rules: Mapping[str, RuleTiming],
    observed: Observation,
    silences: Iterable[Silence],
    now: float,
) -> StepResult:
    return _Moment(known, rules, observed, tuple(silences), now).take()


def acknowledge(known: Known, key: AlertKey, by: str, until: float, note: str) -> Known:
    """Somebody takes care of it. Raises KeyError where there is no such alert."""
    alert = replace(known.alerts[key], acked_by=by, acked_until=until, note=note)
    return replace(known, alerts={**known.alerts, key: alert})


class _Moment:
    """One moment while it is gone through."""

    def __init__(
        self,
        known: Known,
        rules: Mapping[str, RuleTiming],
        observed: Observation,
        silences: tuple[Silence, ...],
        now: float,
    ) -> None:
        self._known, self._rules, self._observed, self._now = known, rules, observed, now
        self._silences = silences
        self._alerts = dict(known.alerts)
        self._episodes = known.episodes
        self._settling = {
            place: until for place, until in known.settling.items() if now < until <= now + SETTLE_S
        }
        self._notices: list[Notice] = []
        self._ended: list[Alert] = []

    def take(self) -> StepResult:
        for seen in self._observed.seen.values():
            if seen.key.rule in self._rules:
                self._hold(seen)
        for key, alert in list(self._alerts.items()):
            if key.rule not in self._rules:
                self._end(alert, "its rule was taken away")
            elif key in self._observed.unknown:
                self._alerts[key] = replace(alert, unknown_since=alert.unknown_since or self._now)
            elif key not in self._observed.seen:
                self._clear(alert)
        behind: dict[AlertKey, list[str]] = {}
        for alert in self._alerts.values():
            if alert.cause is not None:
                behind.setdefault(alert.cause, []).append(alert.text)
        for key in list(self._alerts):
            self._tell(self._alerts[key], tuple(behind.get(key, ())))
        warned = self._foretell()
        begun = tuple(one for key, one in self._alerts.items() if _is_new(one, self._known.alerts.get(key)))
        known = Known(self._alerts, self._episodes, self._settling, warned)
        return StepResult(known, tuple(self._notices), begun, tuple(self._ended))

    def _hold(self, seen: Seen) -> None:
        rule, alert, now = self._rules[seen.key.rule], self._alerts.get(seen.key), self._now
        if alert is None:
            self._episodes += 1
            began = now if seen.began is None else min(seen.began, now)
            alert = Alert(seen.key, self._episodes, "pending", began, seen.text)
        since = min(alert.since, now)  # the clock may have been set back
        if alert.unknown_since is not None and alert.state == "pending":
            since = min(now, since + max(0.0, now - alert.unknown_since))
        cause = seen.cause if seen.cause is not None and seen.cause.rule in self._rules else None
        alert = replace(
            alert, since=since, text=seen.text, value=seen.value, cause=cause,
            clear_since=None, unknown_since=None,
            flaps=max(alert.flaps + (alert.clear_since is not None), seen.flaps),
        )  # fmt: skip
        if alert.state == "pending" and now - alert.since >= rule.for_s:
            alert = replace(alert, state="firing")
        self._alerts[seen.key] = alert

    def _clear(self, alert: Alert) -> None:
        rule, now = self._rules[alert.key.rule], self._now
        if alert.state == "pending":
            del self._alerts[alert.key]
            return
        if alert.clear_since is None or alert.clear_since > now:
            alert = replace(alert, clear_since=now, unknown_since=None)
            if rule.may_explain:
                self._settling[alert.key.place] = now + SETTLE_S
        self._alerts[alert.key] = replace(alert, cause=None)
        keep_s = max(rule.keep_s, FLAPPING_KEEP_S if alert.flaps else 0.0)
        if now - (alert.clear_since or now) >= keep_s:
            self._end(alert)

    def _end(self, alert: Alert, because: str = "") -> None:
        if alert.told_at is not None:
            self._notices.append(Notice("resolved", alert, alert.told, (), because))
        if alert.state == "firing":
            self._ended.append(alert)
        del self._alerts[alert.key]

    def _tell(self, alert: Alert, behind: tuple[str, ...]) -> None:
        if alert.state != "firing":
            return
        rule, now, was_silenced = self._rules[alert.key.rule], self._now, alert.silenced
        silence = next((one for one in self._silences if one.covers(alert.key, now)), None)
        alert = replace(alert, silenced="" if silence is None else silence.words)
        self._alerts[alert.key] = alert
        if silence is not None:
            return
        if alert.clear_since is not None or alert.unknown_since is not None or alert.cause is not None:
            self._alerts[alert.key] = replace(alert, silenced=was_silenced)  # its end is told when this holds
            return
        ended = f"the silence {was_silenced} has ended" if was_silenced else ""
        if alert.told_at is None:
            if not self._is_settling(alert):
                self._notify("firing", alert, rule.channels, behind, ended)
                if rule.action:
                    self._notices.append(Notice("action", alert, (rule.action,)))
            return
        since_told = now - alert.told_at
        if was_silenced:
            self._notify("repeated", alert, alert.told, behind, ended)
        elif alert.acked_by and now < alert.acked_until:
            return
        elif alert.acked_by:
            ended = f"the acknowledgement by {alert.acked_by} has ended"
            fresh = replace(alert, acked_by="", acked_until=0.0, note="", escalated=False)
            self._notify("repeated", fresh, alert.told, behind, ended)
        elif rule.escalate_to and not alert.escalated and since_told >= rule.escalate_after_s:
            self._notify("escalated", replace(alert, escalated=True), rule.escalate_to, behind)
        elif since_told >= rule.repeat_s:
            self._notify("repeated", alert, alert.told, behind)

    def _notify(
        self,
        kind: NoticeKind,
        alert: Alert,
        channels: tuple[str, ...],
        behind: tuple[str, ...],
        because: str = "",
    ) -> None:
        not_to = self._observed.seen[alert.key].not_to
        channels = tuple(one for one in channels if one not in not_to)
        told = tuple(dict.fromkeys((*alert.told, *channels)))
        alert = replace(alert, told_at=self._now, told=told, told_count=alert.told_count + 1)
        self._alerts[alert.key] = alert
        self._notices.append(Notice(kind, alert, channels, behind, because))

    def _is_settling(self, alert: Alert) -> bool:
        if self._rules[alert.key.rule].may_explain:
            return False
        return any(is_within(alert.key.place, place) for place in self._settling)

    def _foretell(self) -> frozenset[int]:
        """Silences that end soon while something holds below them."""
        warned = set(self._known.warned) & {one.number for one in self._silences}
        for one in self._silences:
            left_s = one.ends_at - self._now
            is_soon = 0 < left_s <= WARN_BEFORE_S and one.ends_at - one.starts_at > 2 * WARN_BEFORE_S
            if not (one.number and is_soon and not one.until_over) or one.number in warned:
                continue
            covered = [
                a for a in self._alerts.values() if a.state == "firing" and one.covers(a.key, self._now)
            ]
            if covered:
                warned.add(one.number)
                channels = tuple(dict.fromkeys(c for a in covered for c in self._rules[a.key.rule].channels))
                others = Counter(a.text for a in covered[1:])
                text = f"the silence {one.words} ends in {round(left_s / 60)} min"
                self._notices.append(Notice("silence_ending", covered[0], channels, tuple(others), text))
        return frozenset(warned)


def _is_new(alert: Alert, before: Alert | None) -> bool:
    """Whether it has begun to fire just now."""
    was = before is not None and before.state == "firing" and before.episode == alert.episode
    return alert.state == "firing" and not was
