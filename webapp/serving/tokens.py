"""Files of secrets, and the word that a request brings (`Authorization: Bearer TOKEN`)."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterable
from pathlib import Path

from flask import request

from webapp.errors import RequestRefused

log = logging.getLogger(__name__)

FILE_MAX_BYTES = 1 << 20


def read_tokens(file: Path, setting: str) -> bytes:
    """The file's text, read for each request, so that a change counts at once.

    Raises RequestRefused (503) where there is none; it names the setting, not the file's path.
    """
    try:
        with open(file, "rb") as opened:
            text = opened.read(FILE_MAX_BYTES)
    except OSError as error:
        log.error("%s=%s: %s", setting, file, error.strerror)
        fault = f"{setting} cannot be read: {error.strerror}"
        raise RequestRefused(503, "token_unreadable", fault) from None
    if not text.strip():
        raise RequestRefused(503, "token_unreadable", f"{setting} is empty")
    return text


def bearer_token() -> bytes | None:
    """The word of the request at hand; None where it brings no such header."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return given.strip().encode("utf-8", "replace") if scheme.lower() == "bearer" else None


def fits_any(word: bytes, tokens: Iterable[bytes]) -> bool:
    """Whether it is one of them. All are compared: time tells nothing."""
    fits = [hmac.compare_digest(word, token) for token in tokens]
    return any(fits)
