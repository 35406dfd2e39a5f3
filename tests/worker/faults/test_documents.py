"""Files of many pages through a fleet whose workers are killed: one result a page, whoever added them."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.services.support import PATIENCE_S
from tests.worker.faults.test_kills import ENVIRONMENT, kill_at_random
from tests.worker.fleet import Fleet


@pytest.fixture
def fleet(fleet_url: str, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, fleet_url, ENVIRONMENT)
    yield fleet
    fleet.stop()


def pages(kind: str, count: int) -> bytes:
    sheets = [Image.new("L", (20, 20), number % 256) for number in range(count)]
    stream = io.BytesIO()
    sheets[0].save(stream, kind, save_all=True, append_images=sheets[1:])
    return stream.getvalue()


def fill(fleet: Fleet, pdf_pages: int, tiff_pages: int) -> None:
    """A PDF, a TIFF, a TIFF of one page, a file that is named as a page is, and plain images between them."""
    files = {"a.pdf": ("PDF", pdf_pages), "b.tif": ("TIFF", tiff_pages), "c.tif": ("TIFF", 1)}
    (fleet.images / "d").mkdir(parents=True)
    names = []
    for name, (kind, count) in files.items():
        content = pages(kind, count)
        (fleet.images / "d" / name).write_bytes(content)
        shown = [f"d/{name}"] if count == 1 else [f"d/{name}#page={page + 1}" for page in range(count)]
        fleet.contents |= dict.fromkeys(shown, content)
        names.append(name)
    for name in ("a.pdf#page=2", "e.png", "f.png"):
        (fleet.images / "d" / name).write_bytes(b"xx")
        fleet.contents[f"d/{name}#page=1" if "#" in name else f"d/{name}"] = b"xx"
        names.append(name)
    queue = fleet.queue()
    queue.add_directories(queue.add_batch("batch", fleet.source), [("d", names)], 4)
    queue.close()


def test_every_page_has_one_result_though_workers_are_killed(fleet: Fleet) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    fill(fleet, pdf_pages=40, tiff_pages=20)
    kill_at_random(fleet, random.Random(seed), workers=4, supervisors=1, timeout_s=PATIENCE_S)
    fleet.check_all_once()


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_two_hundred_pages_and_fifty_frames(fleet: Fleet) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    fill(fleet, pdf_pages=200, tiff_pages=50)
    kill_at_random(fleet, random.Random(seed), workers=12, supervisors=3, timeout_s=1000)
    fleet.check_all_once()
