"""One question to several schedds at once, each in a child of its own: one that hangs costs itself alone.

The bindings have no deadline for a schedd and hold the interpreter's lock, so nothing less than a process
will do. A single schedd is asked in this process, which has a deadline already.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from cloud_monitor.htcondor.ads import take_oddities
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
