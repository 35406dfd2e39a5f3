"""Faults of Azure Blob Storage: ridden out for a bounded time, then named."""

from __future__ import annotations

import os
import signal
import threading
import time
from itertools import islice
from pathlib import Path

import pytest

from tests.services.azurite import Azurite
from tests.services.support import in_time
from worker.settings import Settings
from worker.storage import StorageError, open_storage


def settings(azurite: Azurite, **options: float) -> Settings:
    return Settings(azure_connection_string=azurite.connection_string, **options)


def test_names_that_begin_with_a_slash_are_left_out_and_named(
    azurite: Azurite, caplog: pytest.LogCaptureFixture
) -> None:
    container = azurite.create_container()
    for key in ("in//lost.png", "in/a.png", "in/b//c.png"):
        azurite.container(container).upload_blob(key, b"x")
    storage = open_storage(f"azure://{container}/in", settings(azurite))
    listed = [(found.path, found.names) for found in islice(storage.list_directories(), 9)]
    assert listed == [("", ("a.png",)), ("b/", ("c.png",))]
    assert f"{container}/in//: left out" in caplog.text


def test_a_short_outage_is_ridden_out(own_azurite: Azurite, tmp_path: Path) -> None:
    container = own_azurite.create_container()
    own_azurite.container(container).upload_blob("i.png", b"image")
    storage = open_storage(f"azure://{container}", settings(own_azurite))
    own_azurite.stop()
    back = threading.Timer(2, own_azurite.start)
    back.start()
    storage.get("i.png", tmp_path / "got")
    back.join()
    assert (tmp_path / "got").read_bytes() == b"image"


def test_a_storage_that_is_down_is_given_up_in_bounded_time(own_azurite: Azurite, tmp_path: Path) -> None:
    container = own_azurite.create_container()
    storage = open_storage(f"azure://{container}", settings(own_azurite, azure_patience_s=3))
    own_azurite.stop()
    started = time.monotonic()
    with pytest.raises(StorageError, match=rf"azure://{container}: cannot put a/1/r: "):
        storage.put("a", 1, "r", Path(__file__))
    assert in_time(time.monotonic() - started, 6)


def test_a_silent_storage_is_given_up_in_bounded_time(own_azurite: Azurite, tmp_path: Path) -> None:
    container = own_azurite.create_container()
    storage = open_storage(
        f"azure://{container}", settings(own_azurite, azure_patience_s=3, azure_timeout_s=1)
    )
    os.kill(own_azurite.pid, signal.SIGSTOP)
    started = time.monotonic()
    try:
        with pytest.raises(StorageError, match=container):
            list(storage.list_directories())
    finally:
        os.kill(own_azurite.pid, signal.SIGCONT)
    assert in_time(time.monotonic() - started, 8)


def test_credentials_that_lack_are_asked_for() -> None:
    with pytest.raises(StorageError, match="AZURE_STORAGE_CONNECTION_STRING"):
        open_storage("azure://images/x", Settings(azure_connection_string=None))


def test_credentials_that_are_malformed_are_named_but_not_shown() -> None:
    with pytest.raises(StorageError, match="WORKER_AZURE_CONNECTION_STRING") as refused:
        open_storage("azure://images/x", Settings(azure_connection_string="secret"))
    assert "secret" not in str(refused.value)
