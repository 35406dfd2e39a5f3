"""`config check` of each part: what is set, whence, and whether it can be used, without starting anything."""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from cloud_monitor.settings import Reader, SettingsRefused, hide_passwords, is_secret_field
from cloud_monitor.setup import find_departures
from cloud_monitor.system.child import ChildCall, run_calls
from cloud_monitor.system.installation import STATE
from cloud_monitor.system.probe import probe_file, probe_folder
from cloud_monitor.system.text import without_controls

REFUSED = 2


def check_config(
    reader: Reader[Any],
    environment: Mapping[str, str],
    config: Path | None,
    as_json: bool,
    look_on: Callable[[Any], object] = lambda settings: None,
) -> int:
    """Print each setting that is not left to its default, secrets hidden; 0, or 2 where they are refused, or
    a file or folder that they name cannot be used by this user.

    look_on: raises SettingsRefused, in the words of a run, where what they name is not as a run wants it.
    What departs from the layout of `setup --system` is a warning; of that, root asks as the service's user.
    """
    warnings: list[str] = []
    try:
        settings = reader.read(environment, config, warn=warnings.append)
        origins = reader.origins(environment, config)
    except SettingsRefused as refused:
        _tell_refused(str(refused).splitlines())
        return REFUSED
    problems = []
    try:
        look_on(settings)
    except SettingsRefused as refused:
        problems = str(refused).splitlines()
    told = {_head(line) for line in problems}
    problems += [line for line in _find_unusable(reader, settings) if _head(line) not in told]
    if settings.state_dir.is_relative_to(STATE):  # where `setup --system` has put it
        warnings += find_departures(reader.variable("").rstrip("_").lower())
    rows = [
        {"setting": reader.variable(field), "value": _shown(reader.fields[field], value), "from": origin}
        for field, (value, origin) in sorted(origins.items())
    ]
    if as_json:
        print(json.dumps({"settings": rows, "warnings": warnings, "refused": problems}))
        return REFUSED if problems else 0
    for row in rows:
        print(f"{row['setting']} = {without_controls(row['value'])}  ({row['from']})")
    for line in warnings:
        print(f"warning: {line}", file=sys.stderr)
    if problems:
        _tell_refused(problems)
        return REFUSED
    print(f"settings are well: {len(rows)} set, all others as docs/settings.md has them")
    return 0


def _tell_refused(lines: list[str]) -> None:
    for line in lines:
        print(f"refused: {without_controls(line)}", file=sys.stderr)


def _head(line: str) -> str:
    """The setting and its value."""
    return line.split(": ", 1)[0]


_NAMES_A_FILE = ("_file", "_archive", "_config")
_MAY_BE_A_FOLDER = "_archive"
_NAMES_A_WRITTEN_FOLDER = ("state_dir", "temp_dir", "log_dir")
_LOOK_S = 30.0  # at a share that does not answer


def _find_unusable(reader: Reader[Any], settings: Any) -> list[str]:
    """What of the named files and folders cannot be used. Root may do all, but the service runs as who has
    the folder that `setup --system` made."""
    folder: Path = settings.state_dir
    try:
        owner = folder.stat() if folder.is_relative_to(STATE) and os.geteuid() == 0 else None
    except OSError:
        owner = None
    if owner is None or owner.st_uid == 0:
        return list(_unusable(reader, settings))

    def look() -> bytes:
        user = pwd.getpwuid(owner.st_uid)
        os.initgroups(user.pw_name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        return json.dumps(
            [f"{line} (as user {user.pw_name})" for line in _unusable(reader, settings)]
        ).encode()

    answer = run_calls({"look": ChildCall(look, _LOOK_S)})["look"]
    if answer.body is None:  # it is nobody's, or a container's root may not become others
        return list(_unusable(reader, settings))
    found: list[str] = json.loads(answer.body)
    return found


def _unusable(reader: Reader[Any], settings: Any) -> Iterator[str]:
    for field in reader.fields:
        path = getattr(settings, field)
        if not isinstance(path, Path) or (field not in settings.model_fields_set and field != "state_dir"):
            continue
        advice = ""
        try:
            if field in _NAMES_A_WRITTEN_FOLDER:
                advice = ": this user must be able to write there, and its disk not be full"
                probe_folder(path)
            elif field.endswith(_NAMES_A_FILE) and not (field.endswith(_MAY_BE_A_FOLDER) and path.is_dir()):
                probe_file(path.expanduser())
        except OSError as error:
            yield f"{reader.variable(field)}={path}: {error.strerror}{advice}"


def _shown(field: FieldInfo, value: object) -> str:
    return "(hidden)" if is_secret_field(field) else hide_passwords(str(value))
