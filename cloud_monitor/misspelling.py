"""Which known name was meant by one that is not known (pure)."""

from __future__ import annotations

from collections.abc import Iterable

_SHORT = 5  # letters: in so short a name the first must be right, `GPUS` is not `CPUS`
_LONG = 8  # letters from which two may be wrong
_UNITS = ("s", "mb", "pct", "days", "bytes", "max")


def find_meant(name: str, known: Iterable[str]) -> str | None:
    """The nearest of `known` if `name` is likely a misspelling of it: a letter or two wrong, missing, too
    many or exchanged, underscores anywhere, words in another order, a unit left out. Names are in lower case.
    """
    found = [(_distance(name, other), other) for other in known if _is_like(name, other)]
    return min(found)[1] if found else None


def _is_like(name: str, other: str) -> bool:
    words, others = name.split("_"), other.split("_")
    if sorted(words) == sorted(others):
        return True
    if len(words) > 1 and words == others[:-1] and others[-1] in _UNITS:
        return True
    letters, wanted = "".join(words), "".join(others)
    if len(letters) <= _SHORT and letters[:1] != wanted[:1]:
        return False
    return _distance(letters, wanted) <= (2 if len(letters) >= _LONG else 1)


def _distance(one: str, other: str) -> int:
    """Edits from one to the other, where exchanging two neighbours is one (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            row.append(min(last[j] + 1, row[-1] + 1, last[j - 1] + (letter != wanted)))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                row[-1] = min(row[-1], before[j - 2] + 1)
        before, last = last, row
    return last[-1]
