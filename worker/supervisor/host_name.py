"""The name under which a supervisor is known in the queue."""

from __future__ import annotations

import os
import socket


def claim_host_name(wished: str) -> tuple[str, socket.socket]:
    """The wished name, else the system's; with the process number where another supervisor of this host has
    it.

    The socket holds the name (Linux's abstract namespace: the kernel frees it with the process); keep it
    open.
    """
    name = wished or socket.gethostname()
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        holder.bind(f"\0cloud-monitor-worker.{os.getuid()}.{name}")
    except OSError:
        name = f"{name}-{os.getpid()}"
    return name, holder
