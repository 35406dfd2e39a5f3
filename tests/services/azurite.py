"""A real Azure Blob Storage emulator (Azurite): `azurite` for a whole run, `own_azurite` to break."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from tests.services.needs import need
from tests.services.shared import run_folder, share
from tests.services.support import absent, free_port, listens, stop_process, wait_until

MAIN = Path(__file__).parents[2] / "node_modules/azurite/dist/src/blob/main.js"
# Azurite's well-known account, the same everywhere
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class Azurite:
    """`create_container()` gives the name of an empty one; `stop` keeps what was stored for `start`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)

    @property
    def connection_string(self) -> str:
        endpoint = f"http://127.0.0.1:{self.port}/{ACCOUNT}"
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};"
        )

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        port, location = str(self.port), str(self.folder / "data")
        options = ["--blobHost", "127.0.0.1", "--blobPort", port, "--location", location]
        quiet = ["--skipApiVersionCheck", "--disableTelemetry", "--silent"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["node", str(MAIN), *options, *quiet], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        name = f"Azurite on port {self.port}"
        wait_until(lambda: listens(self.port), name, process=self.process, log=self.folder / "log")

    def stop(self) -> None:
        if self.process is not None:
            stop_process(self.process)
            self.process = None

    def create_container(self) -> str:
        name = f"test-{os.getpid()}-{next(self._numbers)}"
        self.container(name).create_container()
        return name

    def container(self, name: str) -> ContainerClient:
        return BlobServiceClient.from_connection_string(self.connection_string).get_container_client(name)


@contextmanager
def run_azurite(folder: Path) -> Iterator[Azurite]:
    need("azurite")
    if not MAIN.exists() or shutil.which("node") is None:
        absent("Azurite is not installed (npm ci, with node from apt install nodejs npm)")
    server = Azurite(folder, free_port())
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Azurite:
    """One for all tests that leave it running: make a container of your own."""

    def describe(server: Azurite) -> dict[str, Any]:
        return {"folder": str(server.folder), "port": server.port}

    def attach(told: dict[str, Any]) -> Azurite:
        return Azurite(Path(told["folder"]), told["port"])

    return share(run_folder(tmp_path_factory), "azurite", run_azurite, describe, attach)


@pytest.fixture
def own_azurite(tmp_path: Path) -> Iterator[Azurite]:
    with run_azurite(tmp_path) as server:
        yield server
