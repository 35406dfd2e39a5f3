"""The benchmark's peer: upstream's `decimer` on TensorFlow, in an environment of its own beside the tools."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tools.debian import tools_dir
from worker.decimer.model.packages import fetch_archive

VERSION = "2.8.1"
WORKER_NEEDS = ("click", "pydantic")  # for `python -m worker recognise` with upstream's engine


def ensure_upstream() -> Path:
    """Install it and its weights once (2 GB, some minutes); the Python to run it with."""
    home = tools_dir() / "decimer-upstream"
    python, weights = home / "venv/bin/python", home / "pystow/DECIMER-V2"
    installed, unpacked = home / f"ready-{VERSION}-worker", home / "ready-weights"
    if not installed.exists():
        print(f"installing decimer {VERSION} and TensorFlow into {home}", file=sys.stderr)
        home.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", home / "venv"], check=True)
        packages = (f"decimer=={VERSION}", *WORKER_NEEDS)
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
        installed.touch()
    if not unpacked.exists():
        fetch_archive(home / "models.zip", lambda *_: None)
        with zipfile.ZipFile(home / "models.zip") as archive:
            archive.extractall(weights)
        (home / "models.zip").unlink()
        unpacked.touch()
    return python


def upstream_environment() -> dict[str, str]:
    """Where pystow finds the weights, and no search for graphics cards."""
    home = tools_dir() / "decimer-upstream"
    return {**os.environ, "PYSTOW_HOME": str(home / "pystow"), "CUDA_VISIBLE_DEVICES": ""}
