"""A small writer of ONNX graphs: nodes and weights in, a checked model out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8

Shape = Sequence[int | str]
Tensors = dict[str, tuple[npt.DTypeLike, Shape]]
"""Element type and shape of named tensors; a dimension of any size has a name."""


class Graph:
    """Collects nodes; every method returns the name of the tensor it makes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}

    def weight(
        self, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float32, name: str | None = None
    ) -> str:
        """Add a constant; one that has a name is added once, however often it is asked for."""
        name = name or f"weight_{len(self._weights)}"
        if name not in self._weights:
            array = np.ascontiguousarray(np.asarray(values, dtype))
            self._weights[name] = numpy_helper.from_array(array.reshape(np.shape(values)), name)
        return name

    def add(self, operator: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        return self.add_many(operator, inputs, [output or f"{operator}_{len(self._nodes)}"], **attributes)[0]

    def add_many(
        self, operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
    ) -> Sequence[str]:
        domain = attributes.pop("domain", "")
        name = f"{operator}_{len(self._nodes)}"
        self._nodes.append(
            helper.make_node(operator, list(inputs), list(outputs), name, domain=domain, **attributes)
        )
        return outputs

    def build(self, inputs: Tensors, outputs: Tensors) -> onnx.ModelProto:
        graph = helper.make_graph(
            self._nodes, self._name, _describe(inputs), _describe(outputs), list(self._weights.values())
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        return model


def _describe(tensors: Tensors) -> list[onnx.ValueInfoProto]:
    kinds = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int64): TensorProto.INT64}
    return [
        helper.make_tensor_value_info(name, kinds[np.dtype(dtype)], list(shape))
        for name, (dtype, shape) in tensors.items()
    ]
