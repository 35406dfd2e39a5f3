"""Thumbnails: small pictures beside the result files, one pack an attempt, never at an answer's cost."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngImageFile
from sqlalchemy import select

from tests.services.support import wait_until
from tests.worker.fleet import ROOT, RUN, Fleet
from worker.decimer.images.image_file import ImageLimits
from worker.decimer.images.preprocess import read_page
from worker.decimer.images.thumbnail import SIDE, encode_png, shrink
from worker.queue import QueueTarget
from worker.queue.schema import results
from worker.review.pack import PACK_NAME, check_png
from worker.review.pictures import NoPicture, open_place, read_picture


def drawing(width: int = 300, height: int = 200) -> bytes:
    """With a black diagonal."""
    image = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(image).line((20, 20, width - 20, height - 20), fill="black", width=3)
    return saved(image)


def saved(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


SIZES = [(1, 1), (5000, 3), (3, 5000), (256, 256), (257, 100), (512, 511), (2000, 3000)]


@pytest.mark.parametrize("size", SIZES)
def test_one_is_small_and_as_the_page_takes_it(size: tuple[int, int]) -> None:
    made = shrink(Image.linear_gradient("L").resize(size))
    assert made is not None
    assert max(made.width, made.height) == min(SIDE, max(size))
    png = encode_png(made)
    check_png(png)
    shown = Image.open(io.BytesIO(png)).convert("L")
    worst = max(abs(a - b) for a, b in zip(shown.tobytes(), made.levels, strict=True))
    assert worst <= 9  # half a step of 16 levels


def shown(fleet: Fleet, chunk: int, number: int) -> Image.Image | str:
    """The thumbnail as the page gets it, or why there is none."""
    place = open_place(str(fleet.results), None, 1)
    try:
        return Image.open(io.BytesIO(read_picture(fleet.database_url, place, chunk, number).png))
    except NoPicture as none:
        return str(none)


def test_a_fleet_keeps_them_of_all_that_could_be_decoded(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, environment={"WORKER_THUMBNAILS": "1", "WORKER_MAX_WORKERS": "1"})
    blank = saved(Image.new("RGB", (40, 30), (250, 240, 250)))
    tiff = io.BytesIO()
    pages = [Image.open(io.BytesIO(drawing(100 + 50 * number))) for number in range(3)]
    pages[0].save(tiff, "TIFF", save_all=True, append_images=pages[1:])
    fleet.add_images("a", [drawing(), b"no picture", blank, tiff.getvalue()])
    fleet.enqueue()
    try:
        assert fleet.wait(fleet.start(RUN)) == 0, fleet.said()
    finally:
        fleet.stop()
    first = shown(fleet, 1, 0)
    assert isinstance(first, Image.Image)
    width, height = first.size
    assert (width, height) == (256, 159)  # what is drawn, without the paper around it
    grey = first.convert("L")
    assert (grey.getpixel((width // 2, height // 2)), grey.getpixel((width - 6, 4))) == (0, 255)
    assert shown(fleet, 1, 1) == "the picture could not be decoded"
    plain = shown(fleet, 1, 2)
    assert isinstance(plain, Image.Image)
    assert len(plain.getcolors() or []) == 1
    sizes = [picture.size for n in (3, 4, 5) if isinstance(picture := shown(fleet, 1, n), Image.Image)]
    assert len(sizes) == len(set(sizes)) == 3
    assert [path.name for path in fleet.temp.iterdir() if path.is_dir()] == []


def test_they_are_off_unless_asked_for(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, environment={"WORKER_MAX_WORKERS": "1"})
    fleet.add_images("a", [drawing()])
    fleet.enqueue()
    try:
        assert fleet.wait(fleet.start(RUN)) == 0, fleet.said()
    finally:
        fleet.stop()
    assert list(fleet.results.rglob(PACK_NAME)) == []
    assert "WORKER_THUMBNAILS was off" in str(shown(fleet, 1, 0))
    assert shown(fleet, 1, 1) == shown(fleet, 2, 0) == shown(fleet, 2**70, 0) == "there is no such result"


def packs(fleet: Fleet) -> set[str]:
    return {str(path.relative_to(fleet.results)) for path in fleet.results.rglob(PACK_NAME)}


def test_retries_keep_what_stands_and_pruning_takes_all_but_the_results(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, environment={"WORKER_THUMBNAILS": "1", "WORKER_MAX_WORKERS": "1"})
    fleet.add_images("a", [drawing(), drawing(90, 80)])
    fleet.enqueue()
    lost = fleet.images / "a" / "00001.png"
    lost.rename(tmp_path / "aside")
    try:
        assert fleet.wait(fleet.start(RUN)) == 0, fleet.said()
        assert "could not be had" in str(shown(fleet, 1, 1))
        (tmp_path / "aside").rename(lost)
        queue = fleet.queue()
        assert queue.retry(QueueTarget("batch"), failed_images=True) == 1
        queue.close()
        assert fleet.wait(fleet.start(RUN)) == 0, fleet.said()
    finally:
        fleet.stop()
    assert packs(fleet) == {"batch/1/1/thumbnails.pack", "batch/1/2/thumbnails.pack"}
    assert {type(shown(fleet, 1, number)) for number in (0, 1)} == {PngImageFile}
    for options, left in ((["--days", "9"], 2), (["--days", "0", "--yes"], 0)):
        command = [sys.executable, "-m", "worker", "prune", *options]
        subprocess.run(command, cwd=ROOT, env=fleet.full_environment(), check=True, capture_output=True)
        assert len(packs(fleet)) == left
    assert [path.name for path in fleet.results.rglob("*.jsonl")] == ["results.jsonl"]
    assert shown(fleet, 1, 0) == "there is no such result"


def worker_pid(fleet: Fleet) -> int:
    return max(pid for pid in fleet.all_pids() if b"--page" in Path(f"/proc/{pid}/cmdline").read_bytes())


def test_of_workers_that_end_early_no_answer_has_anothers(tmp_path: Path) -> None:
    """One is killed, the next told to leave; what they had stored before is shown."""
    fleet = Fleet(
        tmp_path,
        environment={
            "WORKER_THUMBNAILS": "1", "WORKER_MAX_WORKERS": "1", "WORKER_UPLOAD_S": "0.3",
            "WORKER_STORE_S": "0.2", "WORKER_STUB_S": "0.1",
        },
    )  # fmt: skip
    fleet.add_images("a", [own(number) for number in range(IMAGES)])
    fleet.enqueue(chunk_images=IMAGES)
    try:
        first = fleet.start(RUN)
        wait_until(
            lambda: (len(packs(fleet)), set(tokens_of(fleet).values())) == (1, {1}), "the first's pack"
        )
        os.kill(worker_pid(fleet), signal.SIGKILL)
        wait_until(lambda: (len(packs(fleet)), 2 in tokens_of(fleet).values()) == (2, True), "the next one's")
        first.send_signal(signal.SIGTERM)
        fleet.wait(first)
        assert fleet.wait(fleet.start(RUN, WORKER_STUB_S="0.001")) == 0, fleet.said()
    finally:
        fleet.stop()
    tokens = tokens_of(fleet)
    assert (len(tokens), set(tokens.values()), len(packs(fleet))) == (IMAGES, {1, 2, 3}, 3)
    found = {number: shown(fleet, 1, number) for number in tokens}
    without = {number for number, picture in found.items() if isinstance(picture, str)}
    assert {tokens[number] for number in without} <= {1}, "only the killed worker had not put what it had"
    for number, picture in found.items():
        if not isinstance(picture, str):
            assert picture.size == own_size(number, tmp_path)


IMAGES = 100


def tokens_of(fleet: Fleet) -> dict[int, int]:
    """Of the attempts that answered, by image."""
    queue = fleet.queue()
    rows = select(results.c.number, results.c.token)
    found = dict(queue.database.read(lambda connection: connection.execute(rows).all()))
    queue.close()
    return found


def own(number: int) -> bytes:
    """As wide as no other."""
    return drawing(100 + number, 50)


def own_size(number: int, folder: Path) -> tuple[int, int]:
    path = folder / "own.png"
    path.write_bytes(own(number))
    made = read_page(path, ImageLimits(10**7, 10**7), with_thumbnail=True).thumbnail
    assert made is not None
    return made.width, made.height
