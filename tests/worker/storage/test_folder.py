"""What only a folder can do wrong."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from worker.settings import Settings
from worker.storage import ImageMissing, StorageError, open_storage
from worker.storage.base import OutsideStorage
from worker.storage.open import resolve_source


def test_links_that_lead_round_in_circles_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/i.png").write_bytes(b"x")
    (tmp_path / "a/back").symlink_to(tmp_path)
    (tmp_path / "a/linked.png").symlink_to(tmp_path / "a/i.png")
    (found,) = open_storage(str(tmp_path), Settings()).list_directories()
    assert found.names == ("i.png", "linked.png")


def test_a_name_that_is_not_text_is_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "good.png").write_bytes(b"x")
    Path(os.fsdecode(bytes(tmp_path) + b"/bad\xff.png")).write_bytes(b"x")
    with caplog.at_level(logging.WARNING):
        (found,) = open_storage(str(tmp_path), Settings()).list_directories()
    assert found.names == ("good.png",)
    assert "bad\\udcff.png" in caplog.text


def test_an_image_that_cannot_be_read_is_at_fault_itself(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/loop.png").symlink_to(tmp_path / "d/loop.png")
    (tmp_path / "d/directory.png").mkdir()
    storage = open_storage(str(tmp_path), Settings())
    for name in ("loop.png", "directory.png", "n" * 300 + ".png", "missing.png"):
        with pytest.raises(ImageMissing, match=f"cannot read d/{name[:9]}"):
            storage.get(f"d/{name}", tmp_path / "got")


def test_a_folder_that_is_not_mounted_is_not_the_images_fault(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path), Settings())
    with pytest.raises(StorageError, match=r"cannot read d/1\.png") as fault:
        storage.get("d/1.png", tmp_path / "got")
    assert not isinstance(fault.value, ImageMissing)


def test_what_cannot_be_swept_is_named() -> None:
    with pytest.raises(StorageError, match="/proc/self: cannot sweep attr: "):
        open_storage("/proc/self", Settings()).sweep("attr", ())


@pytest.mark.parametrize(("source", "words"), [("", "SOURCE is empty"), ("a\udcff", r"SOURCE 'a\\udcff'")])
def test_a_source_that_names_nothing_is_refused(source: str, words: str) -> None:
    with pytest.raises(StorageError, match=words):
        resolve_source(source, "/images")


def test_no_key_leads_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"x")
    (tmp_path / "images").mkdir()
    storage = open_storage(str(tmp_path / "images"), Settings())
    for key in ("../secret.png", "a/../../secret.png", str(tmp_path / "secret.png")):
        with pytest.raises(StorageError, match="leads out"):
            storage.get(key, tmp_path / "got")


def test_no_image_is_read_through_a_link_that_leads_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/1.png").write_bytes(b"secret")
    images = tmp_path / "images"
    images.mkdir()
    (images / "own.png").write_bytes(b"own")
    (images / "inner.png").symlink_to("own.png")
    (images / "out.png").symlink_to(tmp_path / "secret.png")
    (images / "d").symlink_to(tmp_path / "other")
    storage = open_storage(str(images), Settings())
    (found,) = storage.list_directories()
    assert found.names == ("inner.png", "own.png")
    assert "out.png" in caplog.text
    got = tmp_path / "got"
    storage.get("inner.png", got)
    assert got.read_bytes() == b"own"
    for key in ("out.png", "d/1.png"):
        with pytest.raises(OutsideStorage, match=f"{key} is a link that leads out"):
            storage.get(key, got)
    assert b"secret" not in got.read_bytes()


def test_a_root_that_is_a_link_itself_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/1.png").write_bytes(b"x")
    (tmp_path / "images").symlink_to(tmp_path / "real")
    storage = open_storage(str(tmp_path / "images"), Settings())
    storage.get("1.png", tmp_path / "got")
    source = tmp_path / "source"
    source.write_bytes(b"result")
    assert storage.put("b/1", 1, "r", source) == "b/1/1/r"
    assert (tmp_path / "real/b/1/1/r").read_bytes() == b"result"


def test_nothing_is_put_or_swept_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (victim / "1").mkdir(parents=True)
    (victim / "1/keep").write_bytes(b"keep")
    source = tmp_path / "source"
    source.write_bytes(b"result")
    results = tmp_path / "results"
    (results / "batch").mkdir(parents=True)
    (results / "batch/7").symlink_to(victim)
    storage = open_storage(str(results), Settings())
    with pytest.raises(StorageError, match=r"cannot put batch/7/1/r: .*a link or a file stands"):
        storage.put("batch/7", 1, "r", source)
    with pytest.raises(StorageError, match="cannot sweep batch/7: "):
        storage.sweep("batch/7", ())
    (results / "batch/8/1").mkdir(parents=True)
    (results / "batch/8/1/old").write_bytes(b"x")
    (results / "batch/8/2").symlink_to(victim)
    assert storage.sweep("batch/8", ()) == 1
    assert {path.relative_to(victim).as_posix() for path in victim.rglob("*")} == {"1", "1/keep"}


def test_a_directory_that_cannot_be_listed_costs_nothing_else(tmp_path: Path) -> None:
    """As `lost+found` is for everybody but root; a loop of links cannot be listed by root either."""
    for name in ("a", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"x")
    (tmp_path / "b").mkdir()
    storage = open_storage(str(tmp_path), Settings())
    found = []
    for directory in storage.list_directories():
        found.append(directory.path)
        if (tmp_path / "b").exists():
            (tmp_path / "b").rmdir()  # it goes while the listing is on its way
    assert found == ["a", "c"]
    assert storage.unlisted == [f"cannot list {tmp_path}/b: No such file or directory"]
