"""A memory control group for one service of a benchmark, on cgroup v1 or v2; needs root."""

from __future__ import annotations

import os
from pathlib import Path

MB = 1024 * 1024


class Group:
    """A group with a limit, under another where one is given; `charge` makes a command run inside it."""

    def __init__(self, name: str, limit_mb: float | None, parent: Group | None = None) -> None:
        self._v2 = not Path("/sys/fs/cgroup/memory").is_dir()
        top = Path("/sys/fs/cgroup") if self._v2 else Path("/sys/fs/cgroup/memory")
        self.folder: Path = (parent.folder if parent else top) / name
        self.folder.mkdir()
        if self._v2:
            # A group can be limited only where its parent hands the controller on.
            (self.folder.parent / "cgroup.subtree_control").write_text("+memory")
        elif parent is None:
            (self.folder / "memory.use_hierarchy").write_text("1")
        if limit_mb is not None:
            limit_file = "memory.max" if self._v2 else "memory.limit_in_bytes"
            (self.folder / limit_file).write_text(str(int(limit_mb * MB)))

    def charge(self, command: str) -> str:
        """The shell command that moves itself into the group and then becomes `command`."""
        return f"echo $$ > {self.folder}/cgroup.procs && {command}"

    def kills(self) -> int:
        """How often the kernel has killed a process of this group for want of memory."""
        text = (self.folder / ("memory.events" if self._v2 else "memory.oom_control")).read_text()
        return int(dict(line.split() for line in text.splitlines()).get("oom_kill", "0"))

    def close(self) -> None:
        """Remove the group, whose processes have ended."""
        self.folder.rmdir()


def can_limit() -> bool:
    """Whether this process may make memory groups."""
    return os.geteuid() == 0 and any(
        os.access(folder, os.W_OK)
        for folder in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/cgroup.subtree_control")
    )
