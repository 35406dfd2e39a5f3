"""What DECIMER's model is made of: EfficientNetV2-M without its head, then a transformer of six layers."""

from dataclasses import dataclass
from typing import Literal

IMAGE_SIDE = 512
FEATURES, FEATURE_WIDTH = 256, 512
LAYERS = 6
HEADS, HEAD_WIDTH = 8, 64
MOST_STEPS = 302  # upstream's limit


@dataclass(frozen=True, slots=True)
class Block:
    """One residual block: fused (3 x 3, then 1 x 1 where it expands) or mbconv (squeeze-and-excitation)."""

    kind: Literal["fused", "mbconv"]
    stride: int
    expansion: int
    channels_in: int
    channels_out: int

    @property
    def variables(self) -> tuple[int, int]:
        """How many trained variables and moving averages the checkpoint holds for it."""
        if self.kind == "mbconv":
            return 13, 6
        return (3, 2) if self.expansion == 1 else (6, 4)


@dataclass(frozen=True, slots=True)
class Part:
    """A run of blocks that makes one graph; `stem` is the convolution before the first block."""

    name: str
    blocks: slice
    stem: bool = False


STAGES = (
    # kind, blocks, stride of the first, expansion, channels in, channels out
    ("fused", 3, 1, 1, 24, 24),
    ("fused", 5, 2, 4, 24, 48),
    ("fused", 5, 2, 4, 48, 80),
    ("mbconv", 7, 2, 4, 80, 160),
    ("mbconv", 14, 1, 6, 160, 176),
    ("mbconv", 18, 2, 6, 176, 304),
    ("mbconv", 5, 1, 6, 304, 512),
)
# Short parts grow less around the drawing, more parts cost more copying: this cut was the fastest.
EARLY_PARTS = (
    Part("early0", slice(0, 3), stem=True),
    Part("early1", slice(3, 6)),
    Part("early2", slice(6, 8)),
    Part("early3", slice(8, 11)),
    Part("early4", slice(11, 13)),
)
LATE_PART = Part("late", slice(13, 57))

# The files of a converted model: NAME.onnx and NAME.bin of each graph, and the tokens.
GRAPHS = (*(part.name for part in EARLY_PARTS), LATE_PART.name, "cross", "step")
VOCABULARY = "vocabulary.json"
CONVERSION = 1  # count up when the graphs change, so that converted models are made anew


def list_blocks() -> list[Block]:
    blocks: list[Block] = []
    for kind, count, stride, expansion, channels_in, channels_out in STAGES:
        for number in range(count):
            first = number == 0
            width = channels_in if first else channels_out
            blocks.append(Block(kind, stride if first else 1, expansion, width, channels_out))  # type: ignore[arg-type]
    return blocks


def cross_shape(what: str, slots: int) -> tuple[int, int, int, int]:
    """Shape of one layer's "key" or "value" of the image, for so many slots."""
    if what == "key":
        return slots, HEADS, HEAD_WIDTH, FEATURES
    return slots, HEADS, FEATURES, HEAD_WIDTH
