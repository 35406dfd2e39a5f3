"""DECIMER: our engine beside upstream's package on TensorFlow, in turns on the same images in one run.

Prints the CPU seconds an image takes (median of the rounds, each the ratio of the same images), images/s,
load time, memory with 1, 4 and 8 processes side by side, and how many answers equal upstream's kept ones.
`--full` answers for all kept images; `--rounds`, `--images` (a round), `--slots` and `--precision` change
the measure.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil

from bench.decimer_answers import time_answers
from bench.decimer_side import read_memory_mb
from bench.decimer_upstream import VERSION, ensure_upstream, upstream_environment
from tests.worker.decimer.kept import DRAWINGS, Kept, read_kept
from tests.worker.decimer.variants import write_variants
from worker.decimer.open_onnx import fast_support

SIDE = Path(__file__).with_name("decimer_side.py")
PEER = f"decimer {VERSION} on TensorFlow"
PEER_NEEDS_MB = 3_500
CONFIDENCE_TOLERANCE = 1e-4


class Side:
    """A process of decimer_side.py."""

    def __init__(
        self, python: str | Path, arguments: Sequence[object], environment: dict[str, str] | None, cpu: str
    ):
        command = ["taskset", "-c", cpu, str(python), "-P", str(SIDE), *map(str, arguments)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self.ready: dict[str, Any] = {}

    def wait(self) -> None:
        """Until it is loaded."""
        self.ready = self._read()

    def ask(self, paths: Sequence[Path]) -> dict[str, Any]:
        self.send(paths)
        return self.receive()

    def send(self, paths: Sequence[Path]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps([str(path) for path in paths]) + "\n")
        self._process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        return self._read()

    def read_memory(self) -> dict[str, float]:
        return read_memory_mb(self._process.pid)

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(
                f"a side of the benchmark ended with code {self._process.wait()}: {self._process.args}"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="two images, without upstream")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--images",
        type=int,
        default=24,
        help="images of a round: three times the slots, or their tail counts too much",
    )
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--precision", choices=["full", "fast"], default="full")
    parser.add_argument("--only", nargs="*", choices=["speed", "memory", "identity", "fast"], default=None)
    options = parser.parse_args()
    wanted = set(options.only or ["speed", "memory", "identity", "fast"])
    with tempfile.TemporaryDirectory() as folder:
        kept = read_kept(Path(folder))
        if options.tiny:
            options.rounds, options.images = 1, 2
            kept = kept[:2]
        if "speed" in wanted:
            for threads in (1,) if options.tiny else (1, 2):
                measure_speed(kept, threads, options)
        if "memory" in wanted:
            for processes in (1,) if options.tiny else (1, 4, 8):
                measure_memory(kept, processes, options)
        if "identity" in wanted:
            measure_identity(kept, options)
        if "fast" in wanted:
            measure_fast(Path(folder), options)


def say(name: str, value: float | bool, unit: str, **more: object) -> None:
    shown = float(f"{value:.4g}") if isinstance(value, float) else value
    print(json.dumps({"name": f"decimer.{name}", "value": shown, "unit": unit, **more}), flush=True)


def open_ours(options: argparse.Namespace, threads: int, cpu: str, precision: str | None = None) -> Side:
    arguments = ["onnx", threads, options.slots, precision or options.precision]
    return Side(sys.executable, arguments, None, cpu)


def measure_speed(kept: list[Kept], threads: int, options: argparse.Namespace) -> None:
    """Rounds in turns: upstream, ours, upstream, ... each on the next images."""
    cpu = "0" if threads == 1 else "0,1"
    peer = None
    if not options.tiny:
        peer = Side(ensure_upstream(), ["upstream", threads], upstream_environment(), cpu)
        peer.wait()
    ours = open_ours(options, threads, cpu)
    ours.wait()
    for side in filter(None, (peer, ours)):
        side.ask([kept[0].path])  # on the first image TensorFlow traces its graph and weights are paged in
    tally: list[tuple[dict[str, Any], dict[str, Any] | None, int]] = []
    equal = 0
    for images in _cut(kept, options.rounds, options.images):
        paths = [image.path for image in images]
        theirs = peer.ask(paths) if peer else None
        mine = ours.ask(paths)
        equal += sum(
            mine["answers"][str(image.path)]["smiles"]
            == (theirs["answers"][str(image.path)] if theirs else image.smiles)
            for image in images
        )
        tally.append((mine, theirs, len(images)))
        took = [f"{side['cpu_s'] / len(images):.2f}" for side in (mine, theirs) if side]
        print(
            f"round {len(tally)}, {threads} thread(s): CPU s/image {' against '.join(took)}", file=sys.stderr
        )
    for side in filter(None, (peer, ours)):
        side.close()
    _say_speed(tally, threads, equal, ours.ready, peer.ready if peer else None)


def _cut(kept: list[Kept], rounds: int, size: int) -> list[list[Kept]]:
    """Every round gets images from all over, so that their lengths are alike."""
    chosen = kept[:: max(1, len(kept) // (rounds * size))][: rounds * size]
    return [chosen[number::rounds] for number in range(rounds)]


def _say_speed(
    tally: list[tuple[dict[str, Any], dict[str, Any] | None, int]],
    threads: int,
    equal: int,
    ready: dict[str, Any],
    peer_ready: dict[str, Any] | None,
) -> None:
    images = sum(size for _, _, size in tally)
    name = f"{threads}_thread{'s' if threads > 1 else ''}"
    for figure, unit in (("cpu_s", "s/image"), ("wall_s", "s/image")):
        more: dict[str, object] = {}
        if all(theirs for _, theirs, _ in tally):
            ratios = [theirs[figure] / mine[figure] for mine, theirs, _ in tally if theirs]
            more = {
                "against": PEER,
                "peer": round(
                    statistics.median(theirs[figure] / size for _, theirs, size in tally if theirs), 3
                ),
                "ratio": round(statistics.median(ratios), 2),
                "ratios": [round(ratio, 2) for ratio in ratios],
            }
        value = statistics.median(mine[figure] / size for mine, _, size in tally)
        say(f"{name}.{figure}", value, unit, rounds=len(tally), images=images, **more)
    per_core = statistics.median(size / mine["cpu_s"] for mine, _, size in tally)
    say(f"{name}.throughput", per_core, "images/s/core", images=images, same_smiles=equal)
    more = {"against": PEER, "ratio": round(peer_ready["load_s"] / ready["load_s"], 1)} if peer_ready else {}
    say(f"{name}.load", ready["load_s"], "s", memory_mb=ready["memory_mb"], **more)


def measure_memory(kept: list[Kept], processes: int, options: argparse.Namespace) -> None:
    """Processes side by side over the same images, each at its peak; then upstream's."""
    images = [image.path for image in kept[:: max(1, len(kept) // 12)][:12]]
    sides = [open_ours(options, 1, "0,1") for _ in range(processes)]
    figures, wall_s = _run_together(sides, images)
    name = f"{processes}_process{'es' if processes > 1 else ''}"
    private = _mean_private(figures)
    more: dict[str, object] = {
        kind: round(statistics.mean(figure[kind] for figure in figures)) for kind in ("resident", "shared")
    }
    if not options.tiny:
        more |= _measure_peer_memory(images[:2], processes, private)
    say(f"{name}.private_memory", private, "MB/process", slots=options.slots, **more)
    loads = sorted(side.ready["load_s"] for side in sides)
    cpu_s = statistics.median(side.ready["load_cpu_s"] for side in sides)
    say(f"{name}.load", statistics.median(loads), "s", slowest=round(loads[-1], 3), cpu_s=round(cpu_s, 3))
    say(f"{name}.throughput", processes * len(images) / wall_s, "images/s")


def _run_together(sides: list[Side], images: list[Path]) -> tuple[list[dict[str, float]], float]:
    """The memory of each process when it had most private, and the seconds they all took."""
    for side in sides:
        side.wait()
    start_s = time.perf_counter()
    for side in sides:
        side.send(images)
    peaks = [side.read_memory() for side in sides]
    with ThreadPoolExecutor(len(sides)) as waiting:
        answers = [waiting.submit(side.receive) for side in sides]
        while not all(answer.done() for answer in answers):
            peaks = [
                max(peak, side.read_memory(), key=lambda figure: figure["private_dirty"])
                for peak, side in zip(peaks, sides, strict=True)
            ]
            time.sleep(0.1)
    wall_s = time.perf_counter() - start_s
    for side in sides:
        side.close()
    return peaks, wall_s


def _mean_private(figures: list[dict[str, float]]) -> float:
    """A single process has its mapped files to itself: they count as shared all the same."""
    kind = "private" if len(figures) > 1 else "private_dirty"
    return statistics.mean(figure[kind] for figure in figures)


def _measure_peer_memory(images: list[Path], processes: int, private: float) -> dict[str, object]:
    available_mb = psutil.virtual_memory().available / 1e6
    if processes * PEER_NEEDS_MB > available_mb:
        return {"against": f"{PEER}: not run, {processes} processes need {processes * PEER_NEEDS_MB:,} MB"}
    sides = [
        Side(ensure_upstream(), ["upstream", 1], upstream_environment(), "0,1") for _ in range(processes)
    ]
    figures, _ = _run_together(sides, images)
    peer = _mean_private(figures)
    return {"against": PEER, "peer": round(peer), "ratio": round(peer / private, 1)}


def measure_identity(kept: list[Kept], options: argparse.Namespace) -> None:
    """All kept images: tokens equal to upstream's, and how far the confidences are off at most."""
    side = open_ours(options, 2, "0,1")
    side.wait()
    asked = side.ask([image.path for image in kept])
    answers, cpu_s = asked["answers"], asked["cpu_s"]
    side.close()
    equal, worst = 0, 0.0
    for image in kept:
        answer = answers[str(image.path)]
        if answer["smiles"] == image.smiles and tuple(answer["tokens"]) == image.texts:
            equal += 1
            worst = max(
                worst, *(abs(a - b) for a, b in zip(answer["confidences"], image.confidences, strict=True))
            )
    say(
        "identity.tokens",
        equal,
        "images",
        of=len(kept),
        against=f"{PEER}, kept answers",
        ratio=equal / len(kept),
    )
    say("identity.confidence", worst, "largest difference", allowed=CONFIDENCE_TOLERANCE)
    for name, took_s in time_answers(list(answers.values())):
        say(f"answers.{name}", 1_000 * took_s, "ms an image", of_cpu_pct=100 * took_s * len(kept) / cpu_s)


@contextmanager
def _both(options: argparse.Namespace) -> Iterator[tuple[Side, Side]]:
    with ExitStack() as stack:
        sides = [open_ours(options, 1, "0", precision) for precision in ("full", "fast")]
        for side in sides:
            stack.callback(side.close)
            side.wait()
        yield sides[0], sides[1]


def measure_fast(folder: Path, options: argparse.Namespace) -> None:
    """Fast mode against full precision, which is upstream's equal, on 1,010 images."""
    support = fast_support()
    if not support.supported:
        print(
            json.dumps(
                {"name": "decimer.fast", "value": None, "unit": "", "supported": False, "why": support.why}
            )
        )
        return
    drawings = sorted(DRAWINGS.glob("*.png"))
    target = folder / "fast"
    target.mkdir()
    images = write_variants(drawings[:1] if options.tiny else drawings, target, 2 if options.tiny else 10)
    equal = again = 0
    ratios = []
    with _both(options) as (full, fast):
        for first in range(0, len(images), 48):
            batch = images[first : first + 48]
            slow, quick = full.ask(batch), fast.ask(batch)
            ratios.append(slow["cpu_s"] / quick["cpu_s"])
            for path in map(str, batch):
                equal += slow["answers"][path]["tokens"] == quick["answers"][path]["tokens"]
                again += quick["answers"][path]["precision"] == "full"
    wrong = len(images) - equal
    say(
        "fast.identity",
        equal / len(images),
        "of images",
        images=len(images),
        different=wrong,
        bound_95=round(upper_bound(wrong, len(images)), 5),
        read_again=again,
    )
    say(
        "fast.cpu",
        statistics.median(ratios),
        "times",
        against="full precision",
        ratio=round(statistics.median(ratios), 2),
    )


def upper_bound(wrong: int, images: int, confidence: float = 0.95) -> float:
    """Largest rate of different answers that `wrong` of `images` allow (Clopper-Pearson, one-sided)."""
    from math import comb

    low, high = wrong / images, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        chance = sum(comb(images, k) * rate**k * (1 - rate) ** (images - k) for k in range(wrong + 1))
        low, high = (rate, high) if chance > 1 - confidence else (low, rate)
    return high


if __name__ == "__main__":
    main()
