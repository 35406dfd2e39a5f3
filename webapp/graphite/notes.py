"""What is to be said of values that are not simply the metric's: how a store made them, what sums lacked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from webapp.graphite.gate import GraphiteGate
from webapp.graphite.incomplete import IncompleteSpan, Pair, find_pairs, read_incomplete
from webapp.graphite.reading import Reading
from webapp.graphite.rollups import read_rollup_notes


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
