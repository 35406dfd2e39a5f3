"""What the supervisors of one host settle: whose worker warms up, and who has the host's name."""

from __future__ import annotations

import os
import socket

OFF = "off"


class WarmUpLock:
    """Held by the supervisor whose worker warms up: what one that loads is going to take is known to its own
    supervisor alone. Who wants the lock has to wait at the one place in front of it first, so that who has
    just had it does not go before who waits.

    Both are names of Linux's abstract sockets, which the kernel frees with the process that has them; all
    users of a host share them, and so do containers on its network.
    """

    def __init__(self, group: str) -> None:
        self._name = None if group == OFF else f"\0cloud-monitor-worker.warm-up.{group}"
        self._held: socket.socket | None = None
        self._waiting: socket.socket | None = None

    def acquire(self) -> bool:
        """Whether it is ours now; if not, we may be the next."""
        if self._name is None or self._held is not None:
            return True
        self._waiting = self._waiting or _bind(f"{self._name}.next")
        if self._waiting is None:
            return False
        self._held = _bind(self._name)
        if self._held is None:
            return False
        self.stop_waiting()
        return True

    def release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.close()
            self._waiting = None


def _bind(name: str) -> socket.socket | None:
    """None where somebody has it."""
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        holder.bind(name)
    except OSError:
        holder.close()
        return None
    return holder


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
