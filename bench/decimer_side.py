"""One side of the DECIMER benchmark: a process that answers for image files and says what it took.

    python -P bench/decimer_side.py upstream THREADS
    python -P bench/decimer_side.py onnx THREADS SLOTS PRECISION

Reads one JSON list of paths a line, writes one JSON object a line; the first says how long the engine took
to load, the import of its libraries included. Runs in upstream's environment, too, so the project is
imported only for its own engine; -P keeps the names of other benchmarks from the libraries.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

Answer = Callable[[list[str]], dict[str, Any]]


def open_upstream(threads: int) -> Answer:
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = str(threads)
    from DECIMER import decimer

    decimer.load_models()

    def answer(paths: list[str]) -> dict[str, Any]:
        return {path: decimer.predict_SMILES(path) for path in paths}

    return answer


def read_settings(threads: int, slots: int, precision: str) -> Any:
    """Before the clock starts: they are the worker's, whatever its engine."""
    from worker import settings as worker_settings

    chosen = {"decimer_threads": threads, "decimer_slots": slots, "decimer_precision": precision}
    return worker_settings.read_settings().model_copy(update=chosen)


def open_onnx(settings: Any) -> Answer:
    from worker.decimer import open_recogniser
    from worker.recognition import SourceImage

    recogniser = open_recogniser(settings)

    def answer(paths: list[str]) -> dict[str, Any]:
        images = [SourceImage(path, Path(path)) for path in paths]
        return {
            found.key: {
                "smiles": found.smiles,
                "tokens": found.tokens,
                "confidences": found.confidences,
                "precision": found.precision,
            }
            for found in recogniser.recognise(images)
        }

    return answer


def read_memory_mb(process: int | str = "self") -> dict[str, float]:
    """Resident, private and shared memory; a mapped file counts as private while no other process maps it."""
    kb: dict[str, int] = {}
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        kb[name] = int(rest.split()[0])
    private, shared = (kb[f"{kind}_Clean"] + kb[f"{kind}_Dirty"] for kind in ("Private", "Shared"))
    figures = {
        "resident": kb["Rss"],
        "private": private,
        "shared": shared,
        "private_dirty": kb["Private_Dirty"],
    }
    return {name: round(value / 1024, 1) for name, value in figures.items()}


def main(engine: str, threads: int, *options: str) -> None:
    # What libraries print must not reach the pipe.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    settings = read_settings(threads, int(options[0]), options[1]) if engine == "onnx" else None
    wall, cpu = time.perf_counter(), time.process_time()
    answer = open_onnx(settings) if settings else open_upstream(threads)
    ready = {"load_s": time.perf_counter() - wall, "load_cpu_s": time.process_time() - cpu}
    print(json.dumps(ready | {"memory_mb": read_memory_mb()}), file=out, flush=True)
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        answers = answer(json.loads(line))
        took = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        print(json.dumps(took | {"memory_mb": read_memory_mb(), "answers": answers}), file=out, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
