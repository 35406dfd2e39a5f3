"""The transformer decoder as two ONNX graphs: `cross`, once an image, and `step`, once a token of all slots.

Upstream runs the decoder over the whole prefix for every token. Here the keys and values of earlier tokens
are inputs, kept by `decode.py`; a step returns only those of its own token, so nothing old is copied. Facts
of this model: token embeddings carry no position; positions are added to the projected queries and keys of
every layer, never to values; the keys of the image take a two-dimensional one. Scores are divided by
sqrt(64); normalisation comes after the residual sum; a token `<pad>` is masked as a key from its own step
on.
"""

import numpy as np
import numpy.typing as npt
import onnx

from worker.decimer.model.architecture import (
    FEATURE_WIDTH,
    FEATURES,
    HEAD_WIDTH,
    HEADS,
    LAYERS,
    MOST_STEPS,
    cross_shape,
)
from worker.decimer.model.checkpoint import Floats
from worker.decimer.model.graph import Graph, Tensors

WIDTH = HEADS * HEAD_WIDTH
LAYER_NORM_EPSILON = 1e-6

_NAME = "DECIMER/transformer/variables/{}/.ATTRIBUTES/VARIABLE_VALUE"


def _with_biases(*names: str) -> list[str]:
    return [name + suffix for name in names for suffix in ("", "_bias")]


_LAYER_VARIABLES = (
    *_with_biases("query", "key", "value", "out"),
    *_with_biases("cross_query", "cross_key", "cross_value", "cross_out"),
    *_with_biases("inner", "outer"),
    *(f"norm{number}_{part}" for number in (1, 2, 3) for part in ("scale", "shift")),
)


class DecoderWeights:
    """The decoder's variables: the embedding, then 26 of each layer, then the output layer."""

    def __init__(self, variables: dict[str, Floats]) -> None:
        count = 1 + LAYERS * len(_LAYER_VARIABLES) + 2
        numbered = [variables[_NAME.format(number)] for number in range(count)]
        self.embedding = numbered[0]
        self.output, self.output_bias = numbered[-2:]
        size = len(_LAYER_VARIABLES)
        self.layers = [
            dict(zip(_LAYER_VARIABLES, numbered[1 + size * layer :][:size], strict=True))
            for layer in range(LAYERS)
        ]


def _waves(positions: npt.NDArray[np.int64], width: int) -> Floats:
    columns = np.arange(width)[None]
    angles = positions[:, None] / np.power(10000, (2 * (columns // 2)) / np.float32(width))
    angles[:, 0::2] = np.sin(angles[:, 0::2])
    angles[:, 1::2] = np.cos(angles[:, 1::2])
    return angles.astype(np.float32)


def text_positions() -> Floats:
    """(MOST_STEPS, WIDTH) sines and cosines ("Attention is all you need", section 3.5)."""
    return _waves(np.arange(MOST_STEPS), WIDTH)


def image_positions() -> Floats:
    """(FEATURES, FEATURE_WIDTH): the row's waves, then the column's."""
    side = int(np.sqrt(FEATURES))
    rows, columns = np.divmod(np.arange(FEATURES), side)
    return np.concatenate([_waves(axis, FEATURE_WIDTH // 2) for axis in (rows, columns)], axis=1)


def build_cross(weights: DecoderWeights) -> onnx.ModelProto:
    """`features` (1, FEATURES, FEATURE_WIDTH) to the keys and values of every layer.

    `cross_key_L` is (1, HEADS, HEAD_WIDTH, FEATURES), `cross_value_L` (1, HEADS, FEATURES, HEAD_WIDTH).
    """
    graph = Graph("cross")
    split = graph.weight([0, FEATURES, HEADS, HEAD_WIDTH], np.int64)
    outputs: Tensors = {}
    for number, layer in enumerate(weights.layers):
        for what, bias, axes in (
            ("key", layer["cross_key_bias"] + image_positions(), [0, 2, 3, 1]),
            ("value", layer["cross_value_bias"], [0, 2, 1, 3]),
        ):
            projected = graph.add("MatMul", ["features", graph.weight(layer[f"cross_{what}"])])
            heads = graph.add("Reshape", [graph.add("Add", [projected, graph.weight(bias)]), split])
            graph.add("Transpose", [heads], f"cross_{what}_{number}", perm=axes)
            outputs[f"cross_{what}_{number}"] = (np.float32, cross_shape(what, 1))
    return graph.build({"features": (np.float32, (1, FEATURES, FEATURE_WIDTH))}, outputs)


def build_step(weights: DecoderWeights) -> onnx.ModelProto:
    """One token further in every slot.

    In: `token` and `position` (slots), int64; `mask` (slots, 1, 1, room + 1), added to the scores of the
    `room` earlier tokens and of this one; `key_L` and `value_L` (slots, HEADS, room, HEAD_WIDTH);
    `cross_key_L` and `cross_value_L` as `cross` makes them. Out: `next` (slots), int64; `confidence`
    (slots); `new_key_L`, `new_value_L` (slots, HEADS, 1, HEAD_WIDTH).
    """
    builder = _StepBuilder(weights)
    x = builder.embed()
    for number, layer in enumerate(weights.layers):
        x = builder.add_layer(x, number, layer)
    builder.choose(x)
    return builder.build()


class _StepBuilder:
    def __init__(self, weights: DecoderWeights) -> None:
        self._graph = Graph("step")
        self._weights = weights
        self._scale = np.float32(1 / np.sqrt(HEAD_WIDTH))

    def embed(self) -> str:
        graph = self._graph
        embedding = graph.weight(self._weights.embedding * np.sqrt(np.float32(WIDTH)))
        self._position = graph.add("Gather", [graph.weight(text_positions()), "position"])
        self._scaled_position = graph.add("Mul", [self._position, graph.weight(self._scale)])
        return graph.add("Gather", [embedding, "token"])

    def add_layer(self, x: str, number: int, layer: dict[str, Floats]) -> str:
        attended = self._attend_to_text(x, number, layer)
        x = self._normalise(attended, x, layer, 1)
        attended = self._attend_to_image(x, number, layer)
        x = self._normalise(attended, x, layer, 2)
        inner = self._graph.add("Relu", [self._project(x, layer["inner"], layer["inner_bias"])])
        return self._normalise(self._project(inner, layer["outer"], layer["outer_bias"]), x, layer, 3)

    def _attend_to_text(self, x: str, number: int, layer: dict[str, Floats]) -> str:
        graph = self._graph
        joined = self._project(
            x,
            np.concatenate([layer["query"] * self._scale, layer["key"], layer["value"]], axis=1),
            np.concatenate([layer["query_bias"] * self._scale, layer["key_bias"], layer["value_bias"]]),
        )
        parts = [f"{name}_{number}" for name in ("q", "k", "v")]
        sizes = graph.weight([WIDTH] * 3, np.int64, "sizes")
        query, key, value = graph.add_many("Split", [joined, sizes], parts, axis=-1)
        query = self._heads(graph.add("Add", [query, self._scaled_position]))
        key = self._heads(graph.add("Add", [key, self._position]), f"new_key_{number}")
        value = self._heads(value, f"new_value_{number}")
        earlier = graph.add("MatMul", [query, self._turn(f"key_{number}")])
        own = graph.add("MatMul", [query, self._turn(key)])
        scores = graph.add("Concat", [earlier, own], axis=-1)
        shares = graph.add("Softmax", [graph.add("Add", [scores, "mask"])], axis=-1)
        to_earlier = graph.add("Slice", [shares, *self._span(0, -1)])
        to_own = graph.add("Slice", [shares, *self._span(-1, 2**31)])
        mixed = graph.add(
            "Add",
            [graph.add("MatMul", [to_earlier, f"value_{number}"]), graph.add("Mul", [to_own, value])],
        )
        return self._project(self._join(mixed), layer["out"], layer["out_bias"])

    def _attend_to_image(self, x: str, number: int, layer: dict[str, Floats]) -> str:
        graph = self._graph
        query = self._project(x, layer["cross_query"] * self._scale, layer["cross_query_bias"] * self._scale)
        query = self._heads(graph.add("Add", [query, self._scaled_position]))
        shares = graph.add("Softmax", [graph.add("MatMul", [query, f"cross_key_{number}"])], axis=-1)
        mixed = graph.add("MatMul", [shares, f"cross_value_{number}"])
        return self._project(self._join(mixed), layer["cross_out"], layer["cross_out_bias"])

    def choose(self, x: str) -> None:
        graph = self._graph
        logits = self._project(x, self._weights.output, self._weights.output_bias)
        shares = graph.add("Softmax", [logits], axis=-1)
        graph.add("ArgMax", [shares], "next", axis=1, keepdims=0)
        graph.add("ReduceMax", [shares], "confidence", axes=[1], keepdims=0)

    def build(self) -> onnx.ModelProto:
        inputs: Tensors = {"token": (np.int64, ("slots",)), "position": (np.int64, ("slots",))}
        kept = ("slots", HEADS, "room", HEAD_WIDTH)
        new = ("slots", HEADS, 1, HEAD_WIDTH)
        outputs: Tensors = {"next": (np.int64, ("slots",)), "confidence": (np.float32, ("slots",))}
        inputs |= {"mask": (np.float32, ("slots", 1, 1, "room_and_own"))}
        for number in range(LAYERS):
            for what in ("key", "value"):
                inputs[f"{what}_{number}"] = (np.float32, kept)
                inputs[f"cross_{what}_{number}"] = (np.float32, ("slots", *cross_shape(what, 1)[1:]))
                outputs[f"new_{what}_{number}"] = (np.float32, new)
        return self._graph.build(inputs, outputs)

    def _project(self, x: str, matrix: Floats, bias: Floats) -> str:
        product = self._graph.add("MatMul", [x, self._graph.weight(matrix)])
        return self._graph.add("Add", [product, self._graph.weight(bias)])

    def _normalise(self, x: str, residual: str, layer: dict[str, Floats], which: int) -> str:
        total = self._graph.add("Add", [x, residual])
        scale, shift = (self._graph.weight(layer[f"norm{which}_{part}"]) for part in ("scale", "shift"))
        return self._graph.add(
            "LayerNormalization", [total, scale, shift], axis=-1, epsilon=LAYER_NORM_EPSILON
        )

    def _heads(self, x: str, output: str | None = None) -> str:
        shape = self._graph.weight([0, HEADS, 1, HEAD_WIDTH], np.int64, "heads")
        return self._graph.add("Reshape", [x, shape], output)

    def _join(self, x: str) -> str:
        return self._graph.add("Reshape", [x, self._graph.weight([0, WIDTH], np.int64, "joined")])

    def _turn(self, x: str) -> str:
        return self._graph.add("Transpose", [x], perm=[0, 1, 3, 2])

    def _span(self, first: int, last: int) -> list[str]:
        return [self._graph.weight([value], np.int64, f"int_{value}") for value in (first, last, -1)]
