"""What each command's exit code says: in its `--help`, and in docs/operations.md, which a test compares."""

from __future__ import annotations

NOTHING_TO_SUBMIT = 3  # of a supervisor's child: all that waits is another host's
COMMON = ((1, "an error that was foreseen, told in one line"), (2, "settings or options refused"))
EXIT_CODES: dict[str, tuple[tuple[int, str], ...]] = {
    "enqueue": ((0, "all that was found is in the queue"),),
    "model": ((0, "the model is there, and whole"), (1, "it is not, or could not be made")),
    "recognise": ((0, "every image was recognised"), (1, "an image was refused")),
    "results": ((0, "all results were written"),),
    "run": (
        (
            0,
            "it was asked to leave; with --until-empty: every image has a SMILES or an error of its own, or "
            "--any-outcome",
        ),
        (
            1,
            "with --until-empty: images were given up, cancelled, paused, left for another model or failed "
            "by a host's fault, or it was asked to leave before the end",
        ),
    ),
    "status": (
        (0, "the queue was read"),
        (1, "with --here: no supervisor of this host has reported of late"),
    ),
}


def exit_codes(command: str) -> dict[int, str]:
    """The codes that are the command's own, over those of all."""
    found = dict(((0, "done"), *COMMON))
    for code, meaning in EXIT_CODES.get(command, ()):
        found[code] = f"{meaning}; {found[code]}" if code in dict(COMMON) else meaning
    return found


def exit_codes_text(command: str) -> str:
    told = (f"{code} {meaning}" for code, meaning in exit_codes(command).items())
    return f"Exit codes: {'. '.join(told)}."


def exit_codes_table() -> str:
    """As docs/operations.md has it."""
    rows = [f"| `{name}` | {exit_codes(name)[0]} | {exit_codes(name)[1]} |" for name in sorted(EXIT_CODES)]
    others = exit_codes("")
    rows.append(f"| the others | {others[0]} | {others[1]} |")
    return "\n".join(["| command | 0 | 1 |", "|---|---|---|", *rows])
