"""Bad files: each gives its own named error soon, and its neighbours' answers are what they were."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.worker.decimer.conftest import LIMITS
from tests.worker.decimer.hostile import write_hostile
from worker.decimer.engine import OnnxRecogniser
from worker.decimer.errors import ImageRefused
from worker.decimer.images.image_file import ImageLimits
from worker.decimer.images.preprocess import read_drawing
from worker.recognition import SourceImage

pytestmark = pytest.mark.timeout(600)  # real weights; a loaded machine

LONGEST_CPU_S = 2.0


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, set[str]]:
    return write_hostile(tmp_path_factory.mktemp("hostile"))


def test_every_bad_file_is_refused_by_name_and_soon(hostile: dict[Path, set[str]]) -> None:
    assert len(hostile) >= 300
    wrong = []
    for path, expected in hostile.items():
        start_s = time.process_time()
        with pytest.raises(ImageRefused) as refusal:
            read_drawing(path, LIMITS)
        took_s = time.process_time() - start_s
        name = refusal.value.describe().split(":")[0]
        assert len(refusal.value.describe()) < 250
        if name not in expected or took_s > LONGEST_CPU_S:
            wrong.append((path.name, name, expected, round(took_s, 2)))
    assert not wrong


def test_neighbours_of_bad_files_are_answered_as_ever(
    hostile: dict[Path, set[str]], drawings: list[Path], open_engine: Callable[..., OnnxRecogniser]
) -> None:
    good = drawings[:3]
    bad = list(hostile)[::6]
    files = [*bad[:20], good[0], *bad[20:40], good[1], good[2], *bad[40:]]
    engine = open_engine(slots=2, thumbnails=True)
    answers = {a.key: a for a in engine.recognise(SourceImage(str(f), f) for f in files)}
    assert len(answers) == len(files)
    alone = {a.key: a for a in open_engine(slots=2).recognise(SourceImage(str(f), f) for f in good)}
    for path in good:
        assert answers[str(path)].thumbnail is not None
        assert replace(answers[str(path)], thumbnail=None) == alone[str(path)]
    for path in bad:
        answer = answers[str(path)]
        assert answer.smiles is None
        assert answer.tokens == ()
        assert answer.error
        kind = answer.error.split(":")[0]
        assert kind in hostile[path]
        assert (answer.thumbnail is not None) == (kind == "BlankImage"), path.name


def test_limits_and_absence_have_their_own_names(tmp_path: Path, drawings: list[Path]) -> None:
    small = ImageLimits(bytes=1_000, pixels=100)
    cases = [
        (tmp_path / "absent.png", LIMITS, "MissingImage: No such file or directory"),
        (tmp_path, LIMITS, "MissingImage: Is a directory"),
        (drawings[0], small, "TooManyBytes: 3,998 bytes; at most 1,000 are read"),
        (
            drawings[0],
            ImageLimits(10**6, 100),
            "TooManyPixels: 300 x 300; at most 100 pixels are read",
        ),
    ]
    if os.geteuid():
        secret = tmp_path / "secret.png"
        secret.touch(mode=0)
        cases.append((secret, LIMITS, "MissingImage: Permission denied"))
    for path, limits, expected in cases:
        with pytest.raises(ImageRefused) as refusal:
            read_drawing(path, limits)
        assert refusal.value.describe() == expected


def test_a_fifo_or_device_is_refused_without_waiting(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.png"
    os.mkfifo(fifo)
    for path in (fifo, Path("/dev/zero")):
        with pytest.raises(ImageRefused, match="not a regular file"):
            read_drawing(path, LIMITS)
