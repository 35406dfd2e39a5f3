"""Listing a container of Azure Blob Storage (Azurite) directory by directory: time and requests."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.services.azurite import run_azurite
from worker.settings import Settings
from worker.storage import open_storage

IMAGES = 2  # a directory: Azurite takes minutes to be filled with more
UPLOADS_AT_ONCE = 16


def measure_listing(directories: int) -> Iterator[tuple[str, float, str]]:
    with tempfile.TemporaryDirectory(prefix="bench-queue-") as folder, run_azurite(Path(folder)) as azurite:
        container = azurite.create_container()
        client = azurite.container(container)
        keys = [f"d{number:05}/{image}.png" for number in range(directories) for image in range(IMAGES)]
        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
            list(pool.map(lambda key: client.upload_blob(key, b"x"), keys))
        storage = open_storage(
            f"azure://{container}", Settings(azure_connection_string=azurite.connection_string)
        )
        started_s = time.perf_counter()
        found = list(storage.list_directories())
        took_s = time.perf_counter() - started_s
        assert sum(len(directory.names) for directory in found) == len(keys)
        yield "azure_listing", took_s, "s"
        yield "azure_listing_requests", storage.requests, "requests"
        yield "azure_listing_requests_a_directory", storage.requests / directories, "requests"
        storage.close()
