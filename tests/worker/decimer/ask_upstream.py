"""Ask upstream's own DECIMER about images: this made `upstream*.json` under tests/data/decimer/.

Run it where upstream is installed (extra `upstream`), not in the environment of the tests:

    python tests/worker/decimer/ask_upstream.py ANSWERS.json FILE...

An answers file that exists is added to, so an interrupted run goes on where it stopped. Each entry holds
upstream's token ids, its confidences and SMILES, the SHA-256 of its preprocessed tensor (float32, 512 x 512
x 3) and of the image's decoded pixels; or `error` if upstream raises.
"""

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import numpy as np
import tensorflow as tf
from DECIMER import decimer, pre_process, utils
from PIL import Image
from pillow_heif import register_heif_opener


def hash_pixels(path: Path) -> str:
    with Image.open(path) as image:
        head = f"{image.mode} {image.size} ".encode()
        return hashlib.sha256(head + image.tobytes()).hexdigest()


def ask(path: Path) -> dict[str, Any]:
    try:
        tensor = pre_process.decode_image(str(path))
    except Exception as error:  # noqa: BLE001 - whatever upstream raises is its answer
        return {"error": f"{type(error).__name__}: {error}"}
    tokens, confidences = decimer.DECIMER_V2(tf.constant(tensor))
    return {
        "smiles": utils.decoder(decimer.detokenize_output(tokens)),
        "tokens": tokens[0].numpy().tolist(),
        "confidence": [round(float(value), 6) for value in confidences.numpy().ravel()],
        "tensor_sha256": hashlib.sha256(np.asarray(tensor).tobytes()).hexdigest(),
        "pixels_sha256": hash_pixels(path),
    }


def main(answers_path: Path, images: list[Path]) -> None:
    register_heif_opener()
    answers = json.loads(answers_path.read_text()) if answers_path.exists() else {}
    for image in images:
        if image.name in answers:
            continue
        answers[image.name] = ask(image)
        print(image.name, answers[image.name].get("smiles", answers[image.name]), flush=True)
        lines = [f"{json.dumps(name)}: {json.dumps(answers[name])}" for name in sorted(answers)]
        partial = answers_path.with_suffix(".partial")
        partial.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        partial.replace(answers_path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
