"""The decoder in numpy, over the whole prefix for every token as upstream runs it: a check of the cache.

    python -m tests.worker.decimer.whole_prefix SAVED_MODEL_FOLDER > tests/data/decimer/whole_prefix.json

made the kept file, from the variables of upstream's SavedModel, for tokens that it would hardly choose.
"""

import json
import sys
from pathlib import Path

import numpy as np

from worker.decimer.model.architecture import HEAD_WIDTH, HEADS, LAYERS
from worker.decimer.model.checkpoint import read_checkpoint
from worker.decimer.model.decoder_graph import DecoderWeights, image_positions, text_positions

DRAWING = "020_morphine_1024x768.png"
FORCED = [13, 2, 0, 6, 0, 0, 2, 3, 7]


def _normalise(x: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    mean = x.mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + 1e-6) * scale + shift


def _softmax(x: np.ndarray) -> np.ndarray:
    raised = np.exp(x - x.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def _attend(query: np.ndarray, key: np.ndarray, value: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    query, key, value = (x.reshape(-1, HEADS, HEAD_WIDTH).transpose(1, 0, 2) for x in (query, key, value))
    scores = query @ key.transpose(0, 2, 1) / np.sqrt(HEAD_WIDTH) + hidden * -1e9
    return (_softmax(scores) @ value).transpose(1, 0, 2).reshape(-1, HEADS * HEAD_WIDTH)


def read_chances(weights: DecoderWeights, features: np.ndarray, tokens: list[int]) -> np.ndarray:
    """(tokens, vocabulary): the chances of what follows each token; `features` (FEATURES, FEATURE_WIDTH)."""
    count = len(tokens)
    future = 1 - np.tril(np.ones((count, count)))
    hidden = np.maximum(future, (np.array(tokens) == 0)[None])
    x = weights.embedding[tokens] * np.sqrt(HEADS * HEAD_WIDTH)
    positions = text_positions()[:count]
    for number in range(LAYERS):
        of = weights.layers[number]

        def project(x: np.ndarray, name: str, of: dict[str, np.ndarray] = of) -> np.ndarray:
            return x @ of[name] + of[f"{name}_bias"]

        query, key = project(x, "query") + positions, project(x, "key") + positions
        mixed = project(_attend(query, key, project(x, "value"), hidden), "out")
        x = _normalise(mixed + x, of["norm1_scale"], of["norm1_shift"])
        query, key = project(x, "cross_query") + positions, project(features, "cross_key") + image_positions()
        mixed = project(_attend(query, key, project(features, "cross_value"), np.zeros(1)), "cross_out")
        x = _normalise(mixed + x, of["norm2_scale"], of["norm2_shift"])
        inner = np.maximum(project(x, "inner"), 0)
        x = _normalise(project(inner, "outer") + x, of["norm3_scale"], of["norm3_shift"])
    return _softmax(x @ weights.output + weights.output_bias)


def main(saved_model: Path) -> None:
    from tests.worker.decimer.conftest import LIMITS
    from tests.worker.decimer.kept import DRAWINGS, get_test_model
    from worker.decimer.engine import open_sessions
    from worker.decimer.images.preprocess import read_drawing
    from worker.decimer.model.make_model import get_prepared

    encoder = open_sessions(get_prepared(get_test_model(), lambda *_: None)).encoder
    features = encoder.encode(read_drawing(DRAWINGS / DRAWING, LIMITS))[0]
    chances = read_chances(DecoderWeights(read_checkpoint(saved_model / "variables")), features, FORCED)
    chosen = chances.argmax(-1).tolist()
    confidences = [round(float(value), 7) for value in chances.max(-1)]
    print(json.dumps({"drawing": DRAWING, "forced": FORCED, "chosen": chosen, "confidences": confidences}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
