"""The grammar of metric paths: how names become part of one, and what a path means.

`build_path` and `parse_path` are inverse to each other over the catalog. Nothing beyond the standard library
is imported here, so that every part can use it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from cloud_monitor.metrics.catalog import BY_KEY, METRICS, Metric

__all__ = [
    "METRICS",
    "ROOT",
    "STEP_S",
    "Metric",
    "ParsedPath",
    "PathRefused",
    "build_path",
    "clean",
    "folder_metric",
    "is_clean",
    "match_path",
    "parse_path",
]

ROOT = "grids"
STEP_S = 60  # one point a minute; every timestamp is a multiple of it
NAME_LENGTH_MAX = 100  # Whisper makes a file of each name, and a file name ends at 255 bytes
PATH_LENGTH_MAX = 1024

RESERVED = frozenset({"all", "total", "other"})  # sums over names, so no name may be one of them

_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")
_PATH = re.compile(rf"[A-Za-z0-9_-]{{1,{NAME_LENGTH_MAX}}}(?:\.[A-Za-z0-9_-]{{1,{NAME_LENGTH_MAX}}})*\Z")
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
    if len(path) > PATH_LENGTH_MAX or not _PATH.match(path):
        raise PathRefused(f"{path[:200]!r} is not a metric path: names of [A-Za-z0-9_-] joined by dots")
    matched = match_path(path)
    if matched is None:
        raise PathRefused(f"{path[:200]!r} is not in the catalog of metric paths")
    return ParsedPath(*matched)


def match_path(path: str) -> tuple[Metric, dict[str, str]] | None:
    """As `parse_path`, with any text but the empty one as a name, and None for what is not in the catalog.

    What another program wrote where a name stands can so be told from what is no metric at all.
    """
    folder, _, last = path.rpartition(".")
    found = _match_folder(folder)
    if found is not None and last:
        step, names = found
        if step.sole is not None:
            return step.sole, {**names, step.sole_field: last}
        metric = step.ends.get(last)
        return None if metric is None else (metric, names.copy())
    names = {}
    metric = _find(_ROOT, path.split("."), 0, names)
    return None if metric is None else (metric, names)


def folder_metric(folder: str) -> Metric | None:
    """The metric of every path in a folder where any name may end it; None where that name decides."""
    found = _match_folder(folder)
    return None if found is None else found[0].sole


@lru_cache(maxsize=1024)  # neighbours lie in one folder
def _match_folder(folder: str) -> tuple[_Step, dict[str, str]] | None:
    """The step and the names at the end of a folder; None where no way or several go on."""
    step, names = _ROOT, dict[str, str]()
    for segment in folder.split("."):
        if not step.placeholders:
            after = step.literals.get(segment)
            if after is None:
                return None
            step = after
        elif step.sole_field and segment:
            names[step.sole_field] = segment
            step = step.placeholders[0].after
        else:
            return None
    return (step, names) if step.sole is not None or not step.placeholders else None


class _Placeholder(NamedTuple):
    prefix: str
    field: str
    after: _Step


class _Step:
    """What may follow in a path: literal segments, then placeholders with the longest prefix first."""

    __slots__ = ("ends", "literals", "metric", "placeholders", "sole", "sole_field")

    def __init__(self) -> None:
        self.literals: dict[str, _Step] = {}
        self.placeholders: list[_Placeholder] = []
        self.metric: Metric | None = None
        self.ends: dict[str, Metric] = {}  # metrics whose paths end with a literal of this step
        self.sole: Metric | None = None  # the metric whose paths end with a name of this step, if all do
        self.sole_field = ""  # of the placeholder without a prefix that is all that may follow


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


def _follow(step: _Step, segment: str) -> _Step:
    """The step after one segment of a template; placeholders of other names at one place stay apart."""
    match = _SEGMENT.match(segment)
    assert match, f"malformed template: {segment}"
    prefix, field = match["prefix"], match["field"]
    if field is None:
        after = step.literals.setdefault(segment, _Step())
    else:
        for known in step.placeholders:
            if (known.prefix, known.field) == (prefix, field):
                return known.after
        after = _Step()
        step.placeholders.append(_Placeholder(prefix, field, after))
        step.placeholders.sort(key=lambda placeholder: -len(placeholder.prefix))
    return after


def _close(step: _Step) -> None:
    """Note what can be said of a step once everything that may follow it is known."""
    step.ends = {name: after.metric for name, after in step.literals.items() if after.metric is not None}
    if len(step.placeholders) == 1 and not step.literals and not step.placeholders[0].prefix:
        step.sole_field = step.placeholders[0].field
        step.sole = step.placeholders[0].after.metric
    for after in (*step.literals.values(), *(placeholder.after for placeholder in step.placeholders)):
        _close(after)


def _build_steps() -> _Step:
    root = _Step()
    for metric in METRICS:
        step = root
        for segment in metric.template.split("."):
            step = _follow(step, segment)
        step.metric = metric
    _close(root)
    return root


_ROOT = _build_steps()


def _metric_of(key: str) -> Metric:
    try:
        return BY_KEY[key]
    except KeyError:
        raise PathRefused(f"no metric is called {key!r}") from None
