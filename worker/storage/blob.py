"""Storage in a container of Azure Blob Storage; the only module that imports the SDK."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobPrefix, ContainerClient, ExponentialRetry

from worker.storage.base import (
    LARGEST_IMAGE_BYTES,
    Directory,
    ImageMissing,
    ImageTooLarge,
    Skip,
    StorageError,
    is_image,
    nothing,
)

log = logging.getLogger(__name__)

# Answers about one blob, whoever asks for it. A refusal (403) may be the account's, the key's or the blob's.
OF_BLOB = frozenset(
    {
        "BlobArchived",
        "BlobBeingRehydrated",
        "BlobUsesCustomerSpecifiedEncryption",
        "BlobDoesNotUseCustomerSpecifiedEncryption",
        "BlobCustomerSpecifiedEncryptionMismatch",
        "InvalidRange",
        "InvalidBlobType",
    }
)
LISTED_AT_ONCE = 8  # directories; a listing is mostly waiting for answers


class BoundedRetry(ExponentialRetry):
    """The SDK's retries (after about 1, 3, 5, 9, 17 ... s), ended when `patience_s` would be over. Counts
    requests.
    """

    def __init__(self, retries: int, patience_s: float) -> None:
        super().__init__(
            initial_backoff=1,
            increment_base=2,
            random_jitter_range=1,
            retry_total=retries,
            retry_connect=retries,
            retry_read=retries,
            retry_status=retries,
        )
        self.patience_s = patience_s
        self.requests = 0
        self._lock = threading.Lock()

    def configure_retries(self, request: Any) -> dict[str, Any]:
        self._count()
        return super().configure_retries(request) | {"give_up_at": time.monotonic() + self.patience_s}

    def increment(self, settings: dict[str, Any], *arguments: Any, **options: Any) -> bool:
        again = super().increment(settings, *arguments, **options)
        if not again or time.monotonic() + self.get_backoff_time(settings) > settings["give_up_at"]:
            return False
        self._count()
        return True

    def _count(self) -> None:
        with self._lock:
            self.requests += 1


class BlobStorage:
    def __init__(
        self,
        container: str,
        prefix: str,
        connection_string: str,
        timeout_s: float,
        retries: int,
        patience_s: float,
        bytes_max: int = LARGEST_IMAGE_BYTES,
    ) -> None:
        self.unlisted: list[str] = []
        self._bytes_max = bytes_max
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.url = f"azure://{container}/{self.prefix}".rstrip("/")
        self.policy = BoundedRetry(retries, patience_s)
        try:
            self.client = ContainerClient.from_connection_string(
                connection_string,
                container,
                retry_policy=self.policy,
                connection_timeout=min(timeout_s, 10),
                read_timeout=timeout_s,
            )
        except ValueError as error:
            raise StorageError(f"WORKER_AZURE_CONNECTION_STRING: {error}") from None

    @property
    def requests(self) -> int:
        return self.policy.requests

    def list_directories(self, skip: Skip = nothing) -> Iterator[Directory]:
        """Some are asked for at once; given in the order of a walk level by level."""
        with ThreadPoolExecutor(LISTED_AT_ONCE) as pool:
            waiting: deque[str] = deque([""])
            asked: deque[tuple[str, Future[tuple[list[str], list[str]]]]] = deque()
            try:
                while waiting or asked:
                    while waiting and len(asked) < LISTED_AT_ONCE:
                        path = waiting.popleft()
                        asked.append((path, pool.submit(self._list, path)))
                    path, answer = asked.popleft()
                    names, below = answer.result()
                    waiting.extend(place for place in below if not skip(place))
                    if names:
                        yield Directory(path, tuple(names))
            finally:
                pool.shutdown(cancel_futures=True)

    def get(self, key: str, destination: Path) -> str:
        digest = hashlib.sha256()
        try:
            with self._faults(f"cannot get {key}"), destination.open("wb") as file:
                download = self.client.download_blob(self.prefix + key, max_concurrency=1)
                received = download.size  # known before all of it is here
                if received <= self._bytes_max:
                    received = 0
                    for block in download.chunks():
                        received += len(block)
                        if received > self._bytes_max:
                            break
                        digest.update(block)
                        file.write(block)
            if received > self._bytes_max:
                raise ImageTooLarge(
                    f"{self.url}: {key} has more than {self._bytes_max} bytes (WORKER_IMAGE_MAX_BYTES)"
                )
            return digest.hexdigest()
        except _NotThere:
            raise ImageMissing(f"{self.url}: there is no image {key}") from None
        except _NotReadable as error:
            raise ImageMissing(f"{self.url}: cannot get {key}: the service said {error}") from None

    def put(self, folder: str, token: int, name: str, source: Path) -> str:
        key = f"{folder}/{token}/{name}"
        with self._faults(f"cannot put {key}"), source.open("rb") as file:
            self.client.upload_blob(self.prefix + key, file, overwrite=True)
        return key

    def obstacle(self) -> str:
        try:
            is_there = self.client.exists()
        except AzureError:  # away, or this key may not ask: the first use tells
            return ""
        if is_there:
            return ""
        name = self.client.container_name
        return (
            f"{self.url}: there is no such container: create it (az storage container create --name {name})"
        )

    def sweep(self, folder: str, keep: Collection[str]) -> int:
        """One already deleted by another is well."""
        kept = {self.prefix + key for key in keep}
        swept = 0
        with self._faults(f"cannot sweep {folder}"):
            for name in self.client.list_blob_names(name_starts_with=f"{self.prefix}{folder}/"):
                if name not in kept:
                    self._delete(name)
                    swept += 1
        return swept

    def close(self) -> None:
        self.client.close()

    def _delete(self, name: str) -> None:
        try:
            self.client.delete_blob(name)
        except ResourceNotFoundError:
            return

    def _list(self, path: str) -> tuple[list[str], list[str]]:
        """Names of images, and paths of the directories below."""
        start = self.prefix + (f"{path}/" if path else "")
        names, below = [], []
        with self._faults(f"cannot list {path or 'it'}"):
            for item in self.client.walk_blobs(name_starts_with=start, delimiter="/"):
                if isinstance(item, BlobPrefix):
                    place = item.name[len(self.prefix) :].removesuffix("/")
                    if place:
                        below.append(place)
                    else:  # it would be listed as the storage itself, again and again
                        log.warning("%s//: left out, these names begin with /: rename them", self.url)
                elif is_image(item.name[len(start) :]):
                    names.append(item.name[len(start) :])
        return sorted(names), sorted(below)

    @contextmanager
    def _faults(self, what: str) -> Iterator[None]:
        """The SDK's errors as this package's, naming the container."""
        try:
            yield
        except ResourceNotFoundError as error:
            if code_of(error) == "BlobNotFound":
                raise _NotThere from error
            raise StorageError(f"{self.url}: {what}: there is no such container") from error
        except HttpResponseError as error:
            if code_of(error) in OF_BLOB:
                raise _NotReadable(code_of(error)) from error
            raise StorageError(f"{self.url}: {what}: the service said {code_of(error)}") from error
        except AzureError as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise StorageError(f"{self.url}: {what}: {first}") from error


def code_of(error: HttpResponseError) -> str:
    """The service's own word for it, which the SDK adds to its exceptions."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or error.reason or error.status_code)


class _NotThere(Exception):
    """There is no blob of that name."""


class _NotReadable(Exception):
    """The blob is there, and is not to be had."""
