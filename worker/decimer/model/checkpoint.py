"""Read the variables of a TensorFlow 2 checkpoint (a "tensor bundle") with numpy alone.

The index is a LevelDB-style table (tensorflow/core/lib/io/table_format.txt) of BundleEntryProto messages
(tensorflow/core/protobuf/tensor_bundle.proto); the data file holds the little-endian arrays end to end.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from worker.decimer.errors import ModelError

Floats = npt.NDArray[np.float32]

_TABLE_MAGIC = 0xDB4775248B80FB57
_FOOTER_BYTES = 48
_BLOCK_TRAILER_BYTES = 5  # compression type and CRC
_DT_FLOAT = 1
# Field numbers of BundleEntryProto.
_DTYPE, _SHAPE, _OFFSET, _SIZE = 1, 2, 4, 5


def read_checkpoint(folder: Path) -> dict[str, Floats]:
    """Map the name of every float32 variable to its array (read-only, memory-mapped). Raises ModelError."""
    index = (folder / "variables.index").read_bytes()
    data = np.memmap(folder / "variables.data-00000-of-00001", dtype=np.uint8, mode="r")
    try:
        return dict(_list_floats(index, data))
    except (IndexError, struct.error, ValueError) as error:
        raise ModelError(f"{folder}: not a readable checkpoint ({error}); fetch the model again") from error


def _list_floats(
    index: bytes, data: "np.memmap[tuple[int, ...], np.dtype[np.uint8]]"
) -> Iterator[tuple[str, Floats]]:
    if struct.unpack("<Q", index[-8:])[0] != _TABLE_MAGIC:
        raise ValueError("the index does not end in a table footer")
    footer = index[-_FOOTER_BYTES:]
    at = 0
    for _ in range(2):  # the metaindex block's handle is not needed
        _, at = _read_varint(footer, at)
    for _, handle in _read_block(index, *_read_handle(footer, at)):
        for name, entry in _read_block(index, *_read_handle(handle, 0)):
            fields = dict(_read_message(entry))
            if name and fields.get(_DTYPE) == _DT_FLOAT:
                yield name.decode(), _read_array(fields, data)


def _read_array(
    fields: dict[int, int | bytes], data: "np.memmap[tuple[int, ...], np.dtype[np.uint8]]"
) -> Floats:
    shape_message, offset, size = fields.get(_SHAPE, b""), fields.get(_OFFSET, 0), fields[_SIZE]
    if not isinstance(shape_message, bytes) or not isinstance(offset, int) or not isinstance(size, int):
        raise ValueError("an entry's fields have the wrong types")
    dimensions = [
        dict(_read_message(value)).get(1, 0)
        for _, value in _read_message(shape_message)
        if isinstance(value, bytes)
    ]
    shape = tuple(dimension for dimension in dimensions if isinstance(dimension, int))
    return np.frombuffer(data, np.float32, size // 4, offset).reshape(shape)


def _read_varint(buffer: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = buffer[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _read_handle(buffer: bytes, at: int) -> tuple[int, int]:
    offset, at = _read_varint(buffer, at)
    size, _ = _read_varint(buffer, at)
    return offset, size


def _read_block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the key and value pairs of one block; keys share prefixes with the key before."""
    block = table[offset : offset + size + _BLOCK_TRAILER_BYTES]
    if block[size] != 0:
        raise ValueError("a compressed index block")
    restarts = struct.unpack("<I", block[size - 4 : size])[0]
    end, at, key = size - 4 - 4 * restarts, 0, b""
    while at < end:
        shared, at = _read_varint(block, at)
        added, at = _read_varint(block, at)
        length, at = _read_varint(block, at)
        key = key[:shared] + block[at : at + added]
        at += added
        yield key, block[at : at + length]
        at += length


def _read_message(buffer: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield field number and value of a protocol buffer message, nested messages as bytes."""
    at = 0
    while at < len(buffer):
        tag, at = _read_varint(buffer, at)
        field, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _read_varint(buffer, at)
            yield field, value
        elif wire == 2:
            length, at = _read_varint(buffer, at)
            yield field, buffer[at : at + length]
            at += length
        elif wire in (1, 5):
            width = 8 if wire == 1 else 4
            yield field, int.from_bytes(buffer[at : at + width], "little")
            at += width
        else:
            raise ValueError(f"wire type {wire}")
