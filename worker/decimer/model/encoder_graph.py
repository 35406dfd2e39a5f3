"""The image encoder (EfficientNetV2-M without its head) as ONNX graphs.

Its early blocks are plain convolutions, each a graph of its own that `encode.py` runs on the drawn parts of a
page alone; `late`, from the first squeeze-and-excitation block on, sees the whole page. Batch normalisation
is folded into the convolutions; padding is TensorFlow's "SAME".
"""

from collections.abc import Iterator, Sequence

import numpy as np
import onnx

from worker.decimer.model.architecture import EARLY_BLOCKS, FEATURE_WIDTH, FEATURES, STEM, Block, list_blocks
from worker.decimer.model.checkpoint import Floats
from worker.decimer.model.graph import Graph

BATCH_NORM_EPSILON = 1e-3

_NAME = "DECIMER/encoder/variables/{}/.ATTRIBUTES/VARIABLE_VALUE"


class EncoderWeights:
    """The encoder's variables, block by block, the stem before the first.

    In the checkpoint they are trained ones, then moving averages, then the stem's.
    """

    def __init__(self, variables: dict[str, Floats]) -> None:
        numbered = (variables[_NAME.format(number)] for number in range(len(variables)))
        blocks = list_blocks()
        trained = [_take(numbered, block.variables[0]) for block in blocks]
        averages = [_take(numbered, block.variables[1]) for block in blocks]
        stem = [_take(numbered, count) for count in STEM.variables]
        self.blocks = list(zip([STEM, *blocks], [stem[0], *trained], [stem[1], *averages], strict=True))

    @property
    def early(self) -> "Sequence[Weighted]":
        return self.blocks[: 1 + EARLY_BLOCKS]

    @property
    def late(self) -> "Sequence[Weighted]":
        return self.blocks[1 + EARLY_BLOCKS :]


Weighted = tuple[Block, list[Floats], list[Floats]]
"""A block with its trained variables and its moving averages."""


def _take(values: Iterator[Floats], count: int) -> list[Floats]:
    return [next(values) for _ in range(count)]


def build_early(weighted: Weighted, name: str) -> onnx.ModelProto:
    """One early block on pieces of a page: `input` (1, C, H, W) holds the neighbours that it needs as well.

    Nothing is padded, and the input is not added to the result: `encode.py` does both.
    """
    builder = _EncoderBuilder(name, padded=False)
    builder.add_block("input", *weighted, residual=False)
    return builder.finish(weighted[0].channels_in, weighted[0].channels_out)


def build_early_page(weights: EncoderWeights, name: str) -> onnx.ModelProto:
    """All early blocks on a page: `input` (1, 3, H, W) to `output` (1, C, H / 8, W / 8)."""
    builder = _EncoderBuilder(name)
    builder.add_blocks("input", weights.early)
    return builder.finish(3, weights.early[-1][0].channels_out)


def build_late(weights: EncoderWeights, name: str) -> onnx.ModelProto:
    """`input` (1, C, 64, 64), the early blocks' result, to `output` (1, FEATURES, FEATURE_WIDTH)."""
    builder = _EncoderBuilder(name)
    builder.add_blocks("input", weights.late)
    return builder.finish_features(weights.late[0][0].channels_in)


def _fold(
    kernel: Floats, scale: Floats, shift: Floats, mean: Floats, variance: Floats, *, depthwise: bool = False
) -> tuple[Floats, Floats]:
    """Kernel (H, W, in, out) and bias of a convolution that does the batch normalisation after it as well."""
    factor = scale.astype(np.float64) / np.sqrt(variance.astype(np.float64) + BATCH_NORM_EPSILON)
    folded = kernel * (factor[:, None] if depthwise else factor)
    return folded.astype(np.float32), (shift - mean * factor).astype(np.float32)


class _EncoderBuilder:
    def __init__(self, name: str, *, padded: bool = True) -> None:
        self._graph = Graph(name)
        self._padded = padded
        self._last = "input"

    def convolve(
        self, x: str, kernel: Floats, bias: Floats, *, stride: int = 1, depthwise: bool = False
    ) -> str:
        side = kernel.shape[0]
        # TensorFlow's SAME on an even size: stride 2 pads nothing before and one after.
        before, after = ((side - 1) // 2, side // 2) if stride == 1 else (0, max(side - stride, 0))
        if not self._padded:
            before = after = 0
        axes = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
        return self._graph.add(
            "Conv",
            [x, self._graph.weight(kernel.transpose(axes)), self._graph.weight(bias)],
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=kernel.shape[2] if depthwise else 1,
        )

    def silu(self, x: str) -> str:
        return self._graph.add("Mul", [x, self._graph.add("Sigmoid", [x])])

    def add_blocks(self, x: str, blocks: Sequence[Weighted]) -> None:
        for weighted in blocks:
            x = self.add_block(x, *weighted)

    def add_block(
        self, x: str, block: Block, trained: list[Floats], averages: list[Floats], *, residual: bool = True
    ) -> str:
        y = self.silu(
            self.convolve(
                x, *_fold(*trained[:3], *averages[:2]), stride=block.stride if block.kind == "fused" else 1
            )
        )
        if block.kind == "mbconv":
            depthwise = _fold(*trained[3:6], *averages[2:4], depthwise=True)
            y = self.silu(self.convolve(y, *depthwise, stride=block.stride, depthwise=True))
            y = self._squeeze_and_excite(y, *trained[6:10])
            y = self.convolve(y, *_fold(*trained[10:], *averages[4:]))
        elif block.expansion > 1:
            y = self.convolve(y, *_fold(*trained[3:], *averages[2:]))
        if residual and block.residual:
            y = self._graph.add("Add", [y, x])
        self._last = y
        return y

    def _squeeze_and_excite(
        self, x: str, reduce: Floats, reduce_bias: Floats, expand: Floats, expand_bias: Floats
    ) -> str:
        pooled = self._graph.add("GlobalAveragePool", [x])
        hidden = self.silu(self.convolve(pooled, reduce, reduce_bias))
        gate = self._graph.add("Sigmoid", [self.convolve(hidden, expand, expand_bias)])
        return self._graph.add("Mul", [x, gate])

    def finish(self, width_in: int, width_out: int) -> onnx.ModelProto:
        self._graph.add("Identity", [self._last], "output")
        return self._graph.build(
            {"input": (np.float32, (1, width_in, "height", "width"))},
            {"output": (np.float32, (1, width_out, "height_out", "width_out"))},
        )

    def finish_features(self, width_in: int) -> onnx.ModelProto:
        shape = self._graph.weight([0, FEATURE_WIDTH, -1], np.int64)
        flat = self._graph.add("Reshape", [self._last, shape])
        self._graph.add("Transpose", [flat], "output", perm=[0, 2, 1])
        return self._graph.build(
            {"input": (np.float32, (1, width_in, 64, 64))},
            {"output": (np.float32, (1, FEATURES, FEATURE_WIDTH))},
        )
