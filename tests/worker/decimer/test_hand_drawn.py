"""The hand-drawn model's path, with made-up weights of the same architecture: the real are no package."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.worker.decimer.kept import get_test_model
from tests.worker.decimer.synthetic import list_shapes, write_index, write_zip
from worker.decimer import open_recogniser
from worker.decimer.errors import ModelError
from worker.decimer.model.archive import DATA, INDEX, open_archive
from worker.decimer.model.checkpoint import read_checkpoint
from worker.decimer.model.encoder_graph import EncoderWeights
from worker.decimer.model.make_model import get_model
from worker.decimer.model.store import Model, ModelSource
from worker.recognition import SourceImage
from worker.settings import read_settings


def test_a_checkpoint_is_read_back(tmp_path: Path) -> None:
    shapes = [("b/c", (2, 3)), ("a", (4,)), ("b/d", (1, 1, 2))]
    write_index(tmp_path / "variables.index", shapes)
    np.arange(12, dtype=np.float32).tofile(tmp_path / "variables.data-00000-of-00001")
    read = read_checkpoint(tmp_path)
    assert {name: value.shape for name, value in read.items()} == dict(shapes)
    assert read["a"].tolist() == [0, 1, 2, 3]
    assert read["b/d"].tolist() == [[[10, 11]]]


def test_a_cut_or_strange_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "variables.data-00000-of-00001").write_bytes(b"\0" * 100)
    for content in (b"", b"text" * 40):
        (tmp_path / "variables.index").write_bytes(content)
        with pytest.raises(ModelError, match="not a readable checkpoint"):
            read_checkpoint(tmp_path)
    write_index(tmp_path / "variables.index", [("a", (1000,))])
    with pytest.raises(ModelError, match="not a readable checkpoint"):
        read_checkpoint(tmp_path)


def test_the_architecture_has_the_checkpoints_956_and_159_variables() -> None:
    shapes = dict(list_shapes())
    encoder = {name: np.zeros(1, np.float32) for name in shapes if "/encoder/" in name}
    assert len(encoder) == 956
    assert len(shapes) - len(encoder) == 159
    assert sum(np.prod(shape) for shape in shapes.values()) == 77_874_000
    EncoderWeights(encoder)


def test_a_zip_needs_no_tokenizer_and_may_hold_no_path_of_its_own_choice(tmp_path: Path) -> None:
    path = tmp_path / "hand.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"../../../{INDEX}", b"elsewhere")
        archive.writestr(f"DECIMER_HandDrawn_model/{INDEX}", b"index")
        archive.writestr(f"DECIMER_HandDrawn_model/{DATA}", b"data")
    scratch = tmp_path / "scratch"
    saved = open_archive(path, scratch, hand_drawn=True)
    assert (saved.folder / INDEX).read_bytes() == b"index"
    assert sorted(file.relative_to(scratch).as_posix() for file in scratch.rglob("v*/*")) == [DATA, INDEX]
    with pytest.raises(ModelError, match=r"tokenizer_SMILES\.pkl is in it 0 times"):
        open_archive(path, scratch, hand_drawn=False)


def test_other_weights_are_not_taken_for_the_printed_model(tmp_path: Path) -> None:
    folder = tmp_path / "DECIMER_model"
    for name in (INDEX, DATA, "assets/tokenizer_SMILES.pkl"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"other")
    for path in (folder, tmp_path):
        with pytest.raises(ModelError, match=r"has SHA-256 .*, not fa16b7e712c18af6"):
            open_archive(path, tmp_path, hand_drawn=False)


@pytest.mark.soak
def test_a_whole_archive_is_converted_and_recognises(
    model: Model, drawings: list[Path], tmp_path: Path
) -> None:
    write_zip(tmp_path / "DECIMER_HandDrawn_model.zip", tmp_path)
    models = tmp_path / "models"
    models.mkdir()
    (models / get_test_model().folder.name).symlink_to(model.folder)
    archive = tmp_path / "DECIMER_HandDrawn_model.zip"
    made = get_model(ModelSource(models, hand_drawn=True, archive=archive), lambda *_: None)
    assert made.version.startswith("decimer-hand-drawn-")
    chosen = {"hand_drawn": True, "model_dir": models, "decimer_slots": 2}
    recogniser = open_recogniser(read_settings().model_copy(update=chosen))
    assert recogniser.model == made.version
    answers = list(recogniser.recognise(SourceImage(path.name, path) for path in drawings[:2]))
    assert all(answer.error is None and answer.tokens for answer in answers)
