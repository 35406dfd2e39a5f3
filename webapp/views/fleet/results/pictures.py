"""`/fleet/pictures/<chunk>/<number>`: the thumbnail of a result, out of the results' place of the fleet.

Asked for by numbers, never by a path. Only the small PNGs that workers write are given; the picture itself is
never served.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from webapp.errors import RequestRefused
from webapp.serving.context import current_settings
from webapp.serving.places import Places, SourceAway

if TYPE_CHECKING:
    from worker.review.pictures import FilePlace, ShownPicture

log = logging.getLogger(__name__)

blueprint = Blueprint("fleet_pictures", __name__)

OFF = (
    "pictures are not shown: name the place of the result files in WEBAPP_FLEET_PICTURES, and the queue in "
    "WEBAPP_FLEET_DATABASE_URL"
)
ANSWER_S = 3.0  # of queue and place together
_DIGITS_MAX = 10


@blueprint.get("/fleet/pictures/<chunk>/<number>")
def show(chunk: str, number: str) -> Response:
    """Kept by this browser alone, which asks each time whether it still holds."""
    settings = current_settings()
    url, place = settings.fleet_database_url, settings.fleet_pictures
    if url is None or place is None:
        raise RequestRefused(404, "pictures_off", OFF)
    found = _read(url, place, settings.fleet_pictures_connection_string, _number(chunk), _number(number))
    headers = {"ETag": f'"{found.mark}"', "Cache-Control": "private, no-cache"}
    if not found.png:
        return Response(status=304, headers=headers)
    return Response(found.png, content_type="image/png", headers=headers)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX):
        raise RequestRefused(404, "no_such_picture", "a picture is asked for by chunk and number")
    return int(text)


def _read(url: str, place: str, connection_string: str | None, chunk: int, number: int) -> ShownPicture:
    # SQLAlchemy, and for Azure its SDK: only where pictures are asked for
    from worker.review import QueueError
    from worker.review.pictures import NoPicture, PictureRefused, StorageError, read_picture

    known = request.headers.get("If-None-Match", "").removeprefix("W/").strip('"')
    try:
        files = _open(place, connection_string)
        places = _places(url, place, (QueueError, StorageError))
        return places.call(lambda: read_picture(url, files, chunk, number, known))
    except NoPicture as none:
        raise RequestRefused(404, "no_picture", f"no picture: {none}") from None
    except PictureRefused as refused:
        log.warning("WEBAPP_FLEET_PICTURES: refused: %s", refused)
        told = "the stored thumbnail is not what a worker wrote; the log says more"
        raise RequestRefused(502, "picture_refused", told) from None
    except SourceAway as away:
        raise RequestRefused(503, "cannot_read", str(away), retry_after_s=10) from None
    except StorageError as error:
        raise RequestRefused(503, "cannot_read", str(error)) from None


@lru_cache(maxsize=1)
def _open(place: str, connection_string: str | None) -> FilePlace:
    from worker.review.pictures import open_place

    return open_place(place, connection_string, ANSWER_S)


@lru_cache(maxsize=1)
def _places(url: str, place: str, faults: tuple[type[Exception], ...]) -> Places[ShownPicture]:
    """Of each queue and place its own."""
    return Places(faults, ANSWER_S)


def picture_links() -> Callable[[int, int], str] | None:
    """Of chunk and number, the picture's address; None where no pictures are served."""
    if current_settings().fleet_pictures is None:
        return None
    root = request.script_root
    return lambda chunk, number: f"{root}/fleet/pictures/{chunk}/{number}"
