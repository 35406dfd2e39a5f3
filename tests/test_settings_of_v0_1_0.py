"""Settings files and environments that version 0.1.0 documented mean the same.

`expected.json` has what 0.1.0 itself read from the files beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr
from pydantic_core import to_jsonable_python

import collector.settings
import webapp.settings
import worker.settings
from collector.delivery.destinations import Destination
from tests.test_systemd import ROOT

FOLDER = ROOT / "tests/data/v0_1_0/settings"
EXPECTED: dict[str, dict[str, Any]] = json.loads((FOLDER / "expected.json").read_text())
READ: dict[str, Callable[..., BaseModel]] = {
    "collector": collector.settings.read_settings,
    "webapp": webapp.settings.read_settings,
    "worker": worker.settings.read_settings,
}


def plain(value: object) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple) and value and isinstance(value[0], Destination):
        return [destination.text for destination in value]
    return to_jsonable_python(value)


def variables(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)  # type: ignore[misc]


@pytest.mark.parametrize("name", EXPECTED)
def test_settings_of_the_previous_version_mean_the_same(name: str) -> None:
    file, warnings = FOLDER / name, list[str]()
    read = READ[name.split("_")[0]]
    if file.suffix == ".toml":
        settings = read({}, file, warnings.append)
    else:
        settings = read(variables(file), None, warnings.append)
    found = {field: plain(getattr(settings, field)) for field in settings.model_fields_set}
    expected = EXPECTED[name]
    if "log_level" in expected:  # the collector kept it in lower case
        expected = expected | {"log_level": expected["log_level"].upper()}
    assert found == expected
    assert warnings == []
