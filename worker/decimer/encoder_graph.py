"""The image encoder (EfficientNetV2-M without its head) as ONNX graphs.

It is cut into parts: the early ones are plain convolutions, so `encode.py` can run them on the drawn part of
a page alone; `late`, from the first squeeze-and-excitation block on, sees the whole page. Batch
normalisation is folded into the convolutions; padding is TensorFlow's "SAME".
"""

from collections.abc import Iterator

import numpy as np
import onnx

from worker.decimer.architecture import FEATURE_WIDTH, FEATURES, LATE_PART, Block, Part, list_blocks
from worker.decimer.checkpoint import Floats
from worker.decimer.graph import Graph

BATCH_NORM_EPSILON = 1e-3

_NAME = "DECIMER/encoder/variables/{}/.ATTRIBUTES/VARIABLE_VALUE"


class EncoderWeights:
    """The encoder's variables in the checkpoint's order: trained, then averages, then the stem."""

    def __init__(self, variables: dict[str, Floats]) -> None:
        numbered = (variables[_NAME.format(number)] for number in range(len(variables)))
        blocks = list_blocks()
        self.trained = [_take(numbered, block.variables[0]) for block in blocks]
        self.averages = [_take(numbered, block.variables[1]) for block in blocks]
        self.stem = _take(numbered, 5)


def _take(values: Iterator[Floats], count: int) -> list[Floats]:
    return [next(values) for _ in range(count)]


def build_part(weights: EncoderWeights, part: Part) -> onnx.ModelProto:
    """`input` (1, C, H, W) to `output` (1, C', H', W'); of the late part, (1, FEATURES, FEATURE_WIDTH)."""
    builder = _EncoderBuilder(part.name)
    blocks = list_blocks()
    chosen = range(*part.blocks.indices(len(blocks)))
    width_in = 3 if part.stem else blocks[chosen[0]].channels_in
    x = "input"
    if part.stem:
        x = builder.silu(builder.convolve(x, *_fold(weights.stem[0], *weights.stem[1:]), stride=2))
    for number in chosen:
        x = builder.add_block(x, blocks[number], weights.trained[number], weights.averages[number])
    if part != LATE_PART:
        return builder.finish(x, width_in, blocks[chosen[-1]].channels_out)
    return builder.finish_features(x, width_in)


def _fold(
    kernel: Floats, scale: Floats, shift: Floats, mean: Floats, variance: Floats, *, depthwise: bool = False
) -> tuple[Floats, Floats]:
    """Kernel (H, W, in, out) and bias of a convolution that does the batch normalisation after it as well."""
    factor = scale.astype(np.float64) / np.sqrt(variance.astype(np.float64) + BATCH_NORM_EPSILON)
    folded = kernel * (factor[:, None] if depthwise else factor)
    return folded.astype(np.float32), (shift - mean * factor).astype(np.float32)


class _EncoderBuilder:
    def __init__(self, name: str) -> None:
        self._graph = Graph(name)

    def convolve(
        self, x: str, kernel: Floats, bias: Floats, *, stride: int = 1, depthwise: bool = False
    ) -> str:
        side = kernel.shape[0]
        # TensorFlow's SAME on an even size: stride 2 pads nothing before and one after.
        before, after = ((side - 1) // 2, side // 2) if stride == 1 else (0, max(side - stride, 0))
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

    def add_block(self, x: str, block: Block, trained: list[Floats], averages: list[Floats]) -> str:
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
        if block.stride == 1 and block.channels_in == block.channels_out:
            y = self._graph.add("Add", [y, x])
        return y

    def _squeeze_and_excite(
        self, x: str, reduce: Floats, reduce_bias: Floats, expand: Floats, expand_bias: Floats
    ) -> str:
        pooled = self._graph.add("GlobalAveragePool", [x])
        hidden = self.silu(self.convolve(pooled, reduce, reduce_bias))
        gate = self._graph.add("Sigmoid", [self.convolve(hidden, expand, expand_bias)])
        return self._graph.add("Mul", [x, gate])

    def finish(self, x: str, width_in: int, width_out: int) -> onnx.ModelProto:
        self._graph.add("Identity", [x], "output")
        return self._graph.build(
            {"input": (np.float32, (1, width_in, "height", "width"))},
            {"output": (np.float32, (1, width_out, "height_out", "width_out"))},
        )

    def finish_features(self, x: str, width_in: int) -> onnx.ModelProto:
        shape = self._graph.weight([0, FEATURE_WIDTH, -1], np.int64)
        flat = self._graph.add("Reshape", [x, shape])
        self._graph.add("Transpose", [flat], "output", perm=[0, 2, 1])
        return self._graph.build(
            {"input": (np.float32, (1, width_in, 64, 64))},
            {"output": (np.float32, (1, FEATURES, FEATURE_WIDTH))},
        )
