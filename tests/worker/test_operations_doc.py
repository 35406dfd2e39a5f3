"""The commands of docs/operations.md that prepare a database and containers, as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import psycopg
import pytest

from tests.services.azurite import Azurite
from tests.services.postgres import OWNER, Postgres, programs
from tests.worker.queue.helpers import add, claim, complete
from worker.queue import open_queue

ROOT = Path(__file__).parents[2]


def commands_of(heading: str) -> list[str]:
    """The blocks of commands of one point of the list."""
    text = (ROOT / "docs/operations.md").read_text()
    point = re.split(r"^- \*\*", text.split(f"\n- **{heading}**", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    return [textwrap.dedent(block) for block in re.findall(r"^  ```sh\n(.*?)^  ```$", point, re.M | re.S)]


def run_as_typed(block: str, typed: str = "", **variables: str) -> None:
    """In a session of its own: what asks for a password gets it from its input, not from a terminal."""
    done = subprocess.run(
        ["bash", "-eu", "-c", block],
        input=typed, env=os.environ | variables, capture_output=True, text=True, timeout=300,
        start_new_session=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_queue_in_the_documented_database(own_postgres: Postgres) -> None:
    (block,) = commands_of("The database")
    server = {"PGHOST": "127.0.0.1", "PGPORT": str(own_postgres.port), "PGUSER": OWNER}
    path = {"PATH": f"{programs()}:{os.environ['PATH']}"}
    for line in block.splitlines():
        role = line.removeprefix("createuser --pwprompt ")
        run_as_typed(line, f"of-{role}\n" * 2, **server, **path)
    place = f"127.0.0.1:{own_postgres.port}/fleet"
    queue = open_queue(f"postgresql://fleet:of-fleet@{place}")
    add(queue, images=2)
    complete(queue, claim(queue))
    queue.close()
    with psycopg.connect(own_postgres.url("fleet")) as connection:
        stored = connection.execute("SELECT rolname, rolpassword FROM pg_authid WHERE rolcanlogin").fetchall()
        owners = connection.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
        assert owners.fetchall() == [("fleet",)]
    assert {name for name, password in stored if password} == {"fleet", "page"}
    with psycopg.connect(f"postgresql://page:of-page@{place}", autocommit=True) as connection:
        assert connection.execute("SELECT images_done FROM chunks").fetchall() == [(2,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM chunks")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE mine (id int)")


def test_the_documented_containers(own_azurite: Azurite) -> None:
    """By the form that needs no `az`."""
    _, block = commands_of("The containers")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    run_as_typed(block, WORKER_AZURE_CONNECTION_STRING=own_azurite.connection_string, PATH=path)
    assert own_azurite.container("drawings").exists()
    assert own_azurite.container("results").exists()
