"""The grammar of metric paths: how names become part of one, and what a path means.

`build_path` and `parse_path` are inverse to each other over the table METRICS. Nothing beyond the standard
library is imported here, so that every part can use it.
"""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from typing import NamedTuple

from cloud_monitor.metrics.catalog import METRICS, Metric

__all__ = [
    "METRICS",
    "ROOT",
    "STEP_S",
    "Metric",
    "ParsedPath",
    "PathRefused",
    "build_path",
    "clean",
    "is_clean",
    "parse_path",
]

ROOT = "grids"
STEP_S = 60  # one point a minute; every timestamp is a multiple of it
NAME_LENGTH_MAX = 100  # Whisper makes a file of each name, and a file name ends at 255 bytes
PATH_LENGTH_MAX = 1024

RESERVED = frozenset({"all", "total", "other"})  # sums over names, so no name may be one of them

_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")
_LOOKS_HASHED = re.compile(r".*_[0-9a-f]{8}\Z", re.DOTALL)
_SEGMENT = re.compile(r"(?P<prefix>[A-Za-z0-9_-]*)(?:\{(?P<field>[a-z]+)\})?\Z")


class PathRefused(ValueError):
    """A path, or a name meant for one, that is outside the grammar."""


class ParsedPath(NamedTuple):
    metric: Metric
    names: dict[str, str]


def is_clean(name: str) -> bool:
    """Whether `name` may stand in a path as it is."""
    return bool(_NAME.match(name)) and len(name) <= NAME_LENGTH_MAX


def clean(name: str) -> str:
    """Make any text a name of a path; different texts give different names.

    Text inside the grammar stays as it is. Other text, reserved words, and text that already looks like
    the result of this function become a readable form, `_` and eight hex digits of the text's SHA-256.
    Clean a name once, where it comes in: doing it twice changes it again.
    """
    if is_clean(name) and name not in RESERVED and not _LOOKS_HASHED.match(name):
        return name
    digits = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9-]+", "_", name[: NAME_LENGTH_MAX - 9]).strip("_")
    return f"{readable or 'unnamed'}_{digits}"


def build_path(key: str, **names: str) -> str:
    """Fill the template of `key`. Names outside the grammar are refused: clean them first."""
    metric = _metric_of(key)
    for field, name in names.items():
        if not is_clean(name):
            raise PathRefused(f"{key}: {field}={name!r} is not a name; clean() makes one of it")
    try:
        path = metric.template.format(**names)
    except KeyError as error:
        raise PathRefused(f"{key}: {error.args[0]} is missing for {metric.template}") from None
    if len(names) != metric.template.count("{"):
        raise PathRefused(f"{key}: too many names for {metric.template}: {', '.join(names)}")
    return path


def parse_path(path: str) -> ParsedPath:
    """Find the metric and the names of a path; literal segments win over placeholders."""
    segments = path.split(".")
    if len(path) > PATH_LENGTH_MAX or not all(is_clean(segment) for segment in segments):
        raise PathRefused(f"{path[:200]!r} is not a metric path: names of [A-Za-z0-9_-] joined by dots")
    names: dict[str, str] = {}
    metric = _find(_tree(), segments, 0, names)
    if metric is None:
        raise PathRefused(f"{path[:200]!r} is not in the vocabulary of metric paths")
    return ParsedPath(metric, names)


class _Step:
    """What may follow in a path: literal segments, then placeholders with the longest prefix first."""

    __slots__ = ("literals", "metric", "placeholders")

    def __init__(self) -> None:
        self.literals: dict[str, _Step] = {}
        self.placeholders: list[tuple[str, str, _Step]] = []  # (prefix, field, step)
        self.metric: Metric | None = None


def _find(step: _Step, segments: list[str], index: int, names: dict[str, str]) -> Metric | None:
    """The metric of the rest of a path; fills `names` on the way."""
    if index == len(segments):
        return step.metric
    segment = segments[index]
    literal = step.literals.get(segment)
    if literal is not None and (metric := _find(literal, segments, index + 1, names)):
        return metric
    for prefix, field, after in step.placeholders:
        if segment.startswith(prefix) and len(segment) > len(prefix):
            names[field] = segment[len(prefix) :]
            if metric := _find(after, segments, index + 1, names):
                return metric
            del names[field]
    return None


@cache
def _tree() -> _Step:
    root = _Step()
    for metric in METRICS:
        step = root
        for segment in metric.template.split("."):
            step = _follow(step, segment)
        step.metric = metric
    return root


def _follow(step: _Step, segment: str) -> _Step:
    """The step after one segment of a template; placeholders of other names at one place stay apart."""
    match = _SEGMENT.match(segment)
    assert match, f"malformed template: {segment}"
    prefix, field = match["prefix"], match["field"]
    if field is None:
        return step.literals.setdefault(segment, _Step())
    for known_prefix, known_field, after in step.placeholders:
        if (known_prefix, known_field) == (prefix, field):
            return after
    after = _Step()
    step.placeholders.append((prefix, field, after))
    step.placeholders.sort(key=lambda placeholder: -len(placeholder[0]))
    return after


@cache
def _metrics_by_key() -> dict[str, Metric]:
    return {metric.key: metric for metric in METRICS}


def _metric_of(key: str) -> Metric:
    try:
        return _metrics_by_key()[key]
    except KeyError:
        raise PathRefused(f"no metric is called {key!r}") from None
