"""/fleet for those whose pictures are read: one sentence, batches, why pictures failed, machines. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cloud_monitor.system.text import format_number, one_line
from webapp.model.health import Finding, worst
from webapp.pages.cells import BAD, NOTHING, WARN, Cell
from webapp.pages.tables import Table
from webapp.views.fleet.words import (
    Bar,
    FailureReason,
    at_least,
    bar_parts,
    bar_step,
    clock_minute,
    coarse_span,
    count_text,
    failure_reasons,
    margin_text,
    pace_text,
    pictures_text,
    ready_cells,
)
from worker.queue.statistics.batches import Forecast, forecast
from worker.queue.statistics.queue import BatchFigures, HostFigures, QueueFigures
from worker.review.sdf import has_chemistry


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
    version: Cell
    workers: Cell
    bars: tuple[Bar | None, ...]  # CPU, memory
    why: Cell


@dataclass(frozen=True, slots=True)
class FleetOverview:
    sentence: tuple[Cell, ...]
    findings: tuple[
        tuple[Finding, str], ...
    ]  # the worst first, with the part of the page, or "batch": its page
    rates: Cell
    batches: tuple[BatchLine, ...]
    reasons: tuple[FailureReason, ...]
    failed: Cell
    machines: tuple[FleetMachineLine, ...]
    versions: Cell  # where machines run different ones
    results: Table
    tables: tuple[Table, ...]  # for operators
    doubtful_below: str  # what counts as unsure
    has_chemistry: bool  # can be downloaded as SDF


def fleet_overview(
    figures: QueueFigures, findings: tuple[Finding, ...], results: Table, tables: tuple[Table, ...]
) -> FleetOverview:
    times = forecast(figures)
    hosts = {host.name for host in figures.hosts}
    batches = {batch.name for batch in figures.batches}

    def anchor(finding: Finding) -> str:
        place = finding.where[0]
        return "machines" if place in hosts else "batch" if place in batches else "operators"

    def level_of(name: str) -> Finding:
        return worst(finding for finding in findings if finding.where == (name,))

    reasons = tuple(failure_reasons(figures.failures, figures.images["failed"]))
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
        failed=Cell(pictures_text(figures.images["failed"])),
        machines=tuple(_machine(host, figures, level_of(host.name)) for host in figures.hosts),
        versions=_versions(figures),
        results=results,
        tables=tables,
        doubtful_below=f"{figures.doubtful_below:g}",
        has_chemistry=has_chemistry(),
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
        yield Cell(f"(in {coarse_span(ready_at - figures.at)}){margin_text(ready_at, deadlines[name])}.")
    elif any(found.left for found in times.values()):
        yield Cell("Nothing was read in the last minute.", WARN)
    failed, unsure = figures.images["failed"], sum(batch.doubtful for batch in all_batches)
    if failed or unsure:
        what = [f"{pictures_text(failed)} failed"] if failed else []
        what += [f"{format_number(unsure)} {'is' if unsure == 1 else 'are'} worth a look"] if unsure else []
        yield Cell(f"{', '.join(what)}.")


def _rates(figures: QueueFigures) -> Iterator[str]:
    """Of the whole fleet."""
    alive = [host for host in figures.hosts if host.alive]
    workers = sum(host.workers for host in alive)
    yield pace_text(figures.images_per_s)
    yield f"{len(alive)} {'machine' if len(alive) == 1 else 'machines'}"
    yield f"{workers} {'worker' if workers == 1 else 'workers'}"
    if figures.cost_per_1000_images is not None:
        yield f"{format_number(round(figures.cost_per_1000_images, 2))} per 1000 pictures"
    if figures.documents:
        yield f"at least: pages of {count_text(figures.documents, 'document')} are not counted yet"


def _batch(batch: BatchFigures, found: Forecast, at: float, finding: Finding) -> BatchLine:
    total, failed = sum(batch.images.values()), batch.images["failed"]
    answered = batch.images["done"] + failed
    ready, note = ready_cells(batch, found, at)
    counts = (("done", batch.images["done"]), ("failed", failed), ("active", batch.images["active"]))
    due = batch.met + batch.missed
    return BatchLine(
        name=batch.name,
        finding=finding,
        bar=Bar(bar_parts(total, counts)),
        share=Cell(f"{100 * answered // total} %" if total else NOTHING),
        pictures=Cell(f"{format_number(answered)} of {at_least(total, batch.documents)}"),
        failed=Cell(format_number(failed), WARN if failed else "z"),
        unsure=Cell(format_number(batch.doubtful), "" if batch.doubtful else "z"),
        ready=ready,
        note=note,
        deadline=batch.deadline if found.left else None,
        deadline_text="" if batch.deadline is None else clock_minute(batch.deadline, at),
        kept=Cell(f"{batch.met} of {due}", WARN if batch.missed else "") if due else Cell(NOTHING, "m"),
        pace=Cell(pace_text(found.images_per_s, "")) if found.images_per_s else Cell(NOTHING, "m"),
    )


def _versions(figures: QueueFigures) -> Cell:
    """How many machines run each, where they are not all alike."""
    counts = figures.versions
    each = (f"{count} on {_version_text(version)}" for version, count in counts.items())
    return Cell(f"Versions differ: {', '.join(each)}", WARN) if len(counts) > 1 else Cell("")


def _version_text(version: str) -> str:
    return one_line(version, 40) or "an earlier one"


def _version(host: HostFigures, figures: QueueFigures) -> Cell:
    if not host.alive:
        return Cell(_version_text(host.version), "z")
    wanted = next(iter(figures.versions))
    if host.version == wanted:
        return Cell(_version_text(host.version))
    return Cell(_version_text(host.version), WARN, f"others run {_version_text(wanted)}")


def _machine(host: HostFigures, figures: QueueFigures, finding: Finding) -> FleetMachineLine:
    at = figures.at
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
        name=host.name,
        finding=finding,
        version=_version(host, figures),
        workers=Cell(format_number(host.workers), "" if host.workers else "z"),
        bars=bars,
        why=why,
    )


def _used(share_pct: float, what: str) -> Bar:
    return Bar(
        (("used", 0.0, bar_step(share_pct, 100)),), Cell(f"{round(share_pct)} %", "", f"{what} in use")
    )
