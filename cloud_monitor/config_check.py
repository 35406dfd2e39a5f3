"""`config check` of each part: what is set, whence, and whether it can be used, without starting anything."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from cloud_monitor.settings import Reader, SettingsRefused, hide_passwords, is_secret_field
from cloud_monitor.setup import find_departures
from cloud_monitor.system.files import is_absent
from cloud_monitor.system.installation import STATE
from cloud_monitor.system.text import without_controls

REFUSED = 2


def check_config(
    reader: Reader[Any],
    environment: Mapping[str, str],
    config: Path | None,
    as_json: bool,
    look_on: Callable[[Any], object] = lambda settings: None,
) -> int:
    """Print each setting that is not left to its default, secrets hidden; 0, or 2 where they are refused.

    look_on: raises SettingsRefused where a file that they name says what cannot be. A file or folder that
    this user cannot use, and what departs from the layout of `setup --system`, is a warning.
    """
    warnings: list[str] = []
    try:
        settings = reader.read(environment, config, warn=warnings.append)
        origins = reader.origins(environment, config)
        look_on(settings)
    except SettingsRefused as refused:
        for line in str(refused).splitlines():
            print(f"refused: {line}", file=sys.stderr)
        return REFUSED
    if settings.state_dir.is_relative_to(STATE):  # where `setup --system` has put it
        warnings += find_departures(reader.variable("").rstrip("_").lower())
    warnings += _unusable(reader, settings)
    rows = [
        {"setting": reader.variable(field), "value": _shown(reader.fields[field], value), "from": origin}
        for field, (value, origin) in sorted(origins.items())
    ]
    if as_json:
        print(json.dumps({"settings": rows, "warnings": warnings}))
        return 0
    for row in rows:
        print(f"{row['setting']} = {without_controls(row['value'])}  ({row['from']})")
    for line in warnings:
        print(f"warning: {line}", file=sys.stderr)
    print(f"settings are well: {len(rows)} set, all others as docs/settings.md has them")
    return 0


_NAMES_A_FILE = ("_file", "_archive", "condor_config")


def _unusable(reader: Reader[Any], settings: Any) -> Iterator[str]:
    for field in reader.fields:
        path = getattr(settings, field)
        if isinstance(path, Path) and field.endswith(_NAMES_A_FILE):
            try:
                path.stat()
                why = "" if os.access(path, os.R_OK) else "Permission denied"
            except OSError as error:
                why = str(error.strerror)
            if why:
                yield f"{reader.variable(field)}={path} cannot be read by this user: {why}"
    folder = settings.state_dir
    if not is_absent(folder) and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield f"{reader.variable('state_dir')}={folder} cannot be written by this user"


def _shown(field: FieldInfo, value: object) -> str:
    return "(hidden)" if is_secret_field(field) else hide_passwords(str(value))
