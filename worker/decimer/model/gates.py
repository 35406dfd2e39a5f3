"""Spare the late encoder the reordering around its gates.

ONNX Runtime keeps the channels of a page in blocks, as its convolutions want them, but multiplies by the
gates of squeeze-and-excitation in the plain order: each page is reordered, multiplied, and reordered again. A
gate is one factor for each channel, so a depthwise convolution of one pixel that has the gate for its weights
does the same in place, to the bit.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

BLOCKED = "com.microsoft.nchwc"


def keep_gates_blocked(path: Path) -> int:
    """Rewrite the prepared graph's gates; returns how many there were (none where nothing is blocked)."""
    model = onnx.load(str(path), load_external_data=False)
    graph = model.graph
    makers = {output: node for node in graph.node for output in node.output}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)

    def reordered(name: str) -> onnx.NodeProto | None:
        maker = makers.get(name)
        return maker if maker is not None and maker.op_type == "ReorderOutput" else None

    replaced: dict[str, list[onnx.NodeProto]] = {}
    dropped: set[str] = set()
    for node in graph.node:
        if node.op_type != "Mul":
            continue
        page, gate = (reordered(name) for name in node.input)
        after = readers.get(node.output[0], [])
        if page is None or gate is None or [reader.op_type for reader in after] != ["ReorderInput"]:
            continue
        channels = next(attribute.i for attribute in page.attribute if attribute.name == "channels")
        replaced[node.name] = _gate(node.name, channels, page.input[0], gate.input[0], after[0].output[0])
        dropped |= {page.name, gate.name, after[0].name}
        shape = np.array([channels, 1, 1, 1], np.int64)
        graph.initializer.append(numpy_helper.from_array(shape, f"{node.name}_shape"))
    nodes = [
        new for node in graph.node if node.name not in dropped for new in replaced.get(node.name, [node])
    ]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save_model(model, str(path))
    return len(replaced)


def _gate(name: str, channels: int, page: str, gate: str, output: str) -> list[onnx.NodeProto]:
    weights = f"{name}_weights"
    return [
        helper.make_node("Reshape", [gate, f"{name}_shape"], [weights], f"{name}_reshape"),
        helper.make_node(
            "Conv",
            [page, weights],
            [output],
            name,
            domain=BLOCKED,
            group=channels,
            kernel_shape=[1, 1],
            strides=[1, 1],
            pads=[0, 0, 0, 0],
            auto_pad="NOTSET",
        ),
    ]
