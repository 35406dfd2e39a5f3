"""Notes on an answer: a closed list of what is odd about it or its image, each with its evidence. They never
change the SMILES. docs/decimer.md has the rules in words, and how often each holds for real files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from worker.answers.smiles import grammar_fault, group_labels

LEAD_FOR_PHENYL, R_LABELS, UNPARSABLE = "lead_for_phenyl", "r_labels", "unparsable"
REPEATS, MANY_FRAGMENTS, TRUNCATED = "repeats", "many_fragments", "truncated"
INVERTED, ROTATED, MORE_PAGES = "inverted", "rotated", "more_pages"
NOTES = (
    LEAD_FOR_PHENYL,
    R_LABELS,
    UNPARSABLE,
    REPEATS,
    MANY_FRAGMENTS,
    TRUNCATED,
    INVERTED,
    ROTATED,
    MORE_PAGES,
)

LEAD = "[Pb]"
FRAGMENTS = 5  # separate parts; drawings of one compound with its salt have fewer
REPEATED_TOKENS = 60  # of a pattern at the end, and
REPEATED_TIMES = 4
LONGEST_PATTERN = 75  # tokens: a quarter of the longest answer
NUMBERING = frozenset("0123456789%")  # tokens that differ from one repetition to the next


@dataclass(frozen=True, slots=True)
class Note:
    """`name` is one of NOTES; `evidence` what was found, for people."""

    name: str
    evidence: str


def notes_on_answer(smiles: str | None, tokens: Sequence[str], truncated: bool) -> tuple[Note, ...]:
    """What the answer alone shows, in the order of NOTES; nothing of an error."""
    if smiles is None:
        return ()
    found = (
        (LEAD_FOR_PHENYL, lead(smiles)),
        (R_LABELS, labels(smiles)),
        (UNPARSABLE, grammar_fault(smiles)),
        (REPEATS, repetition(tokens)),
        (MANY_FRAGMENTS, fragments(smiles)),
        (TRUNCATED, f"no end within {len(tokens)} tokens" if truncated else None),
    )
    return tuple(Note(name, evidence) for name, evidence in found if evidence)


def lead(smiles: str) -> str | None:
    """`Ph` of a drawing comes as lead."""
    count = smiles.count(LEAD)
    return f"{count} x {LEAD}, which `Ph` is read as" if count else None


def labels(smiles: str) -> str | None:
    counted = Counter(group_labels(smiles))
    return ", ".join(f"{count} x {label}" for label, count in counted.items()) or None


def fragments(smiles: str) -> str | None:
    count = smiles.count(".") + 1
    return f"{count} fragments: probably a page or a scheme" if count >= FRAGMENTS else None


def repetition(tokens: Sequence[str]) -> str | None:
    """The answer ends in a pattern that it says again and again, the numbers of rings aside."""
    if len(tokens) < REPEATED_TOKENS:
        return None
    words = [token for token in tokens if token not in NUMBERING]
    pattern = pattern_at_end(words)
    if pattern is None:
        return None
    size, covered = pattern
    return f"{covered // size} x {''.join(words[-size:])[:40]} at the end"


def pattern_at_end(words: Sequence[str]) -> tuple[int, int] | None:
    """(length of the shortest pattern, length of all its repetitions) at the end of the words."""
    for size in range(1, min(LONGEST_PATTERN, len(words) // REPEATED_TIMES) + 1):
        at = len(words) - 1
        while at >= size and words[at] == words[at - size]:
            at -= 1
        covered = len(words) - 1 - at + size
        if covered >= max(REPEATED_TOKENS, size * REPEATED_TIMES):
            return size, covered
    return None
