"""Whose fault it is that an image cannot be had: its own, that of its storage or host, or this process's."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.blob import generate_account_sas

from tests.services.azurite import ACCOUNT, KEY, Azurite
from tests.services.support import PATIENCE_S
from worker.settings import Settings
from worker.storage import ImageMissing, StorageError, open_storage

_GET = """
import os, resource, sys
from pathlib import Path
from worker.settings import Settings
from worker.storage import open_storage
storage, taken = open_storage(sys.argv[1], Settings()), []
if sys.argv[3:]:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    try:
        while True:
            taken.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
try:
    storage.get("a/1.png", Path(sys.argv[2]))
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


def got(images: Path, *options: str, before: str = "") -> str:
    """What a process of its own says that gets an image, after a command in a mount namespace."""
    command = [sys.executable, "-c", _GET, str(images), str(images.parent / "got"), *options]
    if before:
        command = ["unshare", "-m", "sh", "-c", f'{before} && exec "$@"', "sh", *command]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=PATIENCE_S
    ).stdout.strip()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    (images / "a").mkdir(parents=True)
    for name in ("1.png", "2.png"):
        (images / "a" / name).write_bytes(b"x")
    return images


def test_a_process_without_descriptors_blames_no_storage(images: Path) -> None:
    assert got(images) == ""
    assert got(images, "none left") == (f"OSError: [Errno 24] Too many open files: '{images}/a/1.png'")


@pytest.mark.root
def test_a_disk_that_fails_is_the_hosts(images: Path) -> None:
    """The kernel answers EIO where a process has no memory, as it does for a block that it cannot read."""
    said = got(images, before=f'mount --bind "/proc/$$/mem" "{images}/a/1.png"')
    assert said == f"StorageError: {images}: cannot read a/1.png: Input/output error"


@pytest.mark.azurite
def test_an_archived_blob_is_its_own_fault(azurite: Azurite, tmp_path: Path) -> None:
    container = azurite.create_container()
    blobs = azurite.container(container)
    for key in ("a/1.png", "a/2.png"):
        blobs.upload_blob(key, b"image")
    blobs.get_blob_client("a/1.png").set_standard_blob_tier("Archive")
    storage = open_storage(
        f"azure://{container}", Settings(azure_connection_string=azurite.connection_string)
    )
    with pytest.raises(ImageMissing, match=r"cannot get a/1\.png: the service said BlobArchived"):
        storage.get("a/1.png", tmp_path / "got")
    storage.get("a/2.png", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == b"image"


@pytest.mark.azurite
def test_a_signature_that_ran_out_is_no_images_fault(azurite: Azurite, tmp_path: Path) -> None:
    container = azurite.create_container()
    azurite.container(container).upload_blob("a/1.png", b"image")
    endpoint = f"http://127.0.0.1:{azurite.port}/{ACCOUNT}"

    def storage_until(expiry: datetime) -> str:
        sas = generate_account_sas(
            ACCOUNT,
            KEY,
            resource_types="sco",
            permission="rlw",
            expiry=expiry,
            start=expiry - timedelta(days=1),
        )
        words = f"BlobEndpoint={endpoint};SharedAccessSignature={sas}"
        storage = open_storage(f"azure://{container}", Settings(azure_connection_string=words))
        try:
            storage.get("a/1.png", tmp_path / "got")
        except ImageMissing as error:
            return f"its own: {error}"
        except StorageError as error:
            return str(error)
        finally:
            storage.close()
        return "read"

    now = datetime.now(UTC)
    assert storage_until(now + timedelta(hours=1)) == "read"
    said = storage_until(now - timedelta(hours=1))
    assert said.startswith(f"azure://{container}: cannot get a/1.png: the service said A"), said
