"""Runs `python -m PROGRAM` for tests, many times in one start of Python.

Started as `python -m tests.services.program_server PROGRAM`; reads one run a line (JSON), forks a child for
it, and writes how that ended. With the number of a listening socket after PROGRAM, it does so for each that
connects there, at the same time, and ends with its standard input.

The child is this process with the program's modules already imported and nothing of them run: what the tests
then run is its `__main__`, with arguments, environment, folder and standard streams of its own.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import threading
import time
from typing import Any, NoReturn

# What each run would import first, but for what binds itself to its environment then: HTCondor's bindings.
PACKAGES = {
    "collector": ("collector.delivery", "collector.inventory", "collector.sources.cloudscheduler"),
    "webapp": ("webapp.alerts",),
    "worker": ("worker.commands", "worker.queue"),
}
MODULES = {
    "collector": ("collector.run", "collector.check", "collector.sources.host", "collector.sources.commands"),
    "webapp": ("webapp.app",),
    "worker": ("alembic.command", "rich.table", "sqlalchemy.dialects.sqlite"),
}
# Commands of the worker that only some runs need, and that import much.
LEFT_OUT = ("worker.commands.work", "worker.commands.recognise", "worker.commands.model")


def import_program(program: str) -> None:
    importlib.import_module(f"{program}.__main__")
    for name in MODULES[program]:
        importlib.import_module(name)
    for name in PACKAGES[program]:
        package = importlib.import_module(name)
        for module in pkgutil.iter_modules(package.__path__, f"{name}."):
            if not module.ispkg and module.name not in LEFT_OUT and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    del sys.modules[f"{program}.__main__"]  # which each run begins with
    gc.freeze()


def serve(program: str) -> dict[str, Any] | None:
    """Fork for one run after the other. In a child: what it is to run; in this process: None, at the end."""
    orders, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    for line in orders:
        order: dict[str, Any] = json.loads(line)
        if not (child := os.fork()):
            orders.close()
            answers.close()
            return order
        print(child, file=answers, flush=True)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(status, file=answers, flush=True)
    return None


def serve_who_connects(listening: socket.socket) -> None:
    """Returns in a fork for each of them, which it has as its standard input and output."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    while listening in select.select([listening, 0], [], [])[0]:
        connection, _ = listening.accept()
        if not os.fork():
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for stream in (0, 1):
                os.dup2(connection.fileno(), stream)
            connection.close()
            listening.close()
            return
        connection.close()
    sys.exit()


def become(program: str, order: dict[str, Any]) -> None:
    """Take on what the run was given: whoever is started finds no more of this process."""
    for number, (path, flags) in enumerate(
        ((os.devnull, os.O_RDONLY), (order["stdout"], os.O_WRONLY), (order["stderr"], os.O_WRONLY))
    ):
        file = os.open(path, flags)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    os.chdir(order["folder"])
    if order["umask"] is not None:
        os.umask(order["umask"])
    sys.argv[:] = [program, *order["arguments"]]
    for name in ("tests.services.program_server", "tests.services", "tests"):
        sys.modules.pop(name, None)


def run(program: str) -> NoReturn:
    """As `python -m PROGRAM` to its end, but that nothing is taken apart then: all pages of this process that
    the child shares with its parent would be copied for it."""
    status = 0
    try:
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as the interpreter does at its end
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        status = 120  # what Python itself ends with
    os._exit(status & 0xFF)


if __name__ == "__main__":
    PROGRAM = sys.argv[1]
    import_program(PROGRAM)
    if sys.argv[2:]:
        serve_who_connects(socket.socket(fileno=int(sys.argv[2])))
    if ORDER := serve(PROGRAM):
        become(PROGRAM, ORDER)
        run(PROGRAM)
