"""Upstream's own package behind our interface: TensorFlow in an environment of its own, the real command."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bench.decimer_upstream import ensure_upstream, upstream_environment
from tests.worker.decimer.kept import Kept

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]  # installs 2 GB the first time

ROOT = Path(__file__).parents[3]


def test_the_command_with_upstreams_engine_answers_as_upstream_did(kept: list[Kept], tmp_path: Path) -> None:
    images = [kept[3], kept[150], kept[-1]]
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n")
    done = subprocess.run(
        [ensure_upstream(), "-m", "worker", "recognise", "--confidence", *(i.path for i in images), bad],
        cwd=ROOT,
        env=upstream_environment() | {"WORKER_DECIMER_ENGINE": "upstream", "HOME": os.environ["HOME"]},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 1, done.stderr  # one image is refused
    answers = {answer["file"]: answer for answer in map(json.loads, done.stdout.splitlines())}
    assert answers.pop(str(bad))["error"].startswith("DamagedImage: ")
    assert answers.keys() == {str(image.path) for image in images}
    for image in images:
        answer = answers[str(image.path)]
        assert answer["smiles"] == image.smiles
        assert tuple(text for text, _ in answer["tokens"]) == image.texts
        np.testing.assert_allclose([value for _, value in answer["tokens"]], image.confidences, atol=1e-4)
