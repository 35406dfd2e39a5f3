"""Containers of the images that `make containers` builds, run by podman as they should be: without rights."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.services.needs import find_program
from tests.services.support import PATIENCE_S, absent

HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop=all", "--security-opt=no-new-privileges")


def podman(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [find_program("podman", "podman"), *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S * 3,
        check=check,
    )


@contextmanager
def running(*arguments: str) -> Iterator[str]:
    """The id of a container that runs meanwhile."""
    name = podman("run", "--detach", *arguments).stdout.strip()
    try:
        yield name
    finally:
        podman("rm", "--force", "--time", "20", name, check=False)


def require_image(target: str) -> None:
    if podman("image", "exists", f"cloud-monitor-{target}", check=False).returncode != 0:
        absent(f"cloud-monitor-{target} is not built: tools/build-containers {target}")


def state_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(podman("inspect", name).stdout)[0]["State"]
    return found
