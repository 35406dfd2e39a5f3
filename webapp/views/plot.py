"""`/plot`: a page for nothing but a plot; what it shows is in the address and drawn by the browser.
`/export`: all its traces as CSV, TSV or JSON, joined on the timestamp; the URL works in scripts.
"""

from __future__ import annotations

import csv
import io
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from functools import partial

from flask import Blueprint, Response, request

from webapp.annotations.model import Annotation
from webapp.annotations.store import FOUND_MAX
from webapp.errors import RequestRefused
from webapp.graphite.notes import Notes, read_notes
from webapp.graphite.reading import Reading, Wish, read_targets
from webapp.graphite.series import JoinedSeries, join
from webapp.graphite.targets import check_targets, check_work
from webapp.graphite.timerange import parse_range, parse_zone
from webapp.poll.current import current_view
from webapp.serving.context import current_gate, current_settings, current_time
from webapp.views.api import describe_span, read_number, write_with_series
from webapp.views.api_annotations import describe, shown_annotations
from webapp.views.render import show_page

plot = Blueprint("plot", __name__)
export = Blueprint("export", __name__)

Happened = Sequence[Annotation]

_STEP_MAX_S = 31 * 86400
_HEADER_MAX = 4000  # servers refuse longer ones
_PIECE_CHARACTERS = 64 * 1024
_WHOLE_MAX = 1e16  # larger ones are shorter with an exponent


@plot.get("/plot", endpoint="show")
def show_plot() -> Response:
    return show_page("plot", "plot_body.html", lambda view: {}, heading="Plot")


@export.get("/export", endpoint="show")
def show_export() -> Response:
    settings = current_settings()
    name = request.args.get("format", "csv")
    if name not in _FORMATS:
        raise RequestRefused(400, "format_refused", f"format={name[:50]!r} is none of csv, tsv, json")
    zone = parse_zone(request.args.get("tz", "UTC"))
    targets = check_targets(request.args.getlist("target"), settings.series_max)
    now, days = current_time(), settings.range_max_days
    span = parse_range(request.args.get("from", "-1h"), request.args.get("until", "now"), now, zone, days)
    paths = current_view().snapshot.values
    check_work(targets, span, now, paths, settings.stored_points_max)
    step_s = read_number("step", 0, 1, _STEP_MAX_S)
    wish = Wish(span, settings.points_max, step_s, is_export=True, zone=zone)
    readings = read_targets(current_gate(), targets, wish, now)
    notes = read_notes(current_gate(), readings, paths, now)
    table = join([reading.sampled for reading in readings])
    happened = _read_annotations(table) if read_number("annotations", 0, 0, 1) else None
    content_type, write = _FORMATS[name]
    return Response(
        write(readings, notes, table, zone, happened),
        content_type=content_type,
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="cloud_monitor_{table.step_s}s.{name}"',
            "X-Resolution-Seconds": str(table.step_s),
            **_header(readings, notes),
        },
    )


def local_time(timestamp: int, zone: tzinfo) -> str:
    """ISO 8601 with the offset, which tells the two hours apart when clocks are set back."""
    return datetime.fromtimestamp(timestamp, zone).isoformat()


def exact(value: float) -> str:
    """The shortest text that is read back as this number."""
    return str(int(value)) if value.is_integer() and abs(value) < _WHOLE_MAX else repr(value)


def _read_annotations(table: JoinedSeries) -> Happened:
    """What happened in the time of the rows, the oldest first."""
    if not table.timestamps:
        return ()
    first, last = table.timestamps[0], table.timestamps[-1] + table.step_s
    return shown_annotations(first, last, "", FOUND_MAX)[::-1]


def write_separated(
    delimiter: str,
    readings: list[Reading],
    notes: Notes,
    table: JoinedSeries,
    zone: tzinfo,
    happened: Happened | None = None,
) -> Iterator[str]:
    """Columns `timestamp` (epoch seconds), `time`, then one a target; a gap is an empty cell.

    What has happened stands in a last column `annotations`, in the row of the step that it began in.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    last = () if happened is None else ("annotations",)
    writer.writerow(["timestamp", "time", *(reading.target.text for reading in readings), *last])
    begun = _by_row(happened or (), table)
    for timestamp, *row in zip(table.timestamps, *table.columns, strict=True):
        cells = ("" if value is None else exact(value) for value in row)
        said = () if happened is None else ("; ".join(begun.get(timestamp, ())),)
        writer.writerow([timestamp, local_time(timestamp, zone), *cells, *said])
        if text.tell() > _PIECE_CHARACTERS:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _by_row(happened: Happened, table: JoinedSeries) -> Mapping[int, list[str]]:
    """Each begins with its kind, so that no spreadsheet takes a text for a formula."""
    rows: dict[int, list[str]] = {}
    for one in happened:
        place = bisect_right(table.timestamps, one.at) - 1
        if place >= 0:
            rows.setdefault(table.timestamps[place], []).append(f"{one.kind_words}: {one.text}")
    return rows


def write_json(
    readings: list[Reading],
    notes: Notes,
    table: JoinedSeries,
    zone: tzinfo,
    happened: Happened | None = None,
) -> Iterator[str]:
    head: dict[str, object] = {
        "step_s": table.step_s,
        "tz": str(zone),
        "timestamp": table.timestamps,
        "time": [local_time(timestamp, zone) for timestamp in table.timestamps],
        "incomplete": [describe_span(span) for span in notes.incomplete],
    }
    if happened is not None:
        head["annotations"] = [describe(one) for one in happened]
    series = (
        {
            "target": reading.target.text,
            "unit": reading.target.metric.unit,
            "values": list(column),
            "notes": said,
        }
        for reading, column, said in zip(readings, table.columns, notes.of_targets, strict=True)
    )
    return write_with_series(head, series)


def _header(readings: list[Reading], notes: Notes) -> dict[str, str]:
    """What the columns of a table do not say; JSON has it beside the values too."""
    said = [
        f"{reading.target.text}: {', '.join(sentences)}"
        for reading, sentences in zip(readings, notes.of_targets, strict=True)
        if sentences
    ]
    return {"X-Notes": "; ".join(said)[:_HEADER_MAX]} if said else {}


_Write = Callable[[list[Reading], Notes, JoinedSeries, tzinfo, Happened | None], Iterator[str]]
_FORMATS: dict[str, tuple[str, _Write]] = {
    "csv": ("text/csv; charset=utf-8", partial(write_separated, ",")),
    "tsv": ("text/tab-separated-values; charset=utf-8", partial(write_separated, "\t")),
    "json": ("application/json", write_json),
}
