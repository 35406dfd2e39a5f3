"""`/api/results/export`: all results of a batch, or of all, to be kept. Described in openapi.json."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain

from flask import Blueprint, Response, request

from cloud_monitor.metrics.paths import clean
from cloud_monitor.system.locks import FileLock, take_any
from webapp.errors import RequestRefused
from webapp.serving.context import current_settings
from webapp.views.api import read_number
from webapp.views.fleet.reach import NO_BATCH, queue_address, read_or_refuse

blueprint = Blueprint("api_results_export", __name__, url_prefix="/api")

AT_ONCE = 2  # of all processes of the page
LONGEST_S = 3600.0  # whoever reads more slowly gets no whole export
_RETRY_AFTER_S = 10
NO_CHEMISTRY = "SDF needs RDKit beside the page: pip install 'cloud-monitor[chemistry]'"
_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl",
    "sdf": "chemical/x-mdl-sdfile",
}


@blueprint.get("/results/export")
def export() -> Response:
    """Streamed; what breaks off ends without the end of its transfer."""
    url = queue_address()
    form = request.args.get("format", "csv")
    if form not in _TYPES:
        raise RequestRefused(400, "format_refused", f"format={form[:50]!r} is none of {', '.join(_TYPES)}")
    with_tokens = bool(read_number("tokens", 0, 0, 1))
    batch = request.args.get("batch", "").replace("\0", "") or None
    from worker.review.export import export_pieces  # SQLAlchemy: only where it is asked for

    place = _take_place()
    try:
        pieces = _sdf(url, batch) if form == "sdf" else export_pieces(url, batch, form, with_tokens)
        heading = read_or_refuse(lambda: next(pieces, None), "no_such_batch", NO_BATCH)
        answer = Response(_until_late(chain((heading,), pieces), place), content_type=_TYPES[form])
        name = clean(batch) if batch else "all_results"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
        answer.headers["Cache-Control"] = "no-store"
        answer.call_on_close(place.release)  # also of one that was never read
    except BaseException:
        place.release()
        raise
    return answer


def _sdf(url: str, batch: str | None) -> Iterator[bytes]:
    """The first piece is empty; none at all where there is no such batch. Raises RequestRefused: 400 where
    there is no chemistry; QueueUnavailable; QueueError.
    """
    from worker.review.export import is_batch
    from worker.review.sdf import has_chemistry, sdf_pieces

    if not has_chemistry():
        raise RequestRefused(400, "no_chemistry", NO_CHEMISTRY)
    if batch is not None and not is_batch(url, batch):
        return
    yield b""
    yield from sdf_pieces(url, batch)


def _take_place() -> FileLock:
    folder = current_settings().state_dir
    try:
        place = take_any(folder / f"results-{number}.lock" for number in range(AT_ONCE))
    except OSError as error:
        raise RequestRefused(
            503, "state_folder", f"state folder {folder}: {error.strerror or error}"
        ) from None
    if place is None:
        said = f"{AT_ONCE} exports of results are being read; try again shortly"
        raise RequestRefused(503, "busy", said, _RETRY_AFTER_S)
    return place


def _until_late(pieces: Iterator[bytes], place: FileLock) -> Iterator[bytes]:
    until = time.monotonic() + LONGEST_S
    try:
        for piece in pieces:
            yield piece
            if time.monotonic() > until:
                raise TimeoutError(f"an export of results took more than {LONGEST_S:g} s, and was broken off")
    finally:
        place.release()
