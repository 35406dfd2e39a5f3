"""The queue's figures as a terminal shows them (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cloud_monitor.system.text import counted, duration_text, without_controls
from worker.queue.statistics.outcome import finished_text
from worker.queue.statistics.queue import BatchFigures, HostFigures, QueueFigures

STATES = ("pending", "active", "done", "failed", "cancelled")
SHOWN_EVENTS = 8
SHOWN_DEAD = 5


def status_view(figures: QueueFigures) -> RenderableType:
    parts: list[RenderableType] = [_totals(figures), _progress(figures)]
    if figures.hold is not None:
        parts.insert(0, Text(without_controls(figures.hold.text), style="bold red"))
    if figures.batches:
        parts.append(_batches(figures))
    if figures.hosts:
        parts.append(_hosts(figures))
        if len(figures.versions) > 1:
            parts.append(Text(f"versions differ: {versions_text(figures)}", style="bold yellow"))
    if figures.failures:
        parts.append(_pairs("Images that failed", figures.failures))
    if figures.dead:
        parts.append(_dead(figures))
    if figures.events:
        parts.append(_events(figures))
    return Group(*parts)


def _totals(figures: QueueFigures) -> Table:
    table = _table("", *STATES, right=STATES)
    for name, counts in (("chunks", figures.chunks), ("images", figures.images)):
        table.add_row(name, *(_count(counts[state], bad=state == "failed") for state in STATES))
    return table


def _progress(figures: QueueFigures) -> RenderableType:
    images = figures.images
    total = sum(images.values()) - images["cancelled"]
    ended = images["done"] + images["failed"]
    eta = duration_text(figures.eta_s)
    given_up = images["failed"] - sum(figures.failures.values())
    words = [finished_text(total, images["done"], figures.failures, at_least=figures.documents > 0)]
    words += [f"{given_up:,} given up"] if given_up > 0 else []
    words += [f"{figures.images_per_s:.2f}/s", f"{eta} left"]
    if figures.oldest_pending_s is not None:
        words.append(f"oldest waits {duration_text(figures.oldest_pending_s)}")
    if figures.paused:
        words.append(f"{figures.paused} chunks paused")
    if figures.cost_per_1000_images is not None:
        words.append(f"{figures.cost_per_1000_images:.3f} per 1,000 images")
    deadlines = figures.deadlines
    if any(deadlines.values()):
        words.append(
            f"deadlines: {deadlines['met']} met, {deadlines['missed']} missed, {deadlines['open']} open"
        )
    if figures.next_deadline is not None:
        words.append(f"next in {duration_text(figures.next_deadline - figures.at)}")
    bar = ProgressBar(total=max(total, 1), completed=ended, width=60)
    return Group(bar, Text(" · ".join(words)))


def _batches(figures: QueueFigures) -> Table:
    table = _table(
        "batch", "priority", "images", "done", "failed", "doubtful", "chunks left", "deadline", "CPU s/image"
    )
    for batch in figures.batches:
        total = sum(batch.images.values())
        ended = batch.images["done"] + batch.images["failed"]
        table.add_row(
            shown(batch.name + "".join(f" ({note})" for note in _notes(batch))),
            str(batch.priority),
            f"{total:,}",
            f"{100 * ended / total:.1f} %" if total else "-",
            _count(batch.images["failed"], bad=True),
            _count(batch.doubtful, bad=False),
            f"{batch.chunks['pending'] + batch.chunks['active']:,}",
            _deadline(batch, figures.at),
            f"{batch.cpu_s / ended:.2f}" if ended else "-",
        )
    return table


def _notes(batch: BatchFigures) -> list[str]:
    """Why a batch may wait."""
    return ["paused"] * batch.paused + ([] if batch.model is None else [f"only for model {batch.model}"])


def _deadline(batch: BatchFigures, now: float) -> str | Text:
    if batch.deadline is None:
        return "-"
    if batch.missed:
        return Text(f"{batch.missed} chunks missed it", style="bold red")
    left_s = batch.deadline - now
    return f"in {duration_text(left_s)}" if left_s > 0 else f"{duration_text(-left_s)} ago"


def _hosts(figures: QueueFigures) -> Table:
    columns = ("host", "version", "workers", "CPU", "memory", "temp MB", "most chunks", "gate", "seen")
    table, versions = _table(*columns), list(figures.versions)
    for host in figures.hosts:
        loading = f" ({host.loading} loading)" if host.loading else ""
        table.add_row(
            shown(host.name),
            _version(host, versions),
            f"{host.workers}{loading}",
            f"{host.cpu_pct:.0f} %",
            f"{host.memory_pct:.0f} %",
            f"{host.temp_bytes / 1e6:,.0f}",
            f"{host.figures['max_active_chunks']:,.0f}" if "max_active_chunks" in host.figures else "any",
            Text(shown(host.held[0]).plain, style="bold red") if host.held else shown(_last_word(host)),
            f"{duration_text(figures.at - host.seen_at)} ago"
            if host.alive
            else Text("gone", style="bold red"),
        )
    return table


def _version(host: HostFigures, versions: Sequence[str]) -> Text:
    """Another than hosts are compared with stands out."""
    text = shown(host.version or "earlier")
    return Text(text.plain, style="bold yellow") if host.alive and host.version != versions[0] else text


def versions_text(figures: QueueFigures) -> str:
    return ", ".join(
        f"{without_controls(version) or 'earlier'} on {counted(count, 'host')}"
        for version, count in figures.versions.items()
    )


def _last_word(host: HostFigures) -> str:
    """The gate's last decision about workers, in words."""
    for decision in host.decisions:
        if decision.subject != "claim":
            return decision.text or decision.reason
    return "-"


def _dead(figures: QueueFigures) -> Table:
    table = _table("chunk in the dead letter", "number", "images", "error")
    for chunk in figures.dead[:SHOWN_DEAD]:
        images = f"{chunk.images_done} of {chunk.images_total}"
        table.add_row(shown(chunk.name), str(chunk.id), images, shown(chunk.error or "-"))
    return table


def _events(figures: QueueFigures) -> Table:
    table = _table("ago", "host", "event", "")
    for event in figures.events[:SHOWN_EVENTS]:
        ago = duration_text(figures.at - event.at)
        table.add_row(ago, shown(event.host), event.kind, shown(event.message))
    return table


def _pairs(title: str, counts: Mapping[str, int]) -> Table:
    table = _table(title, "")
    for name, count in counts.items():
        table.add_row(shown(name), f"{count:,}")
    return table


def _table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def _count(count: int, bad: bool) -> Text:
    """Zeros recede; what failed stands out."""
    style = "dim" if count == 0 else "bold red" if bad else ""
    return Text(f"{count:,}", style=style)


def shown(text: str) -> Text:
    """Names and errors come from outside: no markup, no control characters reach the terminal."""
    return Text(without_controls(text))
