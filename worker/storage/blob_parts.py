"""Parts of blobs: few requests, each answered soon or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import ContainerClient

from worker.storage.base import StorageError
from worker.storage.blob import OF_BLOB, code_of
from worker.storage.parts import FileReplaced, NoFile, StoredFile, names_of

HEAD = 16_384  # bytes that come with the first request


class BlobPlace:
    """A container, or what is below a prefix in it."""

    def __init__(self, container: str, prefix: str, connection_string: str, timeout_s: float) -> None:
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.url = f"azure://{container}/{self.prefix}".rstrip("/")
        try:
            self._client = ContainerClient.from_connection_string(
                connection_string,
                container,
                retry_total=0,
                connection_timeout=timeout_s,
                read_timeout=timeout_s,
            )
        except ValueError as error:
            raise StorageError(f"{self.url}: connection string: {error}") from None

    @contextmanager
    def opened(self, key: str) -> Iterator[StoredFile]:
        names_of(key)
        blob = self._client.get_blob_client(self.prefix + key)
        yield _BlobPart(blob, f"{self.url}: {key}")

    def close(self) -> None:
        self._client.close()


class _BlobPart:
    """The first request brings the beginning and says which edition all others are to be of."""

    def __init__(self, blob: Any, name: str) -> None:
        self._blob = blob
        self._name = name
        self._edition: dict[str, Any] = {}
        self.size = 0
        self._head = self._get(0, HEAD)

    def read(self, offset: int, size: int) -> bytes:
        size = min(size, self.size - offset)
        if size <= 0:
            return b""
        if offset + size <= len(self._head):
            return self._head[offset : offset + size]
        return self._get(offset, size)

    def _get(self, offset: int, size: int) -> bytes:
        """At most so many bytes, whatever the service sends."""
        try:
            download = self._blob.download_blob(
                offset=offset, length=size, max_concurrency=1, **self._edition
            )
            content = bytes(download.read(size)[:size])
            if not self._edition:
                of = download.properties
                self.size = int(of.size)
                self._edition = {"etag": of.etag, "match_condition": MatchConditions.IfNotModified}
            return content
        except ResourceModifiedError:
            raise FileReplaced(f"{self._name}: it was replaced while it was read") from None
        except ResourceNotFoundError as error:
            raise NoFile(f"{self._name}: the service said {code_of(error)}") from None
        except HttpResponseError as error:
            if code_of(error) == "InvalidRange":  # an empty one
                return b""
            kind = NoFile if code_of(error) in OF_BLOB else StorageError
            raise kind(f"{self._name}: the service said {code_of(error)}") from None
        except (AzureError, ValueError) as error:  # the latter: the answer is no blob's
            told = (str(error).splitlines() or [type(error).__name__])[0]
            raise StorageError(f"{self._name}: {told}") from None
