"""A real PostgreSQL primary with its standby, and one name for both: a port that leads to either."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from tests.services.postgres import OWNER, Postgres, run_postgres
from tests.services.support import free_port, wait_until


class PostgresPair:
    """`url` leads to whom the name means; `switch_over` changes the parts of the two, `follow` the name."""

    def __init__(self, primary: Postgres, standby: Postgres) -> None:
        self.primary, self.standby = primary, standby
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._target = primary.port
        threading.Thread(target=self._accept, daemon=True).start()
        name = primary.create_database().rpartition("/")[2]
        self.url = f"postgresql://{OWNER}@127.0.0.1:{self._listener.getsockname()[1]}/{name}"

    def switch_over(self) -> None:
        """The standby becomes the primary; the old one comes back as its standby, and keeps the name."""
        self._wait_for_standby()
        self.primary.stop()
        self.standby.promote()
        self.primary.become_standby(self.standby.port)
        self.primary.start()
        self.primary, self.standby = self.standby, self.primary

    def follow(self) -> None:
        self._target = self.primary.port

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _wait_for_standby(self) -> None:
        def has_all() -> bool:
            with psycopg.connect(self.primary.url("postgres"), autocommit=True) as connection:
                query = "SELECT pg_current_wal_lsn() <= replay_lsn FROM pg_stat_replication"
                return connection.execute(query).fetchone() == (True,)

        wait_until(has_all, "the standby to have all")

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    client.close()
                    continue
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=_forward, args=(source, sink), daemon=True).start()


def _forward(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def postgres_pair() -> Iterator[PostgresPair]:
    with run_postgres() as primary:
        folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        folder.chmod(0o755)
        if os.getuid() == 0:
            owner = pwd.getpwnam(OWNER)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        standby = Postgres(folder, free_port())
        try:
            standby.copy(primary)
            standby.start()
            pair = PostgresPair(primary, standby)
            yield pair
            pair.stop()
        finally:
            if (standby.data / "postmaster.pid").exists():
                standby.kill()
            shutil.rmtree(folder)
