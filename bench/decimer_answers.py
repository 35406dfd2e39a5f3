"""What an answer's confidence and notes cost the worker that gives it, and chemistry whoever exports it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from worker.answers.chemistry import Chemist
from worker.answers.confidence import least_confidence, mean_confidence
from worker.answers.notes import notes_on_answer

REPEATS = 20


def time_answers(answers: Sequence[dict[str, Any]]) -> Iterator[tuple[str, float]]:
    """Seconds of CPU an answer, by what is asked of it."""
    chemist = Chemist()

    def judge(answer: dict[str, Any]) -> object:
        confidences, tokens = answer["confidences"], answer["tokens"]
        notes = notes_on_answer(answer["smiles"], tokens, truncated=False)
        return least_confidence(confidences), mean_confidence(confidences), notes

    yield "confidence_and_notes", _cpu_s(judge, answers, REPEATS)
    yield "chemistry", _cpu_s(lambda answer: chemist.describe(answer["smiles"] or ""), answers, 1)
    yield "chemistry_with_molfile", _cpu_s(lambda a: chemist.describe(a["smiles"] or "", True), answers, 1)


def _cpu_s(ask: Callable[[dict[str, Any]], object], answers: Sequence[dict[str, Any]], repeats: int) -> float:
    started_s = time.process_time()
    for _ in range(repeats):
        for answer in answers:
            ask(answer)
    return (time.process_time() - started_s) / (repeats * max(len(answers), 1))
