"""Rules, channels, actions and windows as an operator writes them in TOML, over the rules built in."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from cloud_monitor.metrics.paths import Metric, match_path
from cloud_monitor.settings import SettingsRefused, read_toml
from cloud_monitor.system.text import parse_duration
from webapp.alerts.model import AZURE_CRITICAL, AZURE_WARNING
from webapp.alerts.rules.windows import WallHours, Window, parse_hours
from webapp.model.health import (
    CLOUD_SILENT,
    CLOUD_UNREACHABLE,
    GRID_SILENT,
    HEARTBEAT_LOST,
    POLL_FAILING,
    Key,
    Level,
)
from webapp.model.options import DEFAULTS

BUILT_IN = Path(__file__).with_name("built_in.toml")
CHANNEL_FAILING = "channel_failing"
CONDITIONS = (
    POLL_FAILING, GRID_SILENT, HEARTBEAT_LOST, CLOUD_UNREACHABLE, CLOUD_SILENT, *DEFAULTS, CHANNEL_FAILING,
    AZURE_CRITICAL, AZURE_WARNING,
)  # fmt: skip
LEVELS: Mapping[str, Level] = {"warning": Level.WARN, "critical": Level.BAD, "no data": Level.STALE}
LEAST_S = 60.0  # a shorter time is never seen: it is evaluated once a minute

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%\Z")
_NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,62}$"
_FIELD = re.compile(r"\{([a-z]+)\}")


def _parse_span(value: object) -> object:
    """Numbers are seconds already."""
    return parse_duration(value) if isinstance(value, str) else value


def _parse_limit(value: object) -> object:
    match = _PERCENT.match(value.strip()) if isinstance(value, str) else None
    return float(match[1]) if match else value


Duration = Annotated[float, BeforeValidator(_parse_span), Field(ge=0, le=366 * 86400)]
Limit = Annotated[float, BeforeValidator(_parse_limit), Field(allow_inf_nan=False)]


class _AlertTable(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class AlertRule(_AlertTable):
    """When somebody is told, who, and how. On a condition of the judge (`when`) or a `figure`."""

    name: str = Field(pattern=_NAME)
    enabled: bool = True
    when: Literal[CONDITIONS] | None = None  # type: ignore[valid-type]
    level: Literal["warning", "critical", "no data"] = "warning"  # of a condition: from this one on
    figure: str = ""
    of: str = ""
    minus: str = ""
    while_zero: str = ""
    above: Limit | None = None
    below: Limit | None = None
    clear: Limit | None = None
    at_least: float = 0.0  # of what the share is of
    increase_s: Duration = Field(0.0, alias="increase", le=86400)
    places: tuple[str, ...] = ("*",)
    for_s: Duration = Field(0.0, alias="for")
    keep_s: Duration = Field(300.0, alias="keep")
    repeat_s: Duration = Field(4 * 3600.0, alias="repeat", ge=LEAST_S)
    severity: Literal["info", "warning", "critical"] = "warning"
    channels: tuple[str, ...] = ()
    escalate_to: tuple[str, ...] = ()
    escalate_after_s: Duration = Field(600.0, alias="escalate_after")
    text: str = Field("", max_length=300)
    action: str = ""
    prometheus: str = ""  # its twin in docs/prometheus/alerts.yml

    @property
    def may_explain(self) -> bool:
        return self.when is not None and Key(self.when).may_explain

    @cached_property
    def metric(self) -> Metric | None:
        """Of the catalog; None for a rule on a condition."""
        return metric_of(self.figure) if self.figure else None

    @property
    def names(self) -> tuple[str, ...]:
        """What the figure's path leaves open, in its order."""
        return tuple(_FIELD.findall(self.figure))

    @model_validator(mode="after")
    def _is_whole(self) -> AlertRule:
        if bool(self.when) == bool(self.figure):
            raise ValueError("needs either `when`, a condition, or `figure`, a path of docs/metrics.md")
        if self.figure:
            self._check_figure()
        elif (
            given := {"of", "minus", "while_zero", "above", "below", "clear", "increase_s"}
            & self.model_fields_set
        ):
            raise ValueError(f"{', '.join(sorted(given))}: only with `figure`")
        return self

    def _check_figure(self) -> None:
        if (self.above is None) == (self.below is None):
            raise ValueError("needs either `above` or `below`")
        for path in filter(None, (self.figure, self.of, self.minus, self.while_zero)):
            if metric_of(path) is None:
                raise ValueError(f"{path!r} is no path of docs/metrics.md")
            if not set(_FIELD.findall(path)) <= set(self.names):
                raise ValueError(f"{path!r} leaves open what `figure` does not")
        limit, clear = (self.above, self.clear) if self.above is not None else (self.clear, self.below)
        if limit is not None and clear is not None and clear > limit:
            raise ValueError("`clear` must be on the good side of the limit")
        if self.increase_s and self.increase_s < 2 * LEAST_S:
            raise ValueError("`increase` must be over two minutes or more")
        known = {*self.names, "value", "limit", "place"}
        try:
            fields = [name for _, name, form, how in string.Formatter().parse(self.text) if name is not None]
        except ValueError as error:
            raise ValueError(f"text: {error}") from None
        if not set(fields) <= known:
            raise ValueError(f"text: there are {{{'}, {'.join(sorted(known))}}}")


def metric_of(template: str) -> Metric | None:
    """The metric of a path in which names are left open, or `*` where it sums over them."""
    matched = match_path(_FIELD.sub("x", template).replace("*", "x"))
    return None if matched is None else matched[0]


class AddressFile(_AlertTable):
    file: Path


class AlertAction(_AlertTable):
    """A command, run without a shell, at most once an episode."""

    command: tuple[str, ...] = Field(min_length=1)
    timeout_s: Duration = Field(30.0, alias="timeout", ge=1, le=300)
    at_most_each_s: Duration = Field(3600.0, alias="at_most_each")
    escalate_if_failed: bool = True


class WindowTable(_AlertTable):
    hours: Annotated[WallHours, BeforeValidator(lambda text: parse_hours(str(text)))] = Field(alias="at")
    place: str = "*"
    rule: str = "*"
    comment: str = Field("", max_length=200)


class AlertSettings(_AlertTable):
    """All of the file. Addresses of channels are secrets: they are in no message."""

    base_url: str = Field("", pattern=r"^(https?://\S+)?$")
    time_zone: str = "UTC"
    heartbeat_url: str = Field("", pattern=r"^(https?://\S+)?$")
    alertmanager_urls: tuple[Annotated[str, Field(pattern=r"^https?://[^\s?#]+$")], ...] = ()
    default_channels: tuple[str, ...] = ()
    channels: dict[Annotated[str, Field(pattern=_NAME)], str | AddressFile] = Field({}, repr=False)
    rule: tuple[AlertRule, ...] = ()
    actions: dict[Annotated[str, Field(pattern=_NAME)], AlertAction] = {}
    window: tuple[WindowTable, ...] = ()

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{name!r} is no IANA time zone such as Europe/Vienna") from None
        return name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @cached_property
    def rules(self) -> Mapping[str, AlertRule]:
        """Those that are on, by name."""
        return {rule.name: rule for rule in self.rule if rule.enabled}

    @property
    def windows(self) -> tuple[Window, ...]:
        return tuple(Window(one.hours, one.place, one.rule, one.comment) for one in self.window)

    @model_validator(mode="after")
    def _names_are_there(self) -> AlertSettings:
        names = [rule.name for rule in self.rule]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two rules are called {min(twice)}")
        for rule in self.rule:
            for channel in (*rule.channels, *rule.escalate_to, *self.default_channels):
                if channel not in self.channels:
                    raise ValueError(f"rule {rule.name}: there is no channel {channel!r}")
            if rule.action and rule.action not in self.actions:
                raise ValueError(f"rule {rule.name}: there is no action {rule.action!r}")
        return self


def read_alert_settings(file: Path | None) -> AlertSettings:
    """The file over the rules that are built in. Raises SettingsRefused, a line for each mistake."""
    given: dict[str, Any] = {}
    if file is not None:
        try:
            given = read_toml(file)
        except OSError as error:
            raise SettingsRefused(f"WEBAPP_ALERTS_FILE={file}: {error.strerror}") from None
        except ValueError as error:
            raise SettingsRefused(f"{file}: {error}") from None
    return parse_alert_settings(given, str(file))


def parse_alert_settings(given: dict[str, Any], name: str = "alerts") -> AlertSettings:
    try:
        return AlertSettings.model_validate({**given, "rule": _complete(given)})
    except ValidationError as error:
        raise SettingsRefused("\n".join(_explain(error, name, _complete(given)))) from None
    except (TypeError, AttributeError):
        raise SettingsRefused(f"{name}: `rule` is a list of tables, [[rule]]; `channels` one table") from None


def _complete(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rules built in, each with what the file says of it, then the file's own; all with channels."""
    rules = {table["name"]: table for table in _built_in()}
    own: list[dict[str, Any]] = []
    seen: set[str] = set()
    for table in given.get("rule", ()):
        name = table.get("name")
        if name in rules and name not in seen:
            rules[name] = {**rules[name], **table}
            seen.add(name)
        else:
            own.append(dict(table))
    every = list(given.get("channels", ()))
    default = given.get("default_channels") or every[:1]
    return [
        {"channels": every if table.get("when") == CHANNEL_FAILING else default, **table}
        for table in (*rules.values(), *own)
    ]


@cache
def _built_in() -> list[dict[str, Any]]:
    tables: list[dict[str, Any]] = read_toml(BUILT_IN)["rule"]
    return tables


def _explain(error: ValidationError, name: str, rules: list[dict[str, Any]]) -> list[str]:
    lines = []
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        where = [str(part) for part in fault["loc"]]
        if where[:1] == ["rule"] and len(where) > 1:
            where[:2] = [f"rule {rules[int(where[1])].get('name', where[1])!r}"]
        told = fault["msg"].removeprefix("Value error, ")
        lines.append(": ".join(filter(None, (name, ".".join(where), told))))
    return lines
