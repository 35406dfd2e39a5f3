"""One question to several schedds or pools: one that hangs or fails costs its own answers alone.

Schedds are asked at once, each in a child of its own: the bindings have no deadline for one and hold the
interpreter's lock, so nothing less than a process will do. A single schedd is asked in this process, which
has a deadline already.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from cloud_monitor.htcondor.ads import Ad, take_oddities
from cloud_monitor.htcondor.bindings import CondorFailed
from cloud_monitor.system.child import ChildCall, run_calls
from collector.isolate import describe


class Answers(NamedTuple):
    """Answers by schedd, in the given order; why the others gave none; oddities in what was read."""

    given: dict[str, Any]
    errors: tuple[str, ...]
    notes: tuple[str, ...]


def ask_each(schedds: Sequence[str], ask: Callable[[str], Any], timeout_s: float) -> Answers:
    """`ask` gives what JSON can hold; lists come back for tuples. Fails where no schedd answers."""
    if len(schedds) == 1:
        return Answers({schedds[0]: ask(schedds[0])}, (), tuple(take_oddities()))
    calls = {name: ChildCall(partial(_answer, ask, name), timeout_s) for name in schedds}
    given, errors, notes = {}, [], list[str]()
    for name, answer in run_calls(calls, describe).items():
        if answer.body is None:
            errors.append(answer.error if name in answer.error else f"schedd {name}: {answer.error}")
        else:
            given[name], oddities = json.loads(answer.body)
            notes += oddities
    if not given:
        raise CondorFailed("; ".join(errors))
    return Answers(given, tuple(errors), tuple(notes))


def _answer(ask: Callable[[str], Any], name: str) -> bytes:
    return json.dumps((ask(name), take_oddities()), separators=(",", ":")).encode()


class Pools:
    """Those of a run: one that failed once is not asked again."""

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
