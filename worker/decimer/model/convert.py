"""Turn upstream's SavedModel into ONNX graphs and a list of tokens, without TensorFlow."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import onnx

from worker.decimer.errors import ModelError
from worker.decimer.model.architecture import EARLY_GRAPHS, EARLY_PAGE, VOCABULARY
from worker.decimer.model.checkpoint import read_checkpoint
from worker.decimer.model.decoder_graph import DecoderWeights, build_cross, build_step
from worker.decimer.model.encoder_graph import EncoderWeights, build_early, build_early_page, build_late


def convert(saved_model: Path, words: Sequence[str], target: Path, progress: Callable[[str], None]) -> None:
    """Write every graph as NAME.onnx with NAME.bin beside it, and VOCABULARY, into the empty `target`."""
    variables = read_checkpoint(saved_model / "variables")
    encoder = {name: value for name, value in variables.items() if name.startswith("DECIMER/encoder/")}
    try:
        encoder_weights, decoder_weights = EncoderWeights(encoder), DecoderWeights(variables)
        if decoder_weights.output.shape[1] != len(words):
            raise ModelError(
                f"{saved_model}: the decoder knows {decoder_weights.output.shape[1]} tokens, not {len(words)}"
            )
        progress("converting encoder")
        for name, weighted in zip(EARLY_GRAPHS, encoder_weights.early, strict=True):
            _write(build_early(weighted, name), target, name)
        _write(build_early_page(encoder_weights, EARLY_PAGE), target, EARLY_PAGE)
        _write(build_late(encoder_weights, "late"), target, "late")
        progress("converting decoder")
        _write(build_cross(decoder_weights), target, "cross")
        _write(build_step(decoder_weights), target, "step")
    except (KeyError, StopIteration, ValueError) as error:
        raise ModelError(
            f"{saved_model}: not a DECIMER model of the known architecture ({error!r})"
        ) from error
    (target / VOCABULARY).write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")


def _write(model: onnx.ModelProto, folder: Path, name: str) -> None:
    onnx.save_model(
        model,
        str(folder / f"{name}.onnx"),
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=f"{name}.bin",
        size_threshold=1024,
        convert_attribute=False,
    )
    (folder / f"{name}.bin").chmod(0o644)  # other users' workers map it, too
