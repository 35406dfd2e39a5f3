"""`/api/results/export`: all results of a batch, or of all, to be kept; or those that the filters of a
batch's page choose, in its order. Described in openapi.json.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from cloud_monitor.metrics.paths import clean
from cloud_monitor.system.locks import FileLock, take_any
from webapp.errors import RequestRefused
from webapp.serving.context import current_settings
from webapp.views.api import read_number
from webapp.views.fleet.reach import NO_BATCH, queue_address, read_or_refuse
from webapp.views.fleet.results.reviewing import GivenVerdicts, given_verdicts

if TYPE_CHECKING:
    from worker.review import ResultFilter

blueprint = Blueprint("api_results_export", __name__, url_prefix="/api")

AT_ONCE = 2  # of all processes of the page
LONGEST_S = 3600.0  # whoever reads more slowly gets no whole export
_RETRY_AFTER_S = 10
_NAME_MAX = 150  # characters
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
    from webapp.views.fleet.results.asked import read_chosen  # SQLAlchemy: only where it is asked for
    from worker.review.export import export_pieces

    chosen, words = read_chosen(request.args)
    if chosen is not None and batch is None:
        raise RequestRefused(400, "batch_missing", "batch must name the batch that the filters choose from")
    verdicts = given_verdicts()
    place = _take_place()
    try:
        pieces = (
            _sdf(url, batch, chosen, verdicts)
            if form == "sdf"
            else export_pieces(url, batch, form, with_tokens, chosen, verdicts)
        )
        heading = read_or_refuse(lambda: next(pieces, None), "no_such_batch", NO_BATCH)
        answer = Response(_until_late(chain((heading,), pieces), place), content_type=_TYPES[form])
        name = "_".join((clean(batch), *map(_plain, words)))[:_NAME_MAX] if batch else "all_results"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
        answer.headers["Cache-Control"] = "no-store"
        answer.call_on_close(place.release)  # also of one that was never read
    except BaseException:
        place.release()
        raise
    return answer


def _plain(word: str) -> str:
    """What a file's name can say of it anywhere."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", word)


def _sdf(
    url: str, batch: str | None, chosen: ResultFilter | None, verdicts: GivenVerdicts
) -> Iterator[bytes]:
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
    yield from sdf_pieces(url, batch, chosen, verdicts)


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
