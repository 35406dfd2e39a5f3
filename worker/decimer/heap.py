"""Buffers that live beside the runtime's own arena."""

import math
import mmap
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def map_zeros(shape: Sequence[int]) -> npt.NDArray[np.float32]:
    """An array outside the heap: long-lived buffers of many sizes would leave gaps in it."""
    size = math.prod(shape)
    if size == 0:
        return np.zeros(shape, np.float32)
    return np.frombuffer(mmap.mmap(-1, 4 * size), np.float32).reshape(shape)
