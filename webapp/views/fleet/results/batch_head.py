"""The head of `/fleet/batches/<name>`: how the batch stands in a sentence and a bar, its figures as facts and
as small plots, why its pictures failed. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from cloud_monitor.metrics.paths import build_path, clean
from cloud_monitor.system.text import age_text, format_number, one_line
from webapp.model.snapshot_view import SnapshotView
from webapp.pages.cells import NOTHING, WARN, Cell, show
from webapp.pages.details import Spark
from webapp.views.fleet.words import (
    Bar,
    FailureReason,
    at_least,
    bar_parts,
    clock_minute,
    coarse_span,
    count_text,
    failure_reasons,
    pace_text,
    ready_cells,
)
from worker.queue.statistics.batches import Forecast, left_of
from worker.queue.statistics.queue import BatchFigures
from worker.review import FAILED, BatchHistory, BatchPage
from worker.review.sdf import has_chemistry

PLOTTED = {  # of its series: headings
    "read": "Read",
    "waiting": "Waiting",
    "failed": "Failed",
    "doubtful": "Unsure",
    "images_per_s": "Pictures/s",
    "remaining_s": "Time left, s",
    "margin_s": "Before the deadline, s",
    "retries": "Claimed again",
    "cpu_s": "CPU time, s",
    "cost": "Cost",
}


@dataclass(frozen=True, slots=True)
class BatchFact:
    """`query` chooses the pictures it counts; `until` is counted down."""

    label: str
    cell: Cell
    query: str = ""
    until: float | None = None


@dataclass(frozen=True, slots=True)
class BatchHead:
    sentence: tuple[Cell, ...]
    bar: Bar
    facts: tuple[BatchFact, ...]
    plots: tuple[Spark, ...]
    reasons: tuple[FailureReason, ...]
    has_chemistry: bool  # can be downloaded as SDF


def batch_head(found: BatchPage, forecast: Forecast, view: SnapshotView) -> BatchHead:
    batch = found.batch
    grid = _grid_of_batch(view, batch.name)
    failed, done, active = (batch.images[name] for name in ("failed", "done", "active"))
    counts = (("done", done), ("failed", failed), ("active", active))
    return BatchHead(
        sentence=tuple(_sentence(found, forecast)),
        bar=Bar(bar_parts(sum(batch.images.values()), counts)),
        facts=tuple(_facts(found, forecast, grid)),
        plots=tuple(
            Spark(label, path, "", show(view.snapshot.values[path], view))
            for name, label in PLOTTED.items()
            if (path := _path(name, batch.name, grid)) in view.snapshot.values
        ),
        reasons=tuple(failure_reasons(found.failures, failed, batch.name)),
        has_chemistry=has_chemistry(),
    )


def forecast_of(times: Mapping[str, Forecast], batch: BatchFigures) -> Forecast:
    """Of what was left moments ago, of what is left now."""
    left = left_of(batch)
    return replace(times.get(batch.name, Forecast(left, None, 0.0)), left=left)


def _grid_of_batch(view: SnapshotView, name: str) -> str | None:
    """Whose collector sends the batch's figures; None where nobody does, or not any more."""
    batch = clean(name)
    return next(
        (grid.name for grid in view.snapshot.grids if batch in grid.figures.table("fleet_batches")), None
    )


def _path(figure: str, name: str, grid: str | None) -> str:
    return "" if grid is None else build_path(f"fleet_batch_{figure}", grid=grid, batch=clean(name))


def _sentence(found: BatchPage, forecast: Forecast) -> Iterator[Cell]:
    batch = found.batch
    total = sum(batch.images.values())
    answered = batch.images["done"] + batch.images["failed"]
    share = f"{100 * answered // total} %" if total else "nothing"
    yield Cell(f"{share} read:", "lead-words")
    yield Cell(f"{format_number(answered)} of {at_least(total, batch.documents)} pictures.")
    ready, note = ready_cells(batch, forecast, found.at)
    if forecast.left:
        yield Cell(f"Ready: {ready.text}.", "lead-words")
    elif batch.ended_at is not None:
        yield Cell(f"Ended: {ready.text}.", "lead-words")
    if note.text:
        yield Cell(f"{note.text[:1].upper()}{note.text[1:]}.", note.css)
    if batch.documents:
        yield Cell(f"Pages of {count_text(batch.documents, 'document')} are not counted yet.")


def _facts(found: BatchPage, forecast: Forecast, grid: str | None) -> Iterator[BatchFact]:
    batch, history, at = found.batch, found.history, found.at
    total, failed = sum(batch.images.values()), batch.images["failed"]

    def number(count: float, figure: str, css: str = "", title: str = "") -> Cell:
        return Cell(format_number(count), css if count else "z", title, _path(figure, batch.name, grid))

    def when(moment: float | None) -> Cell:
        return Cell(NOTHING, "m") if moment is None else Cell(clock_minute(moment, at))

    pictures = Cell(at_least(total, batch.documents), "", "", _path("images", batch.name, grid))
    yield BatchFact("Pictures", pictures)
    yield BatchFact("Read", number(batch.images["done"], "read"))
    yield BatchFact("Failed", number(failed, "failed", WARN), urlencode({"show": FAILED}) if failed else "")
    unsure = number(batch.doubtful, "doubtful", "", f"least confidence under {found.doubtful_below:g}")
    yield BatchFact(
        "Unsure", unsure, urlencode({"below": f"{found.doubtful_below:g}"}) if batch.doubtful else ""
    )
    if forecast.left:
        yield BatchFact("Waiting", number(forecast.left, "waiting"))
        pace = pace_text(forecast.images_per_s, "") if forecast.images_per_s else NOTHING
        yield BatchFact("Pace", Cell(pace, "", "", _path("images_per_s", batch.name, grid)))
        yield BatchFact("Ready, UTC", when(forecast.ready_at))
    yield BatchFact("Submitted, UTC", when(batch.created_at))
    yield BatchFact("First claimed", when(history.first_claimed_at))
    yield BatchFact("Done", when(batch.ended_at))
    if batch.deadline is not None:
        yield BatchFact("Deadline", when(batch.deadline), until=batch.deadline if forecast.left else None)
        yield BatchFact("Chunks in time", number(batch.met, "met"))
        yield BatchFact("Chunks late", number(batch.missed, "missed", WARN))
    yield BatchFact("Claims", number(history.attempts, "claims"))
    yield BatchFact(
        "Claimed again", number(history.retries, "retries", "", "claims of a chunk after its first")
    )
    yield from _usage(batch.cpu_s, history, batch.name, grid)
    yield BatchFact("Priority", Cell(str(batch.priority)))
    if batch.model:
        yield BatchFact("Only for model", Cell(one_line(batch.model)))
    yield BatchFact("Source", Cell(one_line(batch.source), "", batch.source))


def _usage(cpu_s: float, history: BatchHistory, name: str, grid: str | None) -> Iterator[BatchFact]:
    yield BatchFact("CPU time", Cell(_span(cpu_s), "", "", _path("cpu_s", name, grid)))
    wall = "of all workers, each counted"
    yield BatchFact("Wall time", Cell(_span(history.wall_s), "", wall, _path("wall_s", name, grid)))
    peak_mb = round(history.peak_memory_bytes / 1e6)
    memory = Cell(
        format_number(peak_mb) if peak_mb else NOTHING,
        "",
        "of one worker",
        _path("peak_memory_mb", name, grid),
    )
    yield BatchFact("Peak memory, MB", memory)
    if history.cost is None:
        yield BatchFact("Cost", Cell("not known", "z", "no host or group of machines says its price"))
        return
    cost = f"{'' if history.is_cost_whole else 'at least '}{history.cost:,.2f}"
    how = "its part of what its hosts cost while they had work, in the currency of their prices"
    yield BatchFact("Cost", Cell(cost, "", how, _path("cost", name, grid)))


def _span(seconds: float) -> str:
    return age_text(seconds) if 0 < seconds < 60 else coarse_span(seconds) if seconds else NOTHING
