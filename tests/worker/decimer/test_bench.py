"""The benchmark runs and prints what it promises."""

import json
import subprocess
import sys

import pytest

from bench.decimer import upper_bound
from worker.decimer.model.store import Model

pytestmark = pytest.mark.timeout(600)  # real weights; a loaded machine


def test_the_tiny_benchmark_prints_its_figures(model: Model) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.decimer", "--tiny"], capture_output=True, text=True, timeout=390
    )
    assert done.returncode == 0, done.stderr
    lines = {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}
    for name in ("1_thread.cpu_s", "1_thread.load", "1_process.private_memory", "identity.tokens"):
        assert lines[f"decimer.{name}"]["value"] > 0
        assert lines[f"decimer.{name}"]["unit"]
    assert lines["decimer.identity.tokens"]["value"] == lines["decimer.identity.tokens"]["of"] == 2
    assert any(name.startswith("decimer.fast") for name in lines)
    assert 0 < lines["decimer.answers.confidence_and_notes"]["of_cpu_pct"] < 1
    assert lines["decimer.answers.chemistry"]["value"] > 0


def test_the_tiny_benchmark_of_thumbnails_prints_its_figures(model: Model) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.thumbnails", "--tiny"], capture_output=True, text=True, timeout=390
    )
    assert done.returncode == 0, done.stderr
    lines = {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert lines.keys() == {
        f"thumbnails.{name}" for name in ("shrink", "encode_and_store", "cpu", "bytes", "pack")
    }
    assert 0 < lines["thumbnails.cpu"]["ratio"] < 1
    assert 0 < lines["thumbnails.bytes"]["value"] < lines["thumbnails.pack"]["value"]


@pytest.mark.parametrize(
    ("wrong", "images", "bound"), [(0, 1000, 0.002991), (1, 404, 0.011688), (0, 10, 0.258866)]
)
def test_the_bound_is_clopper_and_pearsons(wrong: int, images: int, bound: float) -> None:
    assert upper_bound(wrong, images) == pytest.approx(bound, abs=1e-4)
