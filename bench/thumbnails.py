"""Thumbnails: CPU time an image takes for its own, beside what recognising it takes, and their bytes.

Times are the least of some rounds each, so that what else runs on the machine counts little. `--images`
chooses how many of the kept ones.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.worker.decimer.kept import Kept, get_test_model, read_kept
from worker.decimer import open_recogniser
from worker.decimer.images.image_file import ImageLimits
from worker.decimer.images.preprocess import read_page
from worker.decimer.images.thumbnail import encode_png
from worker.queue import Claim, Lease
from worker.recognition import GreyThumbnail, SourceImage
from worker.runner.thumbnails import Thumbnails
from worker.settings import Settings
from worker.storage import open_storage

LIMITS = ImageLimits(64_000_000, 50_000_000)
CLAIM = Claim(1, 1, "b/d:0", "b", "/", "d", 1, 1, None, 0, (), Lease(0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="two images, once: for the output only")
    parser.add_argument("--images", type=int, default=48)
    options = parser.parse_args()
    count, rounds = (2, 1) if options.tiny else (options.images, 7)
    get_test_model()
    with tempfile.TemporaryDirectory(prefix="bench-thumbnails-") as folder:
        kept = read_kept(Path(folder))
        measure(kept[:: max(1, len(kept) // count)][:count], rounds, Path(folder))


def measure(images: list[Kept], rounds: int, folder: Path) -> None:
    recognition_s = recognise(images)
    made = [read_page(image.path, LIMITS, with_thumbnail=True).thumbnail for image in images]
    thumbnails = [thumbnail for thumbnail in made if thumbnail is not None]
    shrink_s = sum(
        least(rounds, lambda path=image.path: read_page(path, LIMITS, with_thumbnail=True))
        - least(rounds, lambda path=image.path: read_page(path, LIMITS))
        for image in images
    ) / len(images)
    keep_s = min(keep(thumbnails, folder / f"round-{number}") for number in range(rounds)) / len(images)
    sizes = [len(encode_png(thumbnail)) for thumbnail in thumbnails]
    pack_bytes = next((folder / "round-0" / "results").rglob("*.pack")).stat().st_size
    against = {"against": "recognising it", "peer": round(1_000 * recognition_s, 1)}
    for name, took_s in (
        ("shrink", shrink_s),
        ("encode_and_store", keep_s),
        ("cpu", max(shrink_s, 0.0) + keep_s),
    ):
        say(name, 1_000 * took_s, "ms an image", **against, ratio=round(took_s / recognition_s, 5))
    say("bytes", statistics.mean(sizes), "bytes an image", median=statistics.median(sizes), most=max(sizes))
    say("pack", pack_bytes / len(images), "bytes an image", images=len(images))


def recognise(images: list[Kept]) -> float:
    """CPU seconds of one, by the engine as a worker runs it."""
    recogniser = open_recogniser(Settings(decimer_engine="onnx"))
    sources = [SourceImage(str(image.path), image.path) for image in images]
    list(recogniser.recognise(sources[:1]))  # weights are paged in
    began_s = time.process_time()
    list(recogniser.recognise(sources))
    return (time.process_time() - began_s) / len(images)


def least(rounds: int, run: Callable[[], object]) -> float:
    """CPU seconds of the quickest."""
    return min(_time(run) for _ in range(rounds))


def keep(thumbnails: list[GreyThumbnail], folder: Path) -> float:
    """CPU seconds of all that a worker does with a chunk's: encoded, kept, packed, put into storage."""
    (folder / "temp").mkdir(parents=True)
    storage = open_storage(str(folder / "results"), Settings())
    kept = Thumbnails(folder / "temp")
    began_s = time.process_time()
    for number, thumbnail in enumerate(thumbnails):
        kept.add(CLAIM, number, thumbnail, "00" * 32)
    kept.put(CLAIM, storage)
    took_s = time.process_time() - began_s
    kept.close()
    return took_s


def _time(run: Callable[[], object]) -> float:
    began_s = time.process_time()
    run()
    return time.process_time() - began_s


def say(name: str, value: float, unit: str, **more: object) -> None:
    shown = float(f"{value:.4g}")
    print(json.dumps({"name": f"thumbnails.{name}", "value": shown, "unit": unit, **more}), flush=True)


if __name__ == "__main__":
    main()
