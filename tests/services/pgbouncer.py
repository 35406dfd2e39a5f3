"""A real PgBouncer in transaction mode in front of a PostgreSQL, as Debian configures it otherwise."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.postgres import OWNER, Postgres, as_owner
from tests.services.support import absent, free_port, listens, open_way_to, wait_until

PROGRAM = "/usr/sbin/pgbouncer"
CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server_port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
"""


@contextmanager
def run_pgbouncer(server: Postgres, folder: Path) -> Iterator[int]:
    """The port it listens on."""
    if not os.path.exists(PROGRAM):
        absent("PgBouncer is not installed (apt install pgbouncer)")
    folder.mkdir()
    port = free_port()
    text = CONFIGURATION.format(server_port=server.port, port=port, folder=folder)
    (folder / "pgbouncer.ini").write_text(text)
    if os.getuid() == 0:
        for path in (folder, folder / "pgbouncer.ini"):
            shutil.chown(path, OWNER, OWNER)
        open_way_to(folder)
    process = subprocess.Popen(
        [*as_owner(), PROGRAM, "-q", str(folder / "pgbouncer.ini")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: listens(port), "PgBouncer", process=process)
        yield port
    finally:
        process.terminate()
        process.wait(30)
