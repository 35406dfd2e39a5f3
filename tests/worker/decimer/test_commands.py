"""`python -m worker recognise` and `model`, as commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.services.programs import run_program
from worker.decimer.model.store import Model

pytestmark = pytest.mark.timeout(600)  # real weights; a loaded machine


def run(*arguments: object, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **{f"WORKER_{name.upper()}": value for name, value in settings.items()}}
    if not stdin:
        return run_program("worker", *map(str, arguments), environment=environment)
    return subprocess.run(
        [sys.executable, "-m", "worker", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        env=environment,
        timeout=300,
    )


def test_recognise_prints_a_json_object_a_line_and_fails_for_a_bad_file(
    model: Model, drawings: list[Path], tmp_path: Path
) -> None:
    bad = tmp_path / "no\nimage\x1b[2J.png"
    bad.write_text("text")
    done = run(
        "recognise", "--confidence", drawings[12], bad, "-", stdin=f"{drawings[0]}\n{drawings[12]}\n\n"
    )
    answers = {line["file"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1
    assert len(answers) == 3
    assert answers[str(drawings[12])]["smiles"] == "CC(=O)OC1=CC=CC=C1C(=O)O"
    assert answers[str(drawings[12])]["precision"] == "full"
    tokens = answers[str(drawings[0])]["tokens"]
    assert [token for token, _ in tokens] == ["C", "C", "#", "C", "O"]
    assert tokens[0][1] == pytest.approx(0.706044, abs=1e-4)
    confidences = [confidence for _, confidence in tokens]
    assert answers[str(drawings[0])]["least_confidence"] == min(confidences)
    assert answers[str(drawings[0])]["mean_confidence"] == pytest.approx(sum(confidences) / 5, abs=1e-6)
    assert answers[str(drawings[0])]["notes"] == {}
    assert answers[str(bad)]["error"].startswith("NotAnImage: ")
    assert answers[str(bad)]["smiles"] is None
    assert "\x1b" not in done.stdout


def test_folders_pages_and_names_of_any_kind_are_taken(
    model: Model, drawings: list[Path], tmp_path: Path
) -> None:
    """One bad name ends nothing."""
    with Image.open(drawings[12]) as drawing, Image.open(drawings[0]) as other:
        (tmp_path / "in/below").mkdir(parents=True)
        pages = drawing.convert("L"), other.convert("L")
        pages[0].save(tmp_path / "in/below/a.tif", save_all=True, append_images=pages[1:])
        pages[0].save(tmp_path / "in/b\nc#page=2.png")
    (tmp_path / "in/notes.txt").write_text("no image")
    names = f"{tmp_path}/in/b\nc#page=2.png\0x\udcff.png\0\0{tmp_path / 'absent.png'}"
    done = run("recognise", "-0", tmp_path / "in", "a\nb.png", "-", stdin=names)
    answers = {line["file"]: line for line in map(json.loads, done.stdout.splitlines())}
    smiles = "CC(=O)OC1=CC=CC=C1C(=O)O"
    assert {Path(name).name: answer["smiles"] or answer["error"] for name, answer in answers.items()} == {
        "b\nc#page=2.png": smiles,
        "a.tif#page=1": smiles,
        "a.tif#page=2": "CC#CO",
        "a\nb.png": "MissingImage: No such file or directory",
        "x\udcff.png": "MissingImage: No such file or directory",
        "absent.png": "MissingImage: No such file or directory",
    }
    assert done.returncode == 1
    (tmp_path / "empty").mkdir()
    done = run("recognise", tmp_path / "empty")
    assert done.stderr.startswith(f"warning: no images in {tmp_path}/empty (looked for .avif .bmp ")
    assert (done.stdout, done.returncode) == ("", 0)
    done = run("recognise", "-", "--chemistry", stdin=f"a\0b.png\n{drawings[12]}\n")
    answers = {line["file"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert answers["a\0b.png"]["error"] == "MissingImage: cannot be opened (embedded null byte)"
    assert answers[str(drawings[12])]["chemistry"]["inchikey"] == "BSYNRYMUTXBXSQ-UHFFFAOYSA-N"


def test_model_info_and_verify_say_what_is_there(model: Model) -> None:
    info = run("model", "info")
    assert info.returncode == 0
    assert "decimer-fa16b7e712c1" in info.stdout
    assert str(model.folder) in info.stdout
    done = run("model", "verify")
    assert done.returncode == 0
    assert done.stdout == f"decimer-fa16b7e712c1 in {model.folder} is whole\n"


def test_without_a_model_the_next_step_is_named(tmp_path: Path) -> None:
    info = run("model", "info", model_dir=str(tmp_path))
    assert info.returncode == 1
    assert info.stdout == f"no model in {tmp_path}: run `python -m worker model fetch`\n"
    verify = run("model", "verify", model_dir=str(tmp_path))
    assert verify.returncode == 1
    assert verify.stderr == f"error: {info.stdout}"
    by_hand = run("model", "info", "--hand-drawn", model_dir=str(tmp_path))
    assert by_hand.stdout == (
        f"no model for hand-drawn structures in {tmp_path}: run `python -m worker model fetch "
        "--hand-drawn --archive DECIMER_HandDrawn_model.zip`\n"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"no zip", "not a whole zip file"),
        ("empty folder", "no SavedModel folder"),
    ],
)
def test_an_archive_that_is_none_is_refused(tmp_path: Path, content: object, message: str) -> None:
    archive = tmp_path / "models.zip"
    if isinstance(content, bytes):
        archive.write_bytes(content)
    elif content:
        archive.mkdir()
    done = run("model", "fetch", "--archive", archive, model_dir=str(tmp_path / "models"))
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "models").glob("decimer*"))


def test_the_hand_drawn_model_cannot_be_fetched_by_package(tmp_path: Path) -> None:
    done = run("recognise", "--hand-drawn", tmp_path / "a.png", model_dir=str(tmp_path))
    assert done.returncode == 1
    assert "WORKER_HAND_DRAWN_ARCHIVE" in done.stderr


def test_upstreams_engine_says_what_it_needs(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    try:
        import DECIMER  # noqa: F401
    except ImportError:
        done = run("recognise", tmp_path / "a.png", decimer_engine="upstream")
        assert done.returncode == 1
        assert "pip install 'cloud-monitor[upstream]'" in done.stderr
        assert "Traceback" not in done.stderr
    else:
        pytest.skip("upstream is installed here")
