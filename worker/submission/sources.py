"""Which sources may be submitted from outside: those below an operator's prefixes, wherever links lead."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from posixpath import normpath

from worker.errors import WorkerError
from worker.storage.open import AZURE

_CONTAINER = re.compile(r"[a-z0-9$][a-z0-9-]{1,62}")


class SourceRefused(WorkerError):
    """A source that is not below a prefix; the message tells neither the prefixes nor what there is."""


def resolve_submitted(source: str, prefixes: Sequence[str]) -> str:
    """The URL of the source, without links and `..`. Raises SourceRefused."""
    if source.startswith(AZURE):
        url = _azure(source)
        is_allowed = is_below(url, (prefix for prefix in prefixes if prefix.startswith(AZURE)))
    elif source.startswith("/"):
        url = os.path.realpath(source)
        folders = (prefix for prefix in prefixes if not prefix.startswith(AZURE))
        is_allowed = is_below(url, (os.path.realpath(prefix) for prefix in folders))
    else:
        raise SourceRefused(f"{source}: name a folder from / on, or azure://CONTAINER/PREFIX")
    if not is_allowed:
        raise SourceRefused(
            f"{source} is not below a source that may be submitted: an operator can add one to "
            "WORKER_SUBMIT_SOURCES"
        )
    return url


def may_be_of_another(source: str, prefixes: Iterable[str]) -> bool:
    """Whether a host with those prefixes might take it, as far as names tell."""
    if source.startswith(AZURE):
        return is_below(source.rstrip("/"), prefixes)
    return source.startswith("/") and is_below(normpath(source), prefixes)


def is_below(url: str, prefixes: Iterable[str]) -> bool:
    """Part by part: /data/ab is not below /data/a."""
    return any(url == prefix or url.startswith(f"{prefix}/") for prefix in prefixes)


def _azure(source: str) -> str:
    container, _, path = source.removeprefix(AZURE).partition("/")
    parts = path.strip("/").split("/") if path.strip("/") else []
    if not _CONTAINER.fullmatch(container) or any(part in ("", ".", "..") for part in parts):
        raise SourceRefused(f"{source}: expected azure://CONTAINER/PREFIX, without empty parts, . and ..")
    return "/".join([f"{AZURE}{container}", *parts])
