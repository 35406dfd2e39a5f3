"""Files as they come: formats, strips and photographs, pages, and what is noted of an image."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.worker.decimer.conftest import LIMITS
from tests.worker.fleet import ROOT
from worker.answers.notes import repetition
from worker.decimer.engine import OnnxRecogniser
from worker.decimer.errors import ImageRefused
from worker.decimer.images.frames import count_frames
from worker.decimer.images.image_file import ImageLimits, count_pages
from worker.decimer.images.preprocess import BRIGHTNESS, Corrections, _resize, _spans, read_drawing, read_page
from worker.recognition import SourceImage


@pytest.fixture
def drawing(drawings: list[Path]) -> Image.Image:
    with Image.open(drawings[12]) as opened:
        return opened.convert("RGB")


def noted(path: Path, page: int | None = None, corrections: Corrections | None = None) -> dict[str, str]:
    drawing = read_page(path, LIMITS, page, corrections or Corrections())
    return {note.name: note.evidence for note in drawing.notes}


def test_jpeg_2000_and_avif_are_read(drawing: Image.Image, drawings: list[Path], tmp_path: Path) -> None:
    as_png = read_drawing(drawings[12], LIMITS)
    drawing.save(tmp_path / "a.jp2", irreversible=False)
    drawing.save(tmp_path / "codestream.png", "JPEG2000", no_jp2=True, irreversible=False)
    drawing.save(tmp_path / "a.avif", quality=100)
    assert np.array_equal(read_drawing(tmp_path / "a.jp2", LIMITS), as_png)
    assert np.array_equal(read_drawing(tmp_path / "codestream.png", LIMITS), as_png)
    assert np.abs(read_drawing(tmp_path / "a.avif", LIMITS) - as_png).mean() < 2


@pytest.mark.parametrize(
    ("start", "error"),
    [
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "NotAnImage: CR3 is not read"),
        (b"\0\0\0\x18ftypisom\0\0\0\1", "NotAnImage: video is not read"),
        (b"\xff\x0a\xfa\x1f", "NotAnImage: JPEG XL is not read"),
        (b"PK\3\4", "NotAnImage: ZIP (or an office document) is not read"),
        (b"\0\0\1\0\1\0", "NotAnImage: ICO is not read"),
        (b"8BPS\0\1", "NotAnImage: PSD is not read"),
        (b"<?xml version='1.0'?>\n<svg xmlns='x'/>", "NotAnImage: SVG is not read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "NotAnImage: PostScript is not read"),
        (b"\0\0\0\x18ftypavif\0\0\0\1", "DamagedImage"),
        (b"II+\0\x08\0\0\0", "DamagedImage: begins as TIFF does"),
        (b"%PDF-1.7\nno more of it", "DamagedImage: PDF: "),
    ],
)
def test_what_is_known_and_not_read_is_not_called_damaged(start: bytes, error: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(start + b"\0" * 64)
    with pytest.raises(ImageRefused) as refusal:
        read_drawing(path, LIMITS)
    assert refusal.value.describe().startswith(error)


@pytest.mark.parametrize("size", [(400, 90), (90, 400), (1300, 700), (517, 700)])
def test_the_white_around_a_drawing_is_as_if_it_were_there(size: tuple[int, int]) -> None:
    """Bit for bit the sums over the whole square."""
    noise = np.random.RandomState(1).randint(0, 256, size[::-1]).astype(np.uint8)
    side = max(int(1.2 * max(size)), 512)
    square = Image.new("L", (side, side), "white")
    square.paste(Image.fromarray(noise), (int((side - size[0]) / 2), int((side - size[1]) / 2)))
    lines = np.clip(np.asarray(square).astype(np.float32) * np.float32(BRIGHTNESS), 0, 255)
    lines = lines.astype(np.uint8).astype(np.float32)
    starts, weights = _spans(side)
    for _ in range(2):
        total = np.zeros((512, lines.shape[1]), np.float32)
        for tap in range(weights.shape[1]):
            total += np.take(lines, starts + tap, axis=0, mode="clip") * weights[:, tap, None]
        lines = np.ascontiguousarray(total.T)
    assert np.array_equal(_resize(Image.fromarray(noise)), lines)


def test_limits_count_pixels_and_not_the_square_of_the_longer_side(tmp_path: Path) -> None:
    """A strip, and a photograph of 48 megapixels, in memory that is a small multiple of their pixels."""
    strip = Image.new("RGB", (7_500, 300), "white")
    strip.paste("black", (100, 100, 7_400, 103))
    strip.save(tmp_path / "strip.png")
    photograph = Image.new("RGB", (8_000, 6_000), "white")
    photograph.paste("black", (100, 100, 7_900, 110))
    photograph.paste("black", (100, 100, 110, 5_900))
    photograph.save(tmp_path / "photograph.jpg")
    program = (
        "import sys; from pathlib import Path\n"
        "from worker.decimer.images.image_file import ImageLimits\n"
        "from worker.decimer.images.preprocess import read_drawing\n"
        "for name in sys.argv[1:]:\n"
        "    shape = read_drawing(Path(name), ImageLimits(64_000_000, 50_000_000)).shape\n"
        "    [peak] = [line for line in open('/proc/self/status') if line.startswith('VmHWM')]\n"
        "    print(shape[0], int(peak.split()[1]) * 1024 // 10**6)"
    )
    most_mb = {"strip.png": 200, "photograph.jpg": 600}  # one after the other, so that each counts the former
    command = [sys.executable, "-c", program, *(tmp_path / name for name in most_mb)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    for line, limit_mb in zip(done.stdout.splitlines(), most_mb.values(), strict=True):
        side, peak_mb = map(int, line.split())
        assert side == 512
        assert peak_mb < limit_mb
    Image.new("L", (40_000, 2)).save(tmp_path / "line.png")
    with pytest.raises(ImageRefused, match="a side may have 32,768 pixels at most"):
        read_drawing(tmp_path / "line.png", LIMITS)


def test_a_turned_image_is_noted_and_turned_on_request(
    drawing: Image.Image, drawings: list[Path], tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    path = tmp_path / "turned.png"
    drawing.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    assert noted(path) == {"rotated": "EXIF orientation 6"}
    assert noted(path, corrections=Corrections(turn=True)) == {"rotated": "EXIF orientation 6, turned"}
    upright = read_drawing(drawings[12], LIMITS)
    assert not np.array_equal(read_drawing(path, LIMITS), upright)
    assert np.array_equal(read_page(path, LIMITS, corrections=Corrections(turn=True)).grey, upright)


def test_an_inverted_image_is_noted_and_inverted_on_request(
    drawing: Image.Image, drawings: list[Path], tmp_path: Path
) -> None:
    path = tmp_path / "inverted.png"
    ImageOps.invert(drawing).save(path)
    [(name, evidence)] = noted(path).items()
    assert name == "inverted"
    assert evidence.endswith(" % of the drawing's frame is dark")
    inverted = read_page(path, LIMITS, corrections=Corrections(invert=True))
    assert [note.evidence for note in inverted.notes] == [f"{evidence}, inverted"]
    assert np.abs(inverted.grey - read_drawing(drawings[12], LIMITS)).mean() < 4
    assert noted(drawings[12], corrections=Corrections(turn=True, invert=True)) == {}


@pytest.mark.parametrize("kind", ["pdf", "tiff", "gif", "webp", "png"])
def test_every_page_of_a_file_can_be_read(
    kind: str, drawing: Image.Image, drawings: list[Path], tmp_path: Path
) -> None:
    blank, path = Image.new("RGB", drawing.size, "white"), tmp_path / f"pages.{kind}"
    others = [ImageOps.mirror(drawing), blank]
    drawing.save(path, save_all=True, append_images=others, **({"lossless": True} if kind == "webp" else {}))
    assert count_pages(path, LIMITS) == 3
    assert noted(path) == {"more_pages": "page 1 of 3"}
    assert noted(path, page=1) == {}
    first, second = (read_page(path, LIMITS, page).grey for page in (1, 2))
    assert np.array_equal(first, read_drawing(path, LIMITS))
    if kind in ("tiff", "png", "webp"):
        assert np.array_equal(first, read_drawing(drawings[12], LIMITS))
    assert np.abs(first - second).mean() > 4
    assert np.abs(first - second[:, ::-1]).mean() < 4
    with pytest.raises(ImageRefused, match=r"^nothing on it|^one colour"):
        read_page(path, LIMITS, 3)
    with pytest.raises(ImageRefused, match="there is no page 4: the file has 3"):
        read_page(path, LIMITS, 4)


def test_a_page_of_a_pdf_is_no_larger_than_an_image_may_be(drawing: Image.Image, tmp_path: Path) -> None:
    drawing.save(tmp_path / "large.pdf", resolution=1)  # metres wide
    assert read_drawing(tmp_path / "large.pdf", ImageLimits(10**6, 10_000)).shape == (512, 512)


def test_an_answer_that_goes_on_for_ever_is_stopped_on_request(
    open_engine: Callable[..., OnnxRecogniser], drawings: list[Path]
) -> None:
    images = [SourceImage(str(path), path) for path in drawings[10:16]]
    whole = {answer.key: answer for answer in open_engine().recognise(images)}
    engine = open_engine(is_endless=lambda words: repetition(words) is not None)
    assert {answer.key: answer for answer in engine.recognise(images)} == whole, "none of them does"
    engine = open_engine(is_endless=lambda words: len(words) >= 30)
    stopped = {answer.key: answer for answer in engine.recognise(images)}
    assert any(len(answer.tokens) > 30 for answer in whole.values())
    for key, answer in whole.items():
        assert stopped[key].tokens == (answer.tokens if len(answer.tokens) < 30 else answer.tokens[:30])
        assert stopped[key].truncated == (len(answer.tokens) >= 30)


@pytest.mark.parametrize("kind", ["tiff", "gif"])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_pictures_are_counted_as_the_library_counts_them(kind: str, count: int, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    sheets = [Image.new("L", (9, 9), 30 * number) for number in range(count)]
    sheets[0].save(
        path, save_all=True, append_images=sheets[1:], **({"big_tiff": True} if count == 7 else {})
    )
    with Image.open(path) as opened:
        assert count_pages(path, LIMITS) == getattr(opened, "n_frames", 1) == count


def test_a_million_pictures_are_counted_no_further_than_they_are_read(tmp_path: Path) -> None:
    gif = b"GIF89a" + struct.pack("<HH", 9, 9) + b"\x80\0\0\0\0\0\xff\xff\xff"
    frame = b"," + struct.pack("<HHHH", 0, 0, 9, 9) + b"\0\x02\x02D\x01\0"
    (tmp_path / "many.gif").write_bytes(gif + frame * 1_000_000 + b";")
    directory = b"\0\0"
    chain = b"".join(directory + struct.pack("<I", 8 + 6 * number) for number in range(1, 200_000))
    (tmp_path / "many.tif").write_bytes(b"II*\0" + struct.pack("<I", 8) + chain)
    (tmp_path / "circle.tif").write_bytes(b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 8))
    started_s = time.process_time()
    assert count_frames(tmp_path / "many.gif", "GIF", 1) == 10_001
    assert count_frames(tmp_path / "many.tif", "TIFF", 1) == 10_001
    assert count_frames(tmp_path / "circle.tif", "TIFF", 1) == 1
    assert time.process_time() - started_s < 2
    with pytest.raises(ImageRefused):
        read_drawing(tmp_path / "many.gif", LIMITS)
    assert time.process_time() - started_s < 4
