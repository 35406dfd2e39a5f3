"""Listing by directory, reading, putting under chunk and token: the same for a folder and for Azure."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from tests.worker.storage.conftest import Place
from worker.settings import Settings
from worker.storage import Directory, ImageMissing, StorageError, open_storage
from worker.storage.base import ImageTooLarge

_AWAY = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/a;"


def test_directories_are_listed_with_their_own_images(place: Place) -> None:
    for key in ("top.png", "a/2.PNG", "a/1.jpg", "a/notes.txt", "a/b/3.tif", "c/.png", "d/e/f/4.heic"):
        place.write(key)
    assert list(place.storage.list_directories()) == [
        Directory("", ("top.png",)),
        Directory("a", ("1.jpg", "2.PNG")),
        Directory("a/b", ("3.tif",)),
        Directory("d/e/f", ("4.heic",)),
    ]


def test_each_directory_is_asked_for_once(place: Place) -> None:
    for number in range(20):
        place.write(f"d{number}/i.png")
    assert len(list(place.storage.list_directories())) == 20
    assert place.storage.requests == 21


def test_a_directory_can_be_left_out(place: Place) -> None:
    place.write("a/1.png")
    place.write("results/x/1.png")
    assert [found.path for found in place.storage.list_directories(lambda path: path == "results")] == ["a"]


def test_names_out_of_the_ordinary(place: Place, tmp_path: Path) -> None:
    names = ("ä ö%20.png", "=1+1.png", "'; DROP TABLE chunks; --.png", "a\tb.png", "#?&.png")
    for name in names:
        place.write(f"d/{name}", name.encode())
    (found,) = place.storage.list_directories()
    assert sorted(found.names) == sorted(names)
    for name in names:
        digest = place.storage.get(f"d/{name}", tmp_path / "got")
        assert (tmp_path / "got").read_bytes() == name.encode()
        assert digest == sha256(name.encode()).hexdigest()


def test_a_large_image_comes_whole(place: Place, tmp_path: Path) -> None:
    data = bytes(range(256)) * 5_000
    place.write("d/large.png", data)
    assert place.storage.get("d/large.png", tmp_path / "got") == sha256(data).hexdigest()
    assert (tmp_path / "got").read_bytes() == data


def test_a_missing_image_is_told_from_a_storage_out_of_order(place: Place, tmp_path: Path) -> None:
    place.write("a/1.png")
    with pytest.raises(ImageMissing, match=r"a/2\.png"):
        place.storage.get("a/2.png", tmp_path / "got")


def test_a_full_disk_is_not_the_storages_fault(place: Place) -> None:
    place.write("a/1.png", b"x" * 100_000)
    with pytest.raises(OSError, match="No space left"):
        place.storage.get("a/1.png", Path("/dev/full"))


def test_files_are_put_under_folder_and_token_and_the_rest_is_swept(place: Place, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"rows")
    storage = place.storage
    partial = storage.put("batch/7", 1, "results.jsonl", source)
    kept = storage.put("batch/7", 2, "results.jsonl", source)
    other = storage.put("batch/77", 1, "results.jsonl", source)
    assert (partial, kept) == ("batch/7/1/results.jsonl", "batch/7/2/results.jsonl")
    source.write_bytes(b"rows and more")
    assert storage.put("batch/7", 2, "results.jsonl", source) == kept
    assert place.keys() == {partial, kept, other}
    assert storage.sweep("batch/7", {kept}) == 1
    assert place.keys() == {kept, other}
    assert storage.sweep("batch/7", ()) == 1
    assert storage.sweep("batch/7", ()) == 0
    assert place.keys() == {other}
    storage.get(other, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == b"rows"


def test_a_storage_that_is_not_there_is_named(place: Place) -> None:
    gone = type(place.storage).__name__
    if gone == "FolderStorage":
        assert place.folder is not None
        place.folder.rmdir()
    else:
        assert place.azurite is not None
        place.azurite.container(place.container).delete_container()
    with pytest.raises(StorageError, match=r"images|test-.*container"):
        list(place.storage.list_directories())


def test_no_more_than_the_bound_is_fetched(place: Place, tmp_path: Path) -> None:
    place.write("large.png", bytes(2_000_000))
    place.write("small.png", bytes(1_000_000))
    storage = place.open(image_max_bytes=1_000_000)
    destination = tmp_path / "got"
    storage.get("small.png", destination)
    assert destination.stat().st_size == 1_000_000
    destination.unlink()
    with pytest.raises(ImageTooLarge, match=r"large\.png has more than 1000000 bytes"):
        storage.get("large.png", destination)
    assert not destination.exists() or destination.stat().st_size == 0
    storage.close()


def test_what_is_in_the_way_of_results_is_told_before_any(place: Place, tmp_path: Path) -> None:
    assert place.storage.obstacle() == ""
    if place.azurite is not None:
        settings = Settings(azure_connection_string=place.azurite.connection_string)
        absent = open_storage("azure://never-made/x", settings)
        told = (
            "azure://never-made/x: there is no such container: create it (az storage container create --name "
        )
        assert absent.obstacle() == f"{told}never-made)"
        away = Settings(azure_connection_string=_AWAY, azure_retries=0, azure_timeout_s=1)
        assert open_storage("azure://c", away).obstacle() == ""  # nobody can tell
        return
    (tmp_path / "file").write_text("")
    assert open_storage(str(tmp_path / "new/results"), Settings()).obstacle() == ""  # it will be made
    told = f"{tmp_path}/file/results: {tmp_path}/file is no folder that this user can write"
    assert open_storage(str(tmp_path / "file/results"), Settings()).obstacle() == told
