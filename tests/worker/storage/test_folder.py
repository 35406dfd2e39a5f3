"""What only a folder can do wrong."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from worker.settings import Settings
from worker.storage import ImageMissing, StorageError, open_storage
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
        open_storage("/proc/self", Settings()).sweep("attr", None)


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
