"""The page's app served by waitress within the test's own process, and ended without a trace."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import waitress
from waitress import wasyncore


@contextmanager
def serve_app(app: Any) -> Iterator[str]:
    """Yields its address. waitress's own `close` takes the sockets away from under the thread that waits on
    them: here that thread ends first.
    """
    server: Any = waitress.create_server(app, host="127.0.0.1", port=0, threads=8)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            wasyncore.loop(timeout=0.1, map=server._map, use_poll=True, count=1)

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        over.set()
        serving.join()
        server.task_dispatcher.shutdown()
        wasyncore.close_all(server._map)
