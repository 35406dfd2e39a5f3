"""Lines that are told when they change: cron mails what a run tells, each minute anew."""

from __future__ import annotations

from pathlib import Path

from cloud_monitor.system.files import replace_file


def changed_lines(lines: list[str], told: Path) -> list[str]:
    """The lines, or none where the run before has told the same; `told` keeps what that was."""
    text = "".join(f"{line}\n" for line in lines)
    try:
        if (told.read_text() if told.exists() else "") == text:
            return []
        told.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(told, text.encode("utf-8", "replace"))
    except (OSError, ValueError):
        pass  # the run itself tells what is wrong with its folder
    return lines
