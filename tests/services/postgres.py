"""A real PostgreSQL, a cluster in a folder of its own: `postgres` for the run, `own_postgres` to break."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.services.needs import need
from tests.services.shared import run_folder, share
from tests.services.support import PATIENCE_S, absent, free_port

OWNER = "postgres"  # who runs the server when the tests run as root, which PostgreSQL refuses
CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
"""
FAST = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"  # nobody pulls the plug of a test
IN_TIME = ("-w", "-t", f"{PATIENCE_S:.0f}")


class Postgres:
    """`create_database()` gives the URL of an empty database; `stop`, `start`, `restart`, `kill` act on the
    server.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = port
        self._numbers = itertools.count(1)
        self._shared: str | None = None

    def initialise(self, durable: bool) -> None:
        """Make the cluster, before the first start."""
        self._run(
            "initdb", "-D", str(self.data), "-U", OWNER, "-A", "trust",
            "-E", "UTF8", "--locale=C", "--no-sync",
        )  # fmt: skip
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(CONFIGURATION + ("" if durable else FAST) + f"port = {self.port}\n")

    def start(self) -> None:
        self._run("pg_ctl", "-D", str(self.data), "-l", str(self.folder / "log"), *IN_TIME, "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, *IN_TIME, "stop")

    def copy(self, primary: Postgres) -> None:
        """Make the cluster a standby of another, before the first start."""
        self._run(
            "pg_basebackup", "-h", "127.0.0.1", "-p", str(primary.port), "-U", OWNER,
            "-D", str(self.data), "-R", "-X", "stream", "-c", "fast", "--no-sync",
        )  # fmt: skip
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(f"port = {self.port}\n")

    def promote(self) -> None:
        self._run("pg_ctl", "-D", str(self.data), *IN_TIME, "promote")

    def become_standby(self, primary_port: int) -> None:
        """With the next start."""
        (self.data / "standby.signal").touch()
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(f"primary_conninfo = 'host=127.0.0.1 port={primary_port} user={OWNER}'\n")

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """The server and all its processes die at once; `start` recovers."""
        self.stop("immediate")

    @property
    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def create_database(self) -> str:
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def empty_database(self) -> str:
        """The same one each time, emptied: a new one costs hundreds of files. For one test at a time."""
        if self._shared is None:
            self._shared = self.create_database()
        with psycopg.connect(self._shared, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        return self._shared

    def url(self, database: str) -> str:
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/{database}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [*as_owner(), str(programs() / program), *arguments]
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(self.folder)}
        output = self.folder / f"{program}.out"  # not a pipe: the server would keep it open
        with output.open("wb") as file:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=300,
                check=False,
            )
        assert done.returncode == 0, f"{' '.join(command)}: {output.read_text()}"


def programs() -> Path:
    """Debian keeps the server's programs out of PATH, a folder for each major version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        absent("PostgreSQL is not installed (apt install postgresql)")
    return found[-1].parent


def as_owner() -> list[str]:
    return ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--init-groups"] if os.getuid() == 0 else []


@contextmanager
def run_postgres(durable: bool = False) -> Iterator[Postgres]:
    need("postgres")
    programs()
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    folder.chmod(0o755)
    if os.getuid() == 0:
        os.chown(folder, pwd.getpwnam(OWNER).pw_uid, pwd.getpwnam(OWNER).pw_gid)
    server = Postgres(folder, free_port())
    try:
        server.initialise(durable)
        server.start()
        yield server
    finally:
        if (server.data / "postmaster.pid").exists():
            server.kill()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Postgres:
    """One server for all tests that leave it running; each process of the run has databases of its own."""

    def describe(server: Postgres) -> dict[str, Any]:
        return {"folder": str(server.folder), "port": server.port}

    def attach(told: dict[str, Any]) -> Postgres:
        return Postgres(Path(told["folder"]), told["port"])

    return share(run_folder(tmp_path_factory), "postgres", lambda _: run_postgres(), describe, attach)


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    with run_postgres() as server:
        yield server
