"""The one module that imports ONNX Runtime: opening graphs, and preparing them for this machine."""

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

Floats = npt.NDArray[np.float32]

RUNTIME = f"onnxruntime-{ort.__version__}"


class Binding(Protocol):
    """Arrays bound in place to a graph's inputs and outputs; they must outlive it."""

    def bind_input(
        self,
        name: str,
        device_type: str,
        device_id: int,
        element_type: object,
        shape: object,
        buffer_ptr: int,
    ) -> None: ...
    def bind_output(
        self,
        name: str,
        device_type: str,
        device_id: int,
        element_type: object,
        shape: object,
        buffer_ptr: int,
    ) -> None: ...


class Session(Protocol):
    """What is used of onnxruntime.InferenceSession, which has no types."""

    def run(self, outputs: list[str], inputs: dict[str, Floats]) -> list[Floats]: ...
    def io_binding(self) -> Binding: ...
    def run_with_iobinding(self, binding: Binding) -> None: ...


_ARENA_BYTES = 32 << 20  # what the encoder needs at a time; taken from the system as it is touched
_GROW_AS_ASKED = 1  # not by powers of two


def _share_arena() -> None:
    """One arena for the buffers of all sessions.

    Without it they come from malloc, aligned, and so seldom fit where the last one was: the heap grows by
    some 10 MB an image, and giving it back after every image costs more than 10 000 page faults.
    """
    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    arena = ort.OrtArenaCfg(
        {
            "max_mem": 0,
            "arena_extend_strategy": _GROW_AS_ASKED,
            "initial_chunk_size_bytes": _ARENA_BYTES,
            "max_dead_bytes_per_chunk": -1,
        }
    )
    ort.create_and_register_allocator(memory, arena)


_share_arena()


def open_session(path: Path) -> Session:
    """Open a graph for one thread at a time and core; several Python threads may share it."""
    options = _options()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # done when it was prepared
    options.add_session_config_entry("session.use_env_allocators", "1")
    session: Session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session


def write_prepared(source: Path, target: Path) -> None:
    """Optimise `source` for this CPU; its weights, as the kernels want them, will be memory-mapped."""
    options = _options()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.optimized_model_filepath = str(target)
    entry = options.add_session_config_entry
    entry("session.optimized_model_external_initializers_file_name", f"{target.stem}.bin")
    entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
    entry("session.save_external_prepacked_constant_initializers", "1")
    ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


def _options() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options
