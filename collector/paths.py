"""The grammar of metric paths: how names become part of one, and what a path means.

`build_path` and `parse_path` are inverse to each other over the table METRICS. Nothing beyond the standard
library is imported here, so that every part can use it.
"""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from typing import NamedTuple

from collector.vocabulary import METRICS, Metric

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
    for metric in _by_length().get(len(segments), ()):
        names = _match(metric, segments)
        if names is not None:
            return ParsedPath(metric, names)
    raise PathRefused(f"{path[:200]!r} is not in the vocabulary of metric paths")


def _match(metric: Metric, segments: list[str]) -> dict[str, str] | None:
    names: dict[str, str] = {}
    for (prefix, field), segment in zip(_segments(metric.template), segments, strict=True):
        if field is None:
            if segment != prefix:
                return None
        elif segment.startswith(prefix) and len(segment) > len(prefix):
            names[field] = segment[len(prefix) :]
        else:
            return None
    return names


@cache
def _segments(template: str) -> tuple[tuple[str, str | None], ...]:
    found = []
    for segment in template.split("."):
        match = _SEGMENT.match(segment)
        assert match, f"malformed template {template}"
        found.append((match["prefix"], match["field"]))
    return tuple(found)


@cache
def _by_length() -> dict[int, tuple[Metric, ...]]:
    """Metrics by number of segments, the ones that are literal furthest to the left first."""
    groups: dict[int, list[Metric]] = {}
    for metric in METRICS:
        groups.setdefault(len(_segments(metric.template)), []).append(metric)

    def literal_first(metric: Metric) -> tuple[tuple[bool, int], ...]:
        return tuple((field is not None, -len(prefix)) for prefix, field in _segments(metric.template))

    return {length: tuple(sorted(group, key=literal_first)) for length, group in groups.items()}


@cache
def _metrics_by_key() -> dict[str, Metric]:
    return {metric.key: metric for metric in METRICS}


def _metric_of(key: str) -> Metric:
    try:
        return _metrics_by_key()[key]
    except KeyError:
        raise PathRefused(f"no metric is called {key!r}") from None
