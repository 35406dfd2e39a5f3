"""What is no image's fault: a process or host that lacks what any image needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

from tests.services.support import PATIENCE_S
from tests.worker.fleet import ROOT

_READ = """
import resource, sys
from pathlib import Path
from worker.decimer.images.image_file import ImageLimits, count_pages
from worker.decimer.images.preprocess import read_page
limits = ImageLimits(bytes=64_000_000, pixels=50_000_000)
large, *small = map(Path, sys.argv[2:])
def said(read, path):
    try:
        read(path, limits)
        return "read"
    except Exception as error:
        return f"{type(error).__name__}: {error}".rstrip(": ")
for path in small:
    assert (said(read_page, path), said(count_pages, path)) == ("read", "read")
lacking = {"descriptors": resource.RLIMIT_NOFILE, "memory": resource.RLIMIT_AS}[sys.argv[1]]
before = resource.getrlimit(lacking)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(lacking, (3 if sys.argv[1] == "descriptors" else used + 20_000_000, before[1]))
paths = [large] if sys.argv[1] == "memory" else small
told = [said(read, path) for path in paths for read in (read_page, count_pages)]
resource.setrlimit(lacking, before)
print(*told, said(read_page, large), sep="\\n")
"""


def said(lacking: str, folder: Path) -> list[str]:
    """What a process says that reads and counts pages while it lacks that, then reads."""
    drawing = Image.new("L", (60, 60), 255)
    drawing.paste(0, (10, 10, 40, 12))
    paths = [folder / name for name in ("a.png", "a.tif", "a.webp")]
    for path in paths:
        drawing.save(path)
    large = folder / "large.png"
    drawing.resize((4_000, 4_000)).convert("RGB").save(large, compress_level=1)
    command = [sys.executable, "-c", _READ, lacking, str(large), *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=PATIENCE_S)
    return done.stdout.splitlines()


def test_a_process_without_descriptors_blames_no_image(tmp_path: Path) -> None:
    lack = "HostFault: images cannot be read: Too many open files"
    assert said("descriptors", tmp_path) == [lack] * 6 + ["read"]


def test_a_process_without_memory_blames_no_image(tmp_path: Path) -> None:
    """It ends, as by any fault of the recogniser, and the image is tried alone."""
    assert said("memory", tmp_path) == ["MemoryError", "read", "read"]
