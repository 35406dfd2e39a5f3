"""The pools of a run: one that failed once is not asked again, so that it costs its own answers alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cloud_monitor.htcondor.ads import Ad
from cloud_monitor.htcondor.bindings import CondorFailed


class Pools:
    def __init__(self, names: Sequence[str]) -> None:
        """names: addresses of collector daemons, "" for the one this host is configured for."""
        self.names = tuple(names)
        self.errors: dict[str, str] = {}

    def answering(self) -> list[str]:
        return [name for name in self.names if name not in self.errors]

    def ask(self, name: str, query: Callable[[], list[Ad]]) -> list[Ad]:
        """What a pool says; nothing where it has failed. Fails where none is left."""
        if name in self.errors:
            return []
        try:
            return query()
        except CondorFailed as error:
            self.errors[name] = str(error)
            if not self.answering():
                raise CondorFailed("; ".join(self.errors.values())) from None
            return []
