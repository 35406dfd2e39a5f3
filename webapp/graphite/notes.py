"""What is to be said of values that are not simply the metric's: how a store made them, what sums lacked.

A sum over several schedds or pools may have lacked one: plots mark when, since nothing fell then. Collectors
that ask several peers send how many they asked and how many answered. Over a step both are means: they differ
where one minute of it was incomplete.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from cloud_monitor.metrics.paths import ROOT, Metric, build_path
from webapp.graphite.gate import GraphiteGate
from webapp.graphite.reading import Reading, read_summarized
from webapp.graphite.rollups import read_rollup_notes
from webapp.graphite.steps import Step
from webapp.graphite.targets import ANY, PlotTarget, check_target, paths_of

_PAIRS_MAX = 20  # of grid and peers, in one request
_LEAST = 1e-6
_SCHEDDS, _POOLS = "schedds", "pools"
_OF_SCHEDDS = frozenset({"jobs", "users", "groups", "held", "wait", "cloud_jobs"})
_OF_POOLS = frozenset({"slots", "cores", "memory_mb", "gpus", "cloud_mips", "cloud_kflops"})
_OF_POOLS |= {"cloud_idle", "cloud_lost", "cloud_unreg", "cloud_slots"}
Pair = tuple[str, str]  # grid, peers


class IncompleteSpan(NamedTuple):
    grid: str
    peers: str  # schedds or pools
    from_s: int  # epoch seconds
    until_s: int
    answered: float  # on average over the step in which fewest did
    asked: float

    @property
    def text(self) -> str:
        answered = math.floor(self.answered * 100) / 100  # 2.999 is not 3
        return f"{answered:g} of {self.asked:.3g} {self.peers} of {self.grid} answered"


def peers_of(metric: Metric) -> str:
    """Whose figures a value of the metric is the sum of; empty where it is no sum over peers."""
    if metric.family in _OF_SCHEDDS:
        return _SCHEDDS
    return _POOLS if metric.family in _OF_POOLS else ""


def find_pairs(targets: Sequence[PlotTarget], paths: Collection[str]) -> list[list[Pair]]:
    """Of each target the grids and peers that it sums over, where several are asked; `paths` are all."""
    of_any_grid: dict[str, list[Pair]] = {}
    found: list[list[Pair]] = []
    for target in targets:
        grid, peers = target.text.split(".")[1], peers_of(target.metric)
        if peers and grid == ANY and peers not in of_any_grid:
            asked = check_target(f"{ROOT}.{ANY}.condor.peers.{peers}.asked")
            grids = (path.split(".")[1] for path in paths_of(asked, paths, _PAIRS_MAX))
            of_any_grid[peers] = sorted((grid, peers) for grid in grids)
        if not peers:
            found.append([])
        elif grid == ANY:
            found.append(of_any_grid[peers])
        else:
            asks_several = build_path("condor_asked", grid=grid, peers=peers) in paths
            found.append([(grid, peers)] if asks_several else [])
    return found


def read_incomplete(
    gate: GraphiteGate, pairs: Collection[Pair], steps: Sequence[Step]
) -> list[IncompleteSpan]:
    """The spans within the steps in which sums over these peers lacked one, by grid and time.

    Raises RequestRefused as GraphiteGate does.
    """
    if not pairs or not steps:
        return []
    some = sorted(pairs)[:_PAIRS_MAX]
    asked, answered = (
        [check_target(build_path(key, grid=grid, peers=peers)) for grid, peers in some]
        for key in ("condor_asked", "condor_answered")
    )
    values = read_summarized(gate, [*asked, *answered], steps)
    return [
        span
        for pair, of_all, of_some in zip(some, asked, answered, strict=True)
        for span in incomplete_spans(*pair, steps, values[of_all.text], values[of_some.text])
    ]


def incomplete_spans(
    grid: str,
    peers: str,
    steps: Sequence[Step],
    asked: Iterable[float | None],
    answered: Iterable[float | None],
) -> Iterator[IncompleteSpan]:
    """Neighbouring steps in which fewer answered than were asked, as one span each."""
    span: IncompleteSpan | None = None
    for step, all_, some in zip(steps, asked, answered, strict=True):
        if all_ is None or some is None or some > all_ - _LEAST:
            continue
        found = IncompleteSpan(grid, peers, *step, some, all_)
        if span is None or span.until_s != found.from_s:
            if span:
                yield span
            span = found
        else:
            least = min(span, found, key=lambda one: one.answered - one.asked)
            span = least._replace(from_s=span.from_s, until_s=found.until_s)
    if span:
        yield span


class Notes(NamedTuple):
    of_targets: list[list[str]]  # sentences, in the order of the readings
    incomplete: list[IncompleteSpan]


def read_notes(gate: GraphiteGate, readings: Sequence[Reading], paths: Collection[str], now: float) -> Notes:
    """`paths` are all that are known. Most plots need no question more. Raises RequestRefused as the gate."""
    rollups = read_rollup_notes(gate, readings, paths, now)
    pairs = find_pairs([reading.target for reading in readings], paths)
    steps = readings[0].steps if readings else ()
    spans = read_incomplete(gate, {pair for some in pairs for pair in some}, steps)
    return Notes(
        [
            [*filter(None, [rollups.get(reading.target.text)]), *_worst(some, spans)]
            for reading, some in zip(readings, pairs, strict=True)
        ],
        spans,
    )


def _worst(pairs: Collection[Pair], spans: Sequence[IncompleteSpan]) -> Iterator[str]:
    """A sentence for each of the grid and peers that a target is a sum over, where it lacked some."""
    for pair in pairs:
        if own := [span for span in spans if (span.grid, span.peers) == pair]:
            yield f"incomplete: at times {min(own, key=lambda one: one.answered - one.asked).text}"
