"""Azure's common alert schema: a webhook's body as an alert that holds, or is over (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from webapp.alerts.model import AZURE_CRITICAL, AZURE_WARNING, AlertKey, Seen, place_of

if TYPE_CHECKING:  # the sender imports this, and no pydantic
    from webapp.alerts.rules.rules import AlertRule

SCHEMA = "azureMonitorCommonAlertSchema"
OPEN_MAX = 500
KEEP_S = 7 * 86400.0  # what Azure never calls off, and how long what is over is known not to begin again
_CRITICAL = frozenset({"Sev0", "Sev1"})
_NAME_MAX, _TEXT_MAX, _ID_MAX = 120, 300, 1000


@dataclass(frozen=True, slots=True)
class AzureAlert:
    """One that Azure told of. `over_at` is None while it holds; times are epoch seconds."""

    id: str
    rule: str
    text: str
    is_critical: bool
    began: float
    over_at: float | None = None

    @property
    def place(self) -> str:
        digest = sha256(self.id.encode("utf-8", "replace")).hexdigest()[:8]
        return place_of(["azure", self.rule, digest])


def parse_azure(body: Mapping[str, Any], now: float) -> AzureAlert:
    """Raises ValueError that says what is missing."""
    essentials = (body.get("data") or {}).get("essentials") if isinstance(body.get("data"), dict) else None
    if body.get("schemaId") != SCHEMA or not isinstance(essentials, dict):
        raise ValueError(f"schemaId is not {SCHEMA}: have the action group send the common alert schema")
    alert_id = _word(essentials, "alertId", _ID_MAX)
    rule = _word(essentials, "alertRule", _NAME_MAX)
    if not alert_id or not rule:
        raise ValueError("data.essentials: alertId and alertRule are needed")
    condition = essentials.get("monitorCondition")
    if condition not in ("Fired", "Resolved"):
        raise ValueError("data.essentials.monitorCondition is neither Fired nor Resolved")
    severity = _word(essentials, "severity", 10)
    targets = essentials.get("configurationItems")
    where = ", ".join(str(one)[:80] for one in targets[:5]) if isinstance(targets, list) else ""
    said = [f"{severity} {rule}".strip(), where, _word(essentials, "description", _TEXT_MAX)]
    began = _time(essentials, "firedDateTime", now)
    over_at = _time(essentials, "resolvedDateTime", now) if condition == "Resolved" else None
    text = ": ".join(filter(None, said))[:_TEXT_MAX].encode("utf-8", "replace").decode()
    return AzureAlert(alert_id, rule, text, severity in _CRITICAL, began, over_at)


def take_in(known: Iterable[AzureAlert], told: AzureAlert, now: float) -> tuple[AzureAlert, ...]:
    """What is known after it was told: once for each id, and what is over does not begin again.

    Raises ValueError where too many are open.
    """
    rest = {one.id: one for one in known if now - max(one.began, one.over_at or 0.0) < KEEP_S}
    before = rest.get(told.id)
    if before is not None and told.over_at is None:
        return tuple(rest.values())
    if before is None and len(rest) >= OPEN_MAX:
        raise ValueError(f"{OPEN_MAX} alerts of Azure are known already")
    rest[told.id] = told
    return tuple(rest.values())


def see_azure(known: Iterable[AzureAlert], rules: Mapping[str, AlertRule], now: float) -> Iterator[Seen]:
    """Those that hold, under the first rule for their severity."""
    by_kind = {rule.when: rule for rule in reversed(tuple(rules.values())) if rule.when}
    for one in known:
        rule = by_kind.get(AZURE_CRITICAL if one.is_critical else AZURE_WARNING)
        if rule is not None and one.over_at is None and now - one.began < KEEP_S:
            yield Seen(AlertKey(rule.name, one.place), one.text, began=one.began)


def _word(essentials: Mapping[str, Any], name: str, length_max: int) -> str:
    value = essentials.get(name)
    text = value if isinstance(value, str) else ""
    return text[:length_max].encode("utf-8", "replace").decode().strip()


def _time(essentials: Mapping[str, Any], name: str, now: float) -> float:
    """Not in the future, and now where it cannot be read. Azure writes seven digits of a second."""
    text = _word(essentials, name, 40)
    try:
        at = datetime.fromisoformat(text[:19]).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return now
    return min(max(at, now - KEEP_S), now)
