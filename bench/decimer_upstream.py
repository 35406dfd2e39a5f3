"""The benchmark's peer: upstream's `decimer` on TensorFlow, in an environment of its own beside the tools."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from tools.debian import tools_dir
from worker.decimer.model.packages import fetch_archive

REQUIREMENTS = Path(__file__).parents[1] / "requirements-upstream.txt"
(VERSION,) = re.findall(r"^decimer==(.+)$", REQUIREMENTS.read_text(), re.MULTILINE)


def ensure_upstream() -> Path:
    """Install it and its weights once (2 GB, some minutes); the Python to run it with."""
    home = tools_dir() / "decimer-upstream"
    python, weights = home / "venv/bin/python", home / "pystow/DECIMER-V2"
    pinned = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:10]
    installed, unpacked = home / f"ready-{VERSION}-{pinned}", home / "ready-weights"
    if not installed.exists():
        print(f"installing decimer {VERSION} and TensorFlow into {home}", file=sys.stderr)
        home.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", home / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", REQUIREMENTS], check=True)
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
