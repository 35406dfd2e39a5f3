"""Files of pages that ask for more time or memory than they should: each is refused by name or read in part,
and the next file as ever.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.services.support import PATIENCE_S, wait_until
from tests.worker.decimer import hostile_documents as made
from tests.worker.decimer.conftest import LIMITS
from tests.worker.fleet import ROOT
from worker.decimer.errors import ImageRefused
from worker.decimer.images.image_file import count_pages
from worker.decimer.images.pdf import PdfReader
from worker.decimer.images.preprocess import read_drawing, read_page

WHOLE = {"page": 1, "pixels": 10**6, "side": 10_000}


@pytest.mark.parametrize(
    ("content", "bounds", "error"),
    [
        (made.nested_forms(), {"cpu_s": 0.4}, "TooComplex: PDF: more than 0.4 s of CPU"),
        (made.many_lines(60), {"memory_bytes": 100_000_000}, "TooComplex: PDF: more than 100 MB, or PDFium"),
    ],
)
def test_a_pdf_that_asks_for_too_much_is_refused_and_the_next_is_read(
    content: bytes, bounds: dict[str, float], error: str, tmp_path: Path
) -> None:
    bad, good = tmp_path / "bad.pdf", tmp_path / "good.pdf"
    bad.write_bytes(content)
    good.write_bytes(made.one_page())
    reader = PdfReader(**bounds)  # type: ignore[arg-type]
    as_ever = reader.ask({"path": str(good), **WHOLE})
    assert as_ever[0]["pages"] == 1
    for told in (*[error] * 3, "TooComplex: PDF: not tried, 3 other pages of the file were too much"):
        with pytest.raises(ImageRefused) as refusal:
            reader.ask({"path": str(bad), **WHOLE})
        assert refusal.value.describe().startswith(told)
        assert reader.ask({"path": str(good), **WHOLE}) == as_ever


@pytest.mark.parametrize(
    ("content", "pages", "told"),
    [
        (made.one_page(), 1, None),
        (made.with_script(), 1, None),
        (made.one_page(b"0 0 1e9 1e9"), 1, None),
        (made.one_page(b"0 0 1e30 1"), 1, None),
        (made.one_page(pages=9_000), 9_000, "page 1 of 9000"),
        (made.one_page(pages=100_000), 1, "page 1 of more than 10000"),
        (made.tiff_in_a_circle(), 3, "page 1 of 3"),
        (made.animated_webp(10_000, 64), 10_000, "page 1 of 10000"),
        (made.animated_webp(400, 3_000), 1, "page 1 of 400"),
    ],
)
def test_what_is_odd_is_read_all_the_same(
    content: bytes, pages: int, told: str | None, tmp_path: Path
) -> None:
    """A file of too many pages, or whose last page is too far, as its first; soon."""
    path = tmp_path / "a.x"
    path.write_bytes(content)
    started_s = time.process_time()
    assert count_pages(path, LIMITS) == pages
    drawing = read_page(path, LIMITS)
    assert time.process_time() - started_s < 5
    assert drawing.grey.shape == (512, 512)
    assert {note.name: note.evidence for note in drawing.notes}.get("more_pages") == told


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (made.with_password(), "NotAnImage: PDF that asks for a password is not read"),
        (made.one_page(b"0 0 0.0001 0.0001"), "BlankImage"),
        (made.jpeg_2000(60_000, 60_000, in_box=False), "TooManyPixels"),
        (made.jpeg_2000(60_000, 60_000), "DamagedImage"),
        (made.avif(60_000, 60_000), "DamagedImage"),
        (made.heic(60_000, 60_000), "TooManyPixels"),
        (made.heic(7_000, 7_000), "DamagedImage"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(content: bytes, error: str, tmp_path: Path) -> None:
    path = tmp_path / "a.x"
    path.write_bytes(content)
    with pytest.raises(ImageRefused) as refusal:
        read_drawing(path, LIMITS)
    assert refusal.value.describe().startswith(error)


def test_every_picture_of_a_circle_is_read(tmp_path: Path) -> None:
    path = tmp_path / "circle.tif"
    path.write_bytes(made.tiff_in_a_circle())
    first, *others = (read_page(path, LIMITS, page).grey for page in (1, 2, 3))
    for other in others:
        assert np.array_equal(first, other)
    with pytest.raises(ImageRefused, match="there is no page 4: the file has 3"):
        read_page(path, LIMITS, 4)


def test_a_reader_that_somebody_ends_is_no_fault_of_the_file(tmp_path: Path) -> None:
    """A unit that is stopped tells all its processes, and a host without memory kills one of them."""
    path = tmp_path / "a.pdf"
    path.write_bytes(made.one_page())
    reader = PdfReader()
    as_ever = reader.ask({"path": str(path), **WHOLE})
    first = reader._process
    assert first is not None
    first.send_signal(signal.SIGTERM)
    assert reader.ask({"path": str(path), **WHOLE}) == as_ever
    assert reader._process is first
    first.kill()
    assert reader.ask({"path": str(path), **WHOLE}) == as_ever
    assert reader._process is not first


def test_a_reader_that_cannot_be_started_is_the_hosts_fault(tmp_path: Path) -> None:
    """A host without open files left: no PDF is called damaged, nor one of 200 pages a file of one page."""
    path = tmp_path / "a.pdf"
    path.write_bytes(made.one_page(pages=200))
    program = (
        "import os, resource, sys; from pathlib import Path\n"
        "from tests.worker.decimer.conftest import LIMITS\n"
        "from worker.decimer.images import image_file, pdf, preprocess\n"
        "from worker.errors import HostFault; from worker.runner.runner import page_counter\n"
        "from worker.settings import Settings\n"
        "pdf._READER = pdf.PdfReader(start_pauses_s=(0.0,))\n"
        "path, count = Path(sys.argv[1]), page_counter(Settings())\n"
        "most = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "free = os.dup(0); os.close(free)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (free + 2, most[1]))\n"
        "for read in (count, lambda path: preprocess.read_page(path, LIMITS)):\n"
        "    try: print(read(path))\n"
        "    except (HostFault, image_file.ImageRefused) as error: print(type(error).__name__, error)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, most)\n"
        "print(count(path))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    why = "PDF: its reader cannot be started (Too many open files)"
    told = [f"HostFault {why}", f"HostFault {why}", "200"]
    assert done.stdout.splitlines() == told, done.stderr


def test_who_reads_pdfs_knows_no_secrets_and_ends_with_its_worker(tmp_path: Path) -> None:
    """From any working directory, and though the worker is killed."""
    path = tmp_path / "a.pdf"
    path.write_bytes(made.one_page())
    program = (
        "import sys, time; from pathlib import Path\n"
        "from worker.decimer.images.pdf import _READER, count_pdf_pages\n"
        "print(count_pdf_pages(Path(sys.argv[1])), _READER._process.pid, flush=True)\n"
        "time.sleep(1000)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "WORKER_DATABASE_URL": "postgresql://me:secret@db/x"}
    with subprocess.Popen(
        [sys.executable, "-c", program, path], cwd=tmp_path, env=environment, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        pages, reader = map(int, process.stdout.readline().split())
        assert pages == 1
        assert b"secret" not in Path(f"/proc/{reader}/environ").read_bytes()
        process.send_signal(signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{reader}").exists(), "the end of the reader", PATIENCE_S)
