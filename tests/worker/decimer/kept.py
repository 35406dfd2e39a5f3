"""Images whose upstream answers are kept: drawings, their variants (made anew), files of other formats."""

import json
from dataclasses import dataclass
from pathlib import Path

from tests.services.needs import need
from tests.worker.decimer.variants import hash_pixels, write_variants
from worker.decimer.model.make_model import get_model
from worker.decimer.model.store import Model, ModelSource
from worker.decimer.vocabulary import END, Vocabulary
from worker.settings import default_model_dir

DATA = Path(__file__).parents[2] / "data/decimer"
DRAWINGS, FORMATS = DATA / "drawings", DATA / "formats"


@dataclass(frozen=True, slots=True)
class Kept:
    """An image and upstream's answer: token texts without start and end, each with its confidence."""

    path: Path
    smiles: str
    texts: tuple[str, ...]
    confidences: tuple[float, ...]
    truncated: bool
    tensor_sha256: str


def get_test_model() -> Model:
    """The converted model in the user's cache, fetched if it is not there. Raises ModelError."""
    need("decimer")
    return get_model(ModelSource(default_model_dir(), hand_drawn=False, archive=None), lambda *_: None)


def read_kept(folder: Path) -> list[Kept]:
    """All of them; variants are made in `folder`, and must come out with the pixels upstream was shown."""
    drawings = sorted(DRAWINGS.glob("*.png"))
    variants = folder / "variants"
    variants.mkdir(exist_ok=True)
    vocabulary = Vocabulary.read(get_test_model().vocabulary)
    kept = []
    for answers, paths in (
        ("upstream_drawings.json", drawings),
        ("upstream_variants.json", write_variants(drawings, variants)),
        ("upstream_formats.json", sorted(FORMATS.iterdir())),
    ):
        entries = json.loads((DATA / answers).read_text(encoding="utf-8"))
        assert {path.name for path in paths} == entries.keys()
        kept += [_read_entry(path, entries[path.name], vocabulary) for path in paths]
    return kept


def _read_entry(path: Path, entry: dict[str, object], vocabulary: Vocabulary) -> Kept:
    assert hash_pixels(path) == entry["pixels_sha256"], f"{path.name} is not the image upstream was shown"
    ids, values = entry["tokens"], entry["confidence"]
    assert isinstance(ids, list)
    assert isinstance(values, list)
    truncated = ids[-1] != END
    inner = slice(1, None if truncated else -1)
    return Kept(
        path,
        str(entry["smiles"]),
        vocabulary.texts(ids[inner]),
        tuple(values[inner]),
        truncated,
        str(entry["tensor_sha256"]),
    )
