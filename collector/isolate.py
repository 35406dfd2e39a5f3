"""Each source in a child process of its own: what it gave, or why it gave nothing or not all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from cloud_monitor.system.child import ChildAnswer, ChildCall, run_calls
from cloud_monitor.system.text import describe_error, error_text
from collector.model import Collected, read_collected, write_collected

log = logging.getLogger("collector")


class Task(NamedTuple):
    collect: Callable[[], Collected]
    timeout_s: float


@dataclass(frozen=True, slots=True)
class SourceOutcome:
    """What became of one source; `error` is None where nothing failed, not even in part."""

    source: str
    collected: Collected
    error: str | None
    duration_s: float

    @property
    def answered(self) -> bool:
        """Whether it gave something, if only in part."""
        return self.error is None or bool(self.collected.complaints)


def run_isolated(tasks: Mapping[str, Task]) -> tuple[SourceOutcome, ...]:
    """Run all tasks at once; returns when the last has answered, failed, or was killed at its deadline.

    What libraries write to standard error by themselves, each minute anew and with the failure that says the
    same, is logged at INFO only.
    """
    answers = run_calls({name: _call(task) for name, task in tasks.items()}, describe, hear=True)
    for name, answer in answers.items():
        for line in answer.said:
            log.info("%s wrote: %s", name, line)
    return tuple(_outcome(name, answer) for name, answer in answers.items())


def _call(task: Task) -> ChildCall:
    return ChildCall(lambda: write_collected(task.collect()), task.timeout_s)


def describe(error: BaseException) -> str:
    """The text of this program's own errors says what to do; of others the class tells more."""
    text = error_text(error)
    own = type(error).__module__.startswith(("collector.", "cloud_monitor."))
    return text if own and text else describe_error(error)


def _outcome(source: str, answer: ChildAnswer) -> SourceOutcome:
    if answer.body is None:
        return SourceOutcome(source, Collected(), answer.error, answer.duration_s)
    collected = read_collected(answer.body)
    return SourceOutcome(source, collected, "; ".join(collected.complaints) or None, answer.duration_s)
