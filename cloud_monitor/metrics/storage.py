"""How a Whisper store is to roll up: `python -m cloud_monitor.metrics.storage` prints Carbon's
storage-aggregation.conf; with a Whisper folder, for each file in it, the method that the file is to have:
`python -m cloud_monitor.metrics.storage /var/lib/graphite/whisper`.
"""

from __future__ import annotations

import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from cloud_monitor.metrics.catalog import METRICS
from cloud_monitor.metrics.paths import match_path
from cloud_monitor.metrics.statistics import LAST, MAX, MEAN, SUM, Statistic

CARBON_METHODS: Mapping[Statistic, str] = {MEAN: "average", MAX: "max", LAST: "last", SUM: "sum"}
_PLACEHOLDER = re.compile(r"\{\w+\}")
_HEAD = """\
# Made from cloud_monitor/metrics/catalog.py by `make docs`. Carbon takes the first pattern that a new metric
# matches; a file that is there keeps the method it was made with. xFilesFactor 0: an hour with a single point
# in it is an hour that is known.
"""


def storage_aggregation() -> str:
    """Carbon's storage-aggregation.conf: what is not averaged by its own patterns, then all the rest."""
    sections = [
        _section(f"{statistic}_{number}", pattern, statistic)
        for statistic in (MAX, LAST, SUM)
        for number, pattern in enumerate(_patterns(statistic), 1)
    ]
    return "\n".join([_HEAD, *sections, _section("default", ".*", MEAN)])


def method_of(path: str) -> str:
    """Carbon's aggregationMethod for a path; what is not in the catalog is averaged."""
    matched = match_path(path)
    return CARBON_METHODS[MEAN if matched is None else matched[0].statistic]


def _section(name: str, pattern: str, statistic: Statistic) -> str:
    return (
        f"[{name}]\npattern = {pattern}\nxFilesFactor = 0\naggregationMethod = {CARBON_METHODS[statistic]}\n"
    )


def _patterns(statistic: Statistic) -> Iterator[str]:
    """One for each folder: the metrics in it differ in their last name alone."""
    ends: defaultdict[str, list[str]] = defaultdict(list)
    for metric in METRICS:
        if metric.statistic == statistic:
            folder, _, end = metric.template.rpartition(".")
            ends[_pattern(folder)].append(_pattern(end))
    for folder, names in ends.items():
        yield rf"^{folder}\.{names[0] if len(names) == 1 else f'({chr(124).join(names)})'}$"


def _pattern(template: str) -> str:
    """A regular expression for part of a template; `re.escape` would hide what is only a name."""
    return _PLACEHOLDER.sub("[^.]+", template.replace(".", r"\."))


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for place, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if name.endswith(".wsp"):
                file = Path(place, name)
                yield method_of(".".join(file.relative_to(folder).with_suffix("").parts)), file


def main(arguments: list[str]) -> int:
    if len(arguments) > 1 or (arguments and not Path(arguments[0]).is_dir()):
        print("usage: python -m cloud_monitor.metrics.storage [WHISPER_FOLDER]", file=sys.stderr)
        return 2
    if not arguments:
        print(storage_aggregation(), end="")
        return 0
    for method, file in _files(Path(arguments[0])):
        print(method, file)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
