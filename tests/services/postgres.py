"""A real PostgreSQL, a cluster in a folder of its own: `postgres` for a session, `own_postgres` to break."""

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

import psycopg
import pytest

from tests.services.support import absent, free_port

OWNER = "postgres"  # who runs the server when the tests run as root, which PostgreSQL refuses
CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
"""
FAST = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"  # nobody pulls the plug of a test


class Postgres:
    """`create_database()` gives the URL of an empty database; `stop`, `start`, `restart`, `kill` act on the
    server.
    """

    def __init__(self, folder: Path, durable: bool) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self._numbers = itertools.count(1)
        self._shared: str | None = None
        self._run(
            "initdb",
            "-D",
            str(self.data),
            "-U",
            OWNER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        )
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(CONFIGURATION + ("" if durable else FAST) + f"port = {self.port}\n")

    def start(self) -> None:
        self._run("pg_ctl", "-D", str(self.data), "-l", str(self.folder / "log"), "-w", "-t", "30", "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "-t", "30", "stop")

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
        name = f"test_{next(self._numbers)}"
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
                timeout=60,
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
    programs()
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    folder.chmod(0o755)
    if os.getuid() == 0:
        os.chown(folder, pwd.getpwnam(OWNER).pw_uid, pwd.getpwnam(OWNER).pw_gid)
    server = Postgres(folder, durable)
    try:
        server.start()
        yield server
    finally:
        if (server.data / "postmaster.pid").exists():
            server.kill()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with run_postgres() as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    with run_postgres() as server:
        yield server
