"""Who changes something, and that no other site has their browser do it: the one home of both.

Whoever answers a request that changes something begins with `identify`, reads its body by `read_change`, and
ends with `audit`:

    who = identify()
    asked = read_change()
    ...
    audit(who, "silenced", "atlas/cern for 2 h")

A person is proven by a token of WEBAPP_TOKEN_FILE, or by the login of the web server in front (REMOTE_USER,
which it sets itself and no visitor can) where WEBAPP_REMOTE_USERS names who may. A browser sends a login
along with whatever any site has it ask for; so what it says of the asking page counts, and a body is JSON,
which no form of another site can send.

Other secrets in files, such as those that collectors bring, are read and compared here too.
"""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

from flask import json, request
from pydantic import BaseModel, ValidationError

from cloud_monitor.system.text import without_controls
from webapp.errors import RequestRefused
from webapp.serving.context import current_settings

log = logging.getLogger(__name__)
AUDIT_LOG = logging.getLogger("cloud_monitor.audit")

TOKEN_LENGTH_MIN = 16
Body = TypeVar("Body", bound=BaseModel)
_NAME = re.compile(r"[^\s\x00-\x1f\x7f]{1,80}\Z")
_AUDIT_MAX = 500
_FILE_MAX_BYTES = 1 << 20


class ProvenUser(NamedTuple):
    """Whoever changes something. `name` is up to 80 characters without blanks."""

    name: str
    proven_by: Literal["token", "login"]


def identify() -> ProvenUser:
    """Who asks for the change at hand.

    Raises RequestRefused: 403 for what another site asks for, for a login that is not named, and where nobody
    may change anything; 401 without a proof or with one that is wrong; 503 where the tokens cannot be read.
    """
    _refuse_other_sites()
    settings = current_settings()
    word = bearer_token()
    if word is not None and settings.token_file is not None:
        return _identify_by_token(word, settings.token_file)
    login = request.environ.get("REMOTE_USER") or ""
    if login and settings.remote_users:
        if not {"*", login} & settings.remote_users or not _NAME.match(login):
            text = f"{without_controls(login)[:80]!r} may look only: WEBAPP_REMOTE_USERS does not name it"
            raise RequestRefused(403, "user_refused", text)
        return ProvenUser(login, "login")
    if settings.token_file is None and not settings.remote_users:
        text = "nothing can be changed here: neither WEBAPP_TOKEN_FILE nor WEBAPP_REMOTE_USERS is set"
        raise RequestRefused(403, "changes_off", text)
    ways = {
        "a token of WEBAPP_TOKEN_FILE (Authorization: Bearer TOKEN)": settings.token_file,
        "a login at the web server": settings.remote_users,
    }
    proof = ", or ".join(way for way, is_on in ways.items() if is_on)
    raise RequestRefused(401, "proof_missing", f"a change needs {proof}")


def obstacle_to_changes() -> str:
    """Why whoever asks for the page at hand could not change anything, and what is to be done; "" where they
    can, at the latest by a token.
    """
    settings = current_settings()
    login = request.environ.get("REMOTE_USER") or ""
    if settings.token_file is not None or ({"*", login} & settings.remote_users and login):
        return ""
    if not settings.remote_users:
        return "nobody is known here: WEBAPP_TOKEN_FILE or WEBAPP_REMOTE_USERS says who may"
    if not login:
        return "log in at the web server first"
    return f"{without_controls(login)[:80]} may look only: WEBAPP_REMOTE_USERS does not name that login"


def read_change() -> dict[str, Any]:
    """The body of the request at hand, a JSON object. Raises RequestRefused: 415 for another type, 400."""
    if request.mimetype != "application/json":
        raise RequestRefused(415, "type_refused", "Content-Type: application/json is expected")
    try:
        body = json.loads(request.get_data(cache=False))
    except (ValueError, RecursionError):
        raise RequestRefused(400, "body_refused", "the body is no JSON") from None
    if not isinstance(body, dict):
        raise RequestRefused(400, "body_refused", "the body is no JSON object")
    return body


def read_change_as(model: type[Body]) -> Body:
    """The body of the request at hand as the model has it. Raises RequestRefused (400) naming the field."""
    try:
        return model.model_validate(read_change())
    except ValidationError as error:
        raise RequestRefused(400, "body_refused", first_fault(error)) from None


def first_fault(error: ValidationError) -> str:
    """In words, with the field's name."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in fault["loc"])[:80]
    told = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {told}" if where else told


def audit(who: ProvenUser, did: str, what: str) -> None:
    """One line of the log for a change that was made: by whom, how that was proven, from where, of what."""
    text = without_controls(f"{did} {what}")[:_AUDIT_MAX]
    AUDIT_LOG.info("%s (by %s, from %s) %s", who.name, who.proven_by, request.remote_addr or "nowhere", text)


def tokens_by_name(text: bytes) -> Iterator[tuple[str, bytes]]:
    """Of lines `NAME TOKEN`; empty ones and those after `#` do not count.

    Raises ValueError with the number of a line that is something else, or whose token is easily guessed.
    """
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith(b"#"):
            continue
        name = words[0].decode("utf-8", "replace")
        if len(words) != 2 or not _NAME.match(name):
            raise ValueError(f"line {number} is not `NAME TOKEN`")
        if len(words[1]) < TOKEN_LENGTH_MIN:
            raise ValueError(f"line {number}: a token has {TOKEN_LENGTH_MIN} characters or more")
        yield name, words[1]


def _identify_by_token(word: bytes, file: Path) -> ProvenUser:
    text = read_tokens(file, "WEBAPP_TOKEN_FILE")
    try:
        named = list(tokens_by_name(text))
    except ValueError as error:
        log.error("WEBAPP_TOKEN_FILE=%s: %s", file, error)
        raise RequestRefused(503, "token_unreadable", f"WEBAPP_TOKEN_FILE: {error}") from None
    names = [name for name, token in named if fits_any(word, [token])]  # all: time tells nothing
    if not names:
        raise RequestRefused(401, "token_refused", "the token is not one of WEBAPP_TOKEN_FILE")
    return ProvenUser(names[0], "token")


def _refuse_other_sites() -> None:
    """Browsers say which site's page asks; what is no browser says nothing, and sends no login on its own."""
    fetched_from = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if fetched_from is not None:
        is_ours = fetched_from in ("same-origin", "none")
    else:  # browsers name no Sec-Fetch-Site without TLS
        is_ours = origin is None or urlsplit(origin).netloc.lower() == request.host.lower()
    if not is_ours:
        raise RequestRefused(403, "other_site", "a page of another site may change nothing here")


def read_tokens(file: Path, setting: str) -> bytes:
    """The file's text, read for each request, so that a change counts at once.

    Raises RequestRefused (503) where there is none; it names the setting, not the file's path.
    """
    try:
        with open(file, "rb") as opened:
            text = opened.read(_FILE_MAX_BYTES)
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
