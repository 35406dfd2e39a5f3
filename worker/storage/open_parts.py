"""From a URL to a place whose files are read in parts."""

from __future__ import annotations

from pathlib import Path

from worker.storage.base import StorageError
from worker.storage.open import AZURE
from worker.storage.parts import FilePlace, FolderPlace


def open_place(url: str, connection_string: str | None, timeout_s: float) -> FilePlace:
    """A folder's path, or azure://CONTAINER/PREFIX. Reaches nothing yet. Raises StorageError."""
    if not url.startswith(AZURE):
        return FolderPlace(Path(url))
    if connection_string is None:
        raise StorageError(f"{url}: there is no connection string for it")
    from worker.storage.blob_parts import BlobPlace  # the SDK takes a while to load

    container, _, prefix = url.removeprefix(AZURE).partition("/")
    return BlobPlace(container, prefix, connection_string, timeout_s)
