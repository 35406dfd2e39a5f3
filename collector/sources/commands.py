"""Programs of the operator that print `path value` lines: each is a source with a deadline of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from cloud_monitor.metrics.paths import PathRefused, build_path, is_clean, parse_path
from collector.model import Collected
from collector.settings import CommandSettings
from collector.sources.programs import run_program, split_command

_LINES_MAX = 20_000
_COMPLAINTS_MAX = 5


class LineRefused(ValueError):
    """A line that is not `path value`, or a path outside the grammar."""


class PrintedValue(NamedTuple):
    path: str
    value: float


def collect_command(settings: CommandSettings, name: str) -> Collected:
    """Run the command of that name and take its lines; refused lines are complaints, the others count."""
    text = run_program(split_command(settings.commands[name].run))
    values: dict[str, float] = {}
    complaints: list[str] = []
    for number, line in _lines(text):
        try:
            path, value = parse_line(line, settings, name)
            if path in values:
                raise LineRefused(f"{path} is printed twice")
            values[path] = value
        except LineRefused as error:
            complaints.append(f"line {number}: {error}")
    if len(complaints) > _COMPLAINTS_MAX:
        complaints = [*complaints[:_COMPLAINTS_MAX], f"and {len(complaints) - _COMPLAINTS_MAX} lines more"]
    return Collected(values=tuple(values.items()), complaints=tuple(complaints))


def parse_line(line: str, settings: CommandSettings, command: str) -> PrintedValue:
    """`figure` and `group.figure` go under the command's own name; a full path of this grid stays."""
    words = line.split()
    if len(words) != 2:
        raise LineRefused(f"{line[:100]!r} is not `path value`")
    return PrintedValue(_full_path(words[0], settings, command), _number(words[1]))


def _full_path(text: str, settings: CommandSettings, command: str) -> str:
    names = text.split(".")
    if not all(is_clean(name) for name in names):
        raise LineRefused(f"{text[:200]!r} is not a path: names of [A-Za-z0-9_-] joined by dots")
    if len(names) == 1:
        return settings.own_path("command", command=command, figure=text)
    if len(names) == 2:
        return settings.own_path("command_grouped", command=command, group=names[0], figure=names[1])
    try:
        parsed = parse_path(text)
    except PathRefused as error:
        raise LineRefused(str(error)) from None
    if parsed.names["grid"] != settings.grid:
        raise LineRefused(f"{text} belongs to the grid {parsed.names['grid']}, not to {settings.grid}")
    return build_path(parsed.metric.key, **parsed.names)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise LineRefused(f"{text[:100]!r} is not a number") from None
    if not math.isfinite(value):
        raise LineRefused(f"{text} is not a finite number")
    return value


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if number > _LINES_MAX:
            return
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line
