"""Where the page has a result's picture, if it serves pictures at all."""

from __future__ import annotations

from collections.abc import Callable

from flask import request

from webapp.serving.context import current_settings


def picture_links() -> Callable[[int, int], str] | None:
    """Of chunk and number, the picture's address; None where no pictures are served."""
    if current_settings().fleet_pictures is None:
        return None
    root = request.script_root
    return lambda chunk, number: f"{root}/fleet/pictures/{chunk}/{number}"
