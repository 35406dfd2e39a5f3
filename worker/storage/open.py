"""From a URL to its storage."""

from __future__ import annotations

from worker.settings import Settings
from worker.storage.base import Storage


def open_storage(url: str, settings: Settings) -> Storage:
    """A folder's path, or azure://CONTAINER/PREFIX. Opens nothing yet: the first use raises StorageError."""
    raise NotImplementedError
