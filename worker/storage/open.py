"""From a URL to its storage, or to a place whose files are read in parts."""

from __future__ import annotations

from pathlib import Path

from worker.settings import AzureSettings, StorageSettings
from worker.storage.base import Storage, StorageError
from worker.storage.folder import FolderStorage, is_text
from worker.storage.parts import FilePlace, FolderPlace

AZURE = "azure://"


def open_storage(url: str, settings: AzureSettings) -> Storage:
    """A folder's path, or azure://CONTAINER/PREFIX. Reaches nothing yet: the first use does. Raises
    StorageError.
    """
    if not url.startswith(AZURE):
        return FolderStorage(Path(url), settings.image_max_bytes)
    if settings.azure_connection_string is None:
        raise StorageError(f"{url}: set WORKER_AZURE_CONNECTION_STRING (or AZURE_STORAGE_CONNECTION_STRING)")
    from worker.storage.blob import BlobStorage  # the SDK takes a while to load

    container, _, prefix = url.removeprefix(AZURE).partition("/")
    return BlobStorage(
        container,
        prefix,
        settings.azure_connection_string.get_secret_value(),
        timeout_s=settings.azure_timeout_s,
        retries=settings.azure_retries,
        patience_s=settings.azure_patience_s,
        bytes_max=settings.image_max_bytes,
    )


def resolve_source(source: str, storage_url: str) -> str:
    """The URL an `enqueue SOURCE` means: a URL or an absolute path as it is, anything else below
    `storage_url`. Raises StorageError.
    """
    if not source:
        raise StorageError(f"SOURCE is empty: . is all of WORKER_STORAGE_URL ({storage_url})")
    if not is_text(source):
        raise StorageError(f"SOURCE {source!r}: its name is not UTF-8: rename it")
    if source.startswith((AZURE, "/", "~")):
        return source.rstrip("/") or "/"
    if storage_url.startswith(AZURE):
        below = "/".join(part for part in source.split("/") if part not in ("", "."))
        return f"{storage_url.rstrip('/')}/{below}".rstrip("/")
    return str((Path(storage_url).expanduser() / source).absolute())


def results_below(url: str, settings: StorageSettings) -> str | None:
    """The result files' place below the source, which holds no images."""
    results = resolve_source(settings.result_files_url, ".")
    return results.removeprefix(f"{url}/") if results.startswith(f"{url}/") else None


def results_obstacle(settings: StorageSettings) -> str:
    """Why no result could be stored, where that is known within seconds; "" else."""
    hasty = {"azure_retries": 0, "azure_timeout_s": 3.0, "azure_patience_s": 3.0}
    try:
        storage = open_storage(settings.result_files_url, settings.model_copy(update=hasty))
    except StorageError as error:
        return str(error)
    try:
        return storage.obstacle()
    finally:
        storage.close()


def open_place(url: str, connection_string: str | None, timeout_s: float) -> FilePlace:
    """A folder's path, or azure://CONTAINER/PREFIX. Reaches nothing yet. Raises StorageError."""
    if not url.startswith(AZURE):
        return FolderPlace(Path(url))
    if connection_string is None:
        raise StorageError(f"{url}: there is no connection string for it")
    from worker.storage.blob_parts import BlobPlace  # the SDK takes a while to load

    container, _, prefix = url.removeprefix(AZURE).partition("/")
    return BlobPlace(container, prefix, connection_string, timeout_s)
