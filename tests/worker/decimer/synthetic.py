"""A model of DECIMER's architecture with made-up weights, in the layout of upstream's zips.

Upstream's hand-drawn model cannot be fetched by package, so its path is tested with this.
"""

import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from worker.decimer.model.architecture import FEATURE_WIDTH, LAYERS, Block, list_blocks

VOCABULARY_SIZE = 156


def _normalisation(width: int) -> list[tuple[int, ...]]:
    return [(width,), (width,)]


def _list_trained(block: Block) -> list[tuple[int, ...]]:
    width, out = block.channels_in * block.expansion, block.channels_out
    if block.kind == "mbconv":
        squeezed = block.channels_in // 4
        return [
            *((1, 1, block.channels_in, width), *_normalisation(width)),
            *((3, 3, width, 1), *_normalisation(width)),
            *((1, 1, width, squeezed), (squeezed,), (1, 1, squeezed, width), (width,)),
            *((1, 1, width, out), *_normalisation(out)),
        ]
    if block.expansion == 1:
        return [(3, 3, block.channels_in, out), *_normalisation(out)]
    return [
        (3, 3, block.channels_in, width),
        *_normalisation(width),
        (1, 1, width, out),
        *_normalisation(out),
    ]


def _list_averages(block: Block) -> list[tuple[int, ...]]:
    width, out = block.channels_in * block.expansion, block.channels_out
    if block.kind == "mbconv":
        return [*_normalisation(width), *_normalisation(width), *_normalisation(out)]
    return [*(_normalisation(width) if block.expansion > 1 else []), *_normalisation(out)]


def list_shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every variable, in the checkpoint's order."""
    blocks = list_blocks()
    encoder = [shape for block in blocks for shape in _list_trained(block)]
    encoder += [shape for block in blocks for shape in _list_averages(block)]
    encoder += [(3, 3, 3, 24), *_normalisation(24), *_normalisation(24)]
    square, flat = (FEATURE_WIDTH, FEATURE_WIDTH), (FEATURE_WIDTH,)
    layer = [*[square, flat] * 8, (512, 2048), (2048,), (2048, 512), flat, *[flat] * 6]
    decoder = [(VOCABULARY_SIZE, 512), *layer * LAYERS, (512, VOCABULARY_SIZE), (VOCABULARY_SIZE,)]
    for part, shapes in (("encoder", encoder), ("transformer", decoder)):
        for number, shape in enumerate(shapes):
            yield f"DECIMER/{part}/variables/{number}/.ATTRIBUTES/VARIABLE_VALUE", shape


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A table block; every key in full, one restart point, no compression, the checksum left out."""
    body = b"".join(
        _varint(0) + _varint(len(key)) + _varint(len(value)) + key + value for key, value in entries
    )
    return body + struct.pack("<II", 0, 1)


def write_index(path: Path, shapes: list[tuple[str, tuple[int, ...]]]) -> None:
    entries, offset = [(b"", _field(1, 1))], 0
    for name, shape in sorted(shapes):
        size = 4 * int(np.prod(shape))
        dimensions = b"".join(_field(2, _field(1, length)) for length in shape)
        entry = _field(1, 1) + _field(2, dimensions) + _field(4, offset) + _field(5, size)
        entries.append((name.encode(), entry))
        offset += size
    table = _block(entries)
    index = _block([(b"z", _varint(0) + _varint(len(table)))])
    handles = _varint(0) + _varint(0) + _varint(len(table) + 5) + _varint(len(index))
    footer = handles.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    path.write_bytes(table + b"\0" * 5 + index + b"\0" * 5 + footer)


def write_zip(path: Path, folder: Path) -> None:
    """`path`, with upstream's folder name in it; scratch files in `folder`."""
    shapes = list(list_shapes())
    index, data = folder / "index", folder / "data"
    write_index(index, shapes)
    block = np.random.RandomState(3).uniform(0.001, 0.02, 1_000_003).astype(np.float32)
    with data.open("wb") as file:
        for _, shape in sorted(shapes):
            file.write(np.resize(block, shape).tobytes())
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(index, "DECIMER_HandDrawn_model/variables/variables.index")
        archive.write(data, "DECIMER_HandDrawn_model/variables/variables.data-00000-of-00001")
    index.unlink()
    data.unlink()
