"""One suite, both kinds of storage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.services.azurite import Azurite
from worker.settings import Settings
from worker.storage import Storage, open_storage


@dataclass(frozen=True)
class Place:
    """Somewhere to put files by other means than the storage under test."""

    storage: Storage
    folder: Path | None
    azurite: Azurite | None
    container: str

    def write(self, key: str, data: bytes = b"x") -> None:
        if self.folder is not None:
            (self.folder / key).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / key).write_bytes(data)
        else:
            assert self.azurite is not None
            self.azurite.container(self.container).upload_blob(f"some/prefix/{key}", data)

    def open(self, **settings: Any) -> Storage:
        """The same storage with other settings."""
        if self.azurite is not None:
            settings["azure_connection_string"] = self.azurite.connection_string
        return open_storage(self.storage.url, Settings(**settings))

    def keys(self) -> set[str]:
        if self.folder is not None:
            return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}
        assert self.azurite is not None
        names = self.azurite.container(self.container).list_blob_names()
        return {name.removeprefix("some/prefix/") for name in names}


@pytest.fixture(params=["folder", pytest.param("azure", marks=pytest.mark.azurite)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "folder":
        storage = open_storage(str(tmp_path / "images"), Settings())
        (tmp_path / "images").mkdir()
        yield Place(storage, tmp_path / "images", None, "")
        return
    azurite: Azurite = request.getfixturevalue("azurite")
    container = azurite.create_container()
    settings = Settings(azure_connection_string=azurite.connection_string)
    storage = open_storage(f"azure://{container}/some/prefix", settings)
    yield Place(storage, None, azurite, container)
    storage.close()
