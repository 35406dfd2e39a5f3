"""Further images made from the drawings: sizes, turns, noise, transparency and file formats.

Everything is integer arithmetic on pixels and lossless files, or JPEG, whose baseline coder is exact, so
the images come out the same everywhere; `upstream_variants.json` keeps a hash of each one's decoded pixels
beside upstream's answer, and the tests refuse to compare an image that came out differently.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from pillow_heif import register_heif_opener

Maker = Callable[[Image.Image, Path, int], None]


def _scale(percent: int, resample: Image.Resampling) -> Maker:
    def make(image: Image.Image, path: Path, seed: int) -> None:
        size = (image.width * percent // 100, image.height * percent // 100)
        image.resize(size, resample).save(path, compress_level=1)

    return make


def _turn(degrees: int) -> Maker:
    def make(image: Image.Image, path: Path, seed: int) -> None:
        turned = image.rotate(degrees, Image.Resampling.BILINEAR, expand=True, fillcolor=(255, 255, 255))
        turned.save(path, compress_level=1)

    return make


def _jpeg(mode: str, quality: int) -> Maker:
    def make(image: Image.Image, path: Path, seed: int) -> None:
        image.convert(mode).save(path, quality=quality)

    return make


def _mode(mode: str) -> Maker:
    def make(image: Image.Image, path: Path, seed: int) -> None:
        image.convert(mode).save(path, compress_level=1)

    return make


def _speckle(image: Image.Image, path: Path, seed: int) -> None:
    pixels = np.array(image)
    chance = np.random.RandomState(seed).randint(0, 1000, pixels.shape[:2])
    pixels[chance < 4] = 0
    pixels[chance > 995] = 255
    Image.fromarray(pixels).save(path, compress_level=1)


def _grain(image: Image.Image, path: Path, seed: int) -> None:
    noise = np.random.RandomState(seed).randint(-9, 10, (3, image.height, image.width, 3)).sum(axis=0)
    Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)).save(path, compress_level=1)


def _transparent(image: Image.Image, path: Path, seed: int) -> None:
    cut = image.convert("RGBA")
    cut.putalpha(image.convert("L").point([255 - level for level in range(256)]))
    cut.save(path, compress_level=1)


def _palette(image: Image.Image, path: Path, seed: int) -> None:
    grey = image.convert("L")
    colours = Image.fromarray(np.asarray(grey) // 16, "P")
    colours.putpalette([level for step in range(16) for level in (step * 17,) * 3])
    colours.save(path, compress_level=1)


def _deep_grey(image: Image.Image, path: Path, seed: int) -> None:
    Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257).save(path, compress_level=1)


def _faint(image: Image.Image, path: Path, seed: int) -> None:
    image.point([200 + level * 40 // 255 for level in range(256)] * 3).save(path, compress_level=1)


def _off_centre(image: Image.Image, path: Path, seed: int) -> None:
    page = Image.new("RGB", (image.width + 260, image.height + 140), "white")
    page.paste(image, (190, 25))
    page.save(path, compress_level=1)


def _lossless_webp(image: Image.Image, path: Path, seed: int) -> None:
    image.save(path, lossless=True)


def _lzw_tiff(image: Image.Image, path: Path, seed: int) -> None:
    image.save(path, compression="tiff_lzw")


MAKERS: dict[str, tuple[str, Maker]] = {
    "small": ("png", _scale(65, Image.Resampling.LANCZOS)),
    "jpeg60": ("jpg", _jpeg("RGB", 60)),
    "turn90": ("png", _turn(90)),
    "speckle": ("png", _speckle),
    "large": ("png", _scale(150, Image.Resampling.BICUBIC)),
    "transparent": ("png", _transparent),
    "turn7": ("png", _turn(7)),
    "jpeg25grey": ("jpg", _jpeg("L", 25)),
    "palette": ("png", _palette),
    "grain": ("png", _grain),
    "grey": ("png", _mode("L")),
    "cmyk": ("jpg", _jpeg("CMYK", 85)),
    "wide": ("png", _off_centre),
    "deep": ("png", _deep_grey),
    "gif": ("gif", _palette),
    "turn200": ("png", _turn(200)),
    "bmp": ("bmp", _mode("RGB")),
    "faint": ("png", _faint),
    "webp": ("webp", _lossless_webp),
    "onebit": ("png", _mode("1")),
    "tiff": ("tiff", _lzw_tiff),
}


def list_variants(drawings: list[Path], per_drawing: int = 2) -> Iterator[tuple[str, Path, Maker, int]]:
    """Name every variant: file name, drawing, maker, seed; each drawing gets `per_drawing` kinds in turn."""
    kinds = list(MAKERS.items())
    for number, drawing in enumerate(drawings):
        for turn in range(per_drawing):
            kind, (suffix, maker) = kinds[(number * per_drawing + turn) % len(kinds)]
            yield f"{drawing.stem}-{kind}.{suffix}", drawing, maker, number


def write_variants(drawings: list[Path], folder: Path, per_drawing: int = 2) -> list[Path]:
    """Make all variants in `folder` and return their paths."""
    paths = []
    for name, drawing, maker, seed in list_variants(drawings, per_drawing):
        with Image.open(drawing) as image:
            maker(image.convert("RGB"), folder / name, seed)
        paths.append(folder / name)
    return paths


def hash_pixels(path: Path) -> str:
    """SHA-256 over mode, size and decoded pixels: equal files differ here only if a decoder differs."""
    register_heif_opener(thumbnails=False)
    with Image.open(path) as image:
        head = f"{image.mode} {image.size} ".encode()
        return hashlib.sha256(head + image.tobytes()).hexdigest()
