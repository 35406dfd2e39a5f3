"""/fleet for those whose pictures are read: one sentence, batches, why pictures failed, machines. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cloud_monitor.system.text import age_text, format_number, one_line
from webapp.model.health import Finding, worst
from webapp.pages.cells import BAD, NOTHING, WARN, Cell
from webapp.pages.tables import Table
from worker.queue.batch_statistics import Forecast, forecast
from worker.queue.statistics import DOUBTFUL_BELOW, BatchFigures, HostFigures, QueueFigures

GIVEN_UP = "given up with their chunk"
NO_TEXT = Cell("")
_BAR_STEPS = 200  # a bar is drawn in steps, so that the page stays the same while little moves


@dataclass(frozen=True, slots=True)
class Bar:
    """Parts of a whole in shares of 100, each with the class of its look."""

    parts: tuple[tuple[str, float, float], ...]  # look, begin, width
    text: Cell = NO_TEXT


@dataclass(frozen=True, slots=True)
class BatchLine:
    name: str
    finding: Finding
    bar: Bar
    share: Cell
    pictures: Cell
    failed: Cell
    unsure: Cell
    ready: Cell
    note: Cell
    deadline: float | None  # while there is work left: counted down
    deadline_text: str
    kept: Cell
    pace: Cell


@dataclass(frozen=True, slots=True)
class FleetMachineLine:
    name: str
    finding: Finding
    workers: Cell
    bars: tuple[Bar | None, ...]  # CPU, memory
    why: Cell


@dataclass(frozen=True, slots=True)
class FailureReason:
    """Why pictures failed; `width` in shares of 100 of the commonest reason."""

    text: str
    width: float
    count: Cell


@dataclass(frozen=True, slots=True)
class FleetOverview:
    sentence: tuple[Cell, ...]
    findings: tuple[tuple[Finding, str], ...]  # the worst first, with the part of the page that tells more
    rates: Cell
    batches: tuple[BatchLine, ...]
    reasons: tuple[FailureReason, ...]
    failed: Cell
    machines: tuple[FleetMachineLine, ...]
    results: Table
    tables: tuple[Table, ...]  # for operators
    doubtful_below: str  # what counts as unsure


def fleet_overview(
    figures: QueueFigures, findings: tuple[Finding, ...], results: Table, tables: tuple[Table, ...]
) -> FleetOverview:
    times = forecast(figures)
    hosts = {host.name for host in figures.hosts}
    batches = {batch.name for batch in figures.batches}

    def anchor(finding: Finding) -> str:
        place = finding.where[0]
        return "machines" if place in hosts else "batches" if place in batches else "operators"

    def level_of(name: str) -> Finding:
        return worst(finding for finding in findings if finding.where == (name,))

    reasons = tuple(_reasons(figures))
    return FleetOverview(
        sentence=tuple(_sentence(figures, times)),
        findings=tuple(
            (finding, anchor(finding)) for finding in sorted(findings, key=lambda one: -one.level)
        ),
        rates=Cell(" · ".join(_rates(figures))),
        batches=tuple(
            _batch(batch, times[batch.name], figures.at, level_of(batch.name)) for batch in figures.batches
        ),
        reasons=reasons,
        failed=Cell(_pictures(figures.images["failed"])),
        machines=tuple(_machine(host, figures.at, level_of(host.name)) for host in figures.hosts),
        results=results,
        tables=tables,
        doubtful_below=f"{DOUBTFUL_BELOW:g}",
    )


def _sentence(figures: QueueFigures, times: Mapping[str, Forecast]) -> Iterator[Cell]:
    """How it stands, when the next batch is ready, what to look at: words and, strong, the news in them."""
    all_batches = figures.batches
    if not all_batches:
        yield Cell("No batch has been submitted yet.", "lead-words")
        return
    read = sum(not times[batch.name].left for batch in all_batches)
    noun = "batch" if len(all_batches) == 1 else "batches"
    yield Cell(f"{read} of {len(all_batches)} {noun} read.", "lead-words")
    dated = [(found.ready_at, name) for name, found in times.items() if found.ready_at is not None]
    deadlines = {batch.name: batch.deadline for batch in all_batches}
    if figures.hold is not None:
        yield Cell("The whole fleet is held.", WARN)
    elif dated:
        ready_at, name = min(dated)
        yield Cell(f"{one_line(name, 80)} will be ready at")
        yield Cell(f"{clock_minute(ready_at, figures.at)} UTC", "lead-words")
        yield Cell(f"(in {coarse_span(ready_at - figures.at)}){_margin(ready_at, deadlines[name])}.")
    elif any(found.left for found in times.values()):
        yield Cell("Nothing was read in the last minute.", WARN)
    failed, unsure = figures.images["failed"], sum(batch.doubtful for batch in all_batches)
    if failed or unsure:
        what = [f"{_pictures(failed)} failed"] if failed else []
        what += [f"{format_number(unsure)} {'is' if unsure == 1 else 'are'} worth a look"] if unsure else []
        yield Cell(f"{', '.join(what)}.")


def _margin(ready_at: float, deadline: float | None) -> str:
    if deadline is None:
        return ""
    side = "before" if ready_at <= deadline else "after"
    return f", {coarse_span(abs(deadline - ready_at))} {side} its deadline"


def _rates(figures: QueueFigures) -> Iterator[str]:
    """Of the whole fleet."""
    alive = [host for host in figures.hosts if host.alive]
    workers = sum(host.workers for host in alive)
    yield _pace(figures.images_per_s)
    yield f"{len(alive)} {'machine' if len(alive) == 1 else 'machines'}"
    yield f"{workers} {'worker' if workers == 1 else 'workers'}"
    if figures.cost_per_1000_images is not None:
        yield f"{format_number(round(figures.cost_per_1000_images, 2))} per 1000 pictures"
    if figures.documents:
        yield f"at least: pages of {_count(figures.documents, 'document')} are not counted yet"


def _batch(batch: BatchFigures, found: Forecast, at: float, finding: Finding) -> BatchLine:
    total, failed = sum(batch.images.values()), batch.images["failed"]
    answered = batch.images["done"] + failed
    ready, note = _ready(batch, found, at)
    counts = (("done", batch.images["done"]), ("failed", failed), ("active", batch.images["active"]))
    due = batch.met + batch.missed
    return BatchLine(
        name=batch.name,
        finding=finding,
        bar=Bar(_parts(total, counts)),
        share=Cell(f"{100 * answered // total} %" if total else NOTHING),
        pictures=Cell(f"{format_number(answered)} of {format_number(total)}"),
        failed=Cell(format_number(failed), WARN if failed else "z"),
        unsure=Cell(format_number(batch.doubtful), "" if batch.doubtful else "z"),
        ready=ready,
        note=note,
        deadline=batch.deadline if found.left else None,
        deadline_text="" if batch.deadline is None else clock_minute(batch.deadline, at),
        kept=Cell(f"{batch.met} of {due}", WARN if batch.missed else "") if due else Cell(NOTHING, "m"),
        pace=Cell(_pace(found.images_per_s, "")) if found.images_per_s else Cell(NOTHING, "m"),
    )


def _ready(batch: BatchFigures, found: Forecast, at: float) -> tuple[Cell, Cell]:
    """When, and what is to be said of it."""
    if not found.left:
        if batch.ended_at is None:
            return Cell("read" if sum(batch.images.values()) else "nothing to read", "t"), Cell("")
        text = "read" + _margin(batch.ended_at, batch.deadline)
        is_late = batch.deadline is not None and batch.ended_at > batch.deadline
        return Cell(clock_minute(batch.ended_at, at), "t"), Cell(text, WARN if is_late else "")
    if batch.paused:
        return Cell("paused", "t"), Cell("")
    if found.ready_at is None:
        return Cell("not known", "t z"), Cell("nothing was read in the last minute")
    margin = _margin(found.ready_at, batch.deadline).removeprefix(", ")
    is_late = batch.deadline is not None and found.ready_at > batch.deadline
    after = f"after {one_line(found.waits_for, 60)}" if found.waits_for else ""
    text = f"{clock_minute(found.ready_at, at)}, in {coarse_span(found.ready_at - at)}"
    return Cell(text, "t"), Cell("; ".join(filter(None, (margin, after))), WARN if is_late else "")


def _reasons(figures: QueueFigures) -> Iterator[FailureReason]:
    """All failed pictures, the commonest reason first: those without a result were given up with theirs."""
    counts = dict(figures.failures)
    if (given_up := figures.images["failed"] - sum(counts.values())) > 0:
        counts[GIVEN_UP] = given_up
    most = max(counts.values(), default=1)
    for text, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield FailureReason(one_line(text, 120), _step(count, most), Cell(format_number(count)))


def _machine(host: HostFigures, at: float, finding: Finding) -> FleetMachineLine:
    held = next(iter(host.held), "")
    if not host.alive:
        why = Cell(
            f"silent for {coarse_span(at - host.seen_at)}", "t" + (f" {BAD}" if host.workers else " z")
        )
    else:
        refused = next((one for one in host.decisions if not one.admitted), None)
        text = held or ("" if refused is None else refused.text or refused.reason)
        why = Cell(one_line(text), f"t {BAD}" if held else "t", one_line(text))
    bars = (_used(host.cpu_pct, "CPU"), _used(host.memory_pct, "memory")) if host.alive else (None, None)
    return FleetMachineLine(
        host.name, finding, Cell(format_number(host.workers), "" if host.workers else "z"), bars, why,
    )  # fmt: skip


def _used(share_pct: float, what: str) -> Bar:
    return Bar((("used", 0.0, _step(share_pct, 100)),), Cell(f"{round(share_pct)} %", "", f"{what} in use"))


def _parts(total: int, counts: tuple[tuple[str, int], ...]) -> tuple[tuple[str, float, float], ...]:
    found, begin = [], 0.0
    for look, count in counts:
        width = _step(count, total)
        found.append((look, begin, width))
        begin += width
    return tuple(part for part in found if part[2])


def _step(count: float, whole: float) -> float:
    """In shares of 100; what there is shows."""
    if not count or not whole:
        return 0.0
    return max(1, round(_BAR_STEPS * min(1.0, count / whole))) * 100 / _BAR_STEPS


def _pace(images_per_s: float, unit: str = " pictures") -> str:
    """A minute, or an hour where it is slow."""
    a_minute = 60 * images_per_s
    if 0 < a_minute < 1:
        return f"{format_number(round(60 * a_minute))}{unit}/h"
    return f"{format_number(round(a_minute))}{unit}/min"


def _pictures(count: int) -> str:
    return _count(count, "picture")


def _count(count: int, noun: str) -> str:
    return f"{format_number(count)} {noun}{'' if count == 1 else 's'}"


def coarse_span(seconds: float) -> str:
    """Coarse, so that a page on which nothing happens stays the same."""
    return "under 1 min" if seconds < 60 else age_text(seconds)


def clock_minute(at: float, now: float) -> str:
    """In UTC; with the day where it is another than now's."""
    day, today = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(now, UTC)
    return day.strftime("%H:%M" if day.date() == today.date() else "%d %b %H:%M")
