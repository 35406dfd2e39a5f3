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

    @property
    def residual(self) -> bool:
        """Whether its input is added to its result."""
        return self.stride == 1 and self.channels_in == self.channels_out


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
STEM = Block("fused", 2, 1, 3, 24)  # a convolution like a fused block that does not expand
EARLY_BLOCKS = 13  # those before the first squeeze-and-excitation

# The files of a converted model: NAME.onnx and NAME.bin of each graph, and the tokens.
EARLY_GRAPHS = tuple(f"early{number:02}" for number in range(1 + EARLY_BLOCKS))
PREPARED_GRAPHS = (*EARLY_GRAPHS, "late", "cross", "step")
EARLY_PAGE = "early"  # all early blocks on a whole page, for the fast mode
VOCABULARY = "vocabulary.json"
CONVERSION = 2  # count up when the graphs change, so that converted models are made anew


def list_blocks() -> list[Block]:
    blocks: list[Block] = []
    for kind, count, stride, expansion, channels_in, channels_out in STAGES:
        for number in range(count):
            first = number == 0
            width = channels_in if first else channels_out
            blocks.append(Block(kind, stride if first else 1, expansion, width, channels_out))  # type: ignore[arg-type]
    return blocks


def list_early() -> list[Block]:
    """The stem and the blocks that see only a pixel's neighbourhood."""
    return [STEM, *list_blocks()[:EARLY_BLOCKS]]


def cross_shape(what: str, slots: int) -> tuple[int, int, int, int]:
    """Shape of one layer's "key" or "value" of the image, for so many slots."""
    if what == "key":
        return slots, HEADS, HEAD_WIDTH, FEATURES
    return slots, HEADS, FEATURES, HEAD_WIDTH
