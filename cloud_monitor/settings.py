"""The one settings reader: typed, prefixed variables of the environment over an optional TOML file; a likely
misspelling is refused with the name that was meant.

Each part declares its fields in its own `settings.py`, with the forms of `setting_types`. Plain pydantic:
pydantic-settings would cost each process 0.2 CPU-seconds and 6 MB.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from cloud_monitor.setting_types import is_secret
from cloud_monitor.system.text import without_controls

M = TypeVar("M", bound=BaseModel)
Warn = Callable[[str], None]

_SHOWN_MAX = 200  # characters of a refused value
_SHORT = 5  # letters: in so short a name the first must be right, `GPUS` is not `CPUS`
_LONG = 8  # letters from which two may be wrong
_UNITS = {
    *("s", "sec", "secs", "second", "seconds", "ms", "min", "minutes", "h", "hours", "d", "days"),
    *("b", "bytes", "kb", "mb", "mib", "gb", "gib", "megabytes", "gigabytes", "pct", "percent", "max"),
}
_FILE_MIB_MAX = 8
_PASSWORD = re.compile(r"//([^/@:\s]*):[^\s'\"]*@")  # of an address
# What a container platform sets for a service that is called as a part is (Kubernetes, Docker's links).
_SERVICE_LINK = re.compile(r"(.*_)?(SERVICE_(HOST|PORT)(_.+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_QUOTED = re.compile(r"""(["'])((?:(?!\1).)*)\1""", re.DOTALL)
_LINKED_ADDRESS = re.compile(r"(tcp|udp|sctp)://")
_NO_TABLES = "settings stand at the head of the file, in no table; remove that line"
_PLAIN = {
    "bool_parsing": "Input should be true or false",
    "bool_type": "Input should be true or false",
    "tuple_type": "Input should be a list",
    "dict_type": "Input should be a table",
}


class SettingsRefused(ValueError):
    """One line for each setting that cannot be used: its name, its value, and what would be accepted."""


def read_toml(file: Path) -> dict[str, Any]:
    """A file of settings in UTF-8, with a byte order mark or without. Raises OSError, and ValueError where it
    is no TOML, or larger than any that somebody wrote."""
    with file.open("rb") as stream:
        content = stream.read((_FILE_MIB_MAX << 20) + 1)
    if len(content) > _FILE_MIB_MAX << 20:
        raise ValueError(f"it is larger than {_FILE_MIB_MAX} MiB")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"it is not UTF-8 (at line {line})") from None


class Reader(Generic[M]):
    """Reads the settings of one part. `ancestors` are variables without its prefix that are taken too."""

    def __init__(self, model: type[M], prefix: str, ancestors: Mapping[str, str] | None = None) -> None:
        self._model, self._prefix, self._ancestors = model, prefix, ancestors or {}

    def read(
        self,
        environment: Mapping[str, str],
        config: Path | None = None,
        given: Mapping[str, Any] | None = None,
        warn: Warn = lambda text: None,
    ) -> M:
        """The settings: `given` over the environment, that over the file; what is empty counts as unset.

        Names of the file are those of the environment, with or without the prefix, in any case; blanks around
        a value are no part of it, but for secrets. Raises
        SettingsRefused with every problem at once. `warn` is told, a line each, of variables with the prefix
        that are no settings nor likely meant as one, and of what the file says in vain.
        """
        problems: list[str] = []
        values = self._from_file(config, problems) if config is not None else {}
        set_there = self._from_environment(environment, problems, warn)
        for field in sorted(values.keys() & set_there):
            if isinstance(values[field], str | int | float) and not _is_same(values[field], set_there[field]):
                warn(f"{self.variable(field)}: the environment's is used, that of {config} has no effect")
        values |= set_there
        values = {field: self._without_blanks(field, value) for field, value in values.items()} | dict(
            given or {}
        )
        try:
            settings = self._model(**values)
        except ValidationError as error:
            problems += self._explain(error)
        if problems:
            raise SettingsRefused("\n".join(dict.fromkeys(problems)))
        return settings

    def origins(
        self, environment: Mapping[str, str], config: Path | None = None
    ) -> dict[str, tuple[object, str]]:
        """Of each field that is set: the value as it was given, and "environment" or the file's path."""
        file = self._from_file(config, []) if config is not None else {}
        set_there = self._from_environment(environment, [], lambda text: None)
        return {field: (value, str(config)) for field, value in file.items()} | {
            field: (value, "environment") for field, value in set_there.items()
        }

    @property
    def fields(self) -> dict[str, FieldInfo]:
        return self._model.model_fields

    def variable(self, field: str) -> str:
        return self._prefix + field.upper()

    def _from_file(self, config: Path, problems: list[str]) -> dict[str, Any]:
        try:
            rows = read_toml(config)
        except OSError as error:
            raise SettingsRefused(f"--config {config}: cannot be read: {error.strerror}") from None
        except ValueError as error:  # or not UTF-8
            raise SettingsRefused(f"--config {config}: not TOML: {error}") from None
        found: dict[str, Any] = {}
        for name, value in rows.items():
            field = self._field(name)
            if field not in self._model.model_fields and isinstance(value, dict):
                problems.append(f"--config {config}: [{without_controls(name)}]: {_NO_TABLES}")
            elif field not in self._model.model_fields:
                problems.append(self._refuse_unknown(field))
            elif field in found and found[field] != value:
                problems.append(f"{self.variable(field)}: is given twice in {config}")
            else:
                found[field] = value
        return {field: value for field, value in found.items() if not _is_empty(value)}

    def _field(self, name: str) -> str:
        """Of a name in the file. `worker_memory_mb` is that field, `WORKER_MEMORY_MB` is `memory_mb`."""
        if name.startswith(self._prefix) or name.lower() not in self._model.model_fields:
            return name.upper().removeprefix(self._prefix).lower()
        return name.lower()

    def _from_environment(
        self, environment: Mapping[str, str], problems: list[str], warn: Warn
    ) -> dict[str, str]:
        # A shell that sources a file with Windows' line ends leaves them at the values, systemd does not.
        environment = {name: value.removesuffix("\r") for name, value in environment.items()}
        found = {field: environment[name] for name, field in self._ancestors.items() if environment.get(name)}
        # So sorted, a name in capitals comes last and wins over the same in lower case.
        own = sorted((name for name in environment if name.upper().startswith(self._prefix)), reverse=True)
        for name in own:
            value, rest = environment[name], name.upper().removeprefix(self._prefix)
            field = rest.lower()
            if _is_empty(value) or (rest.endswith("PORT") and _LINKED_ADDRESS.match(value)):
                continue
            if field in self._model.model_fields:
                found[field] = value
            elif not _SERVICE_LINK.fullmatch(rest):
                if self._meant(field):
                    problems.append(self._refuse_unknown(field))
                else:
                    warn(f"{without_controls(name)}: there is no such setting, it has no effect")
        unquoted = {field: self._unquoted(field, value, warn) for field, value in found.items()}
        return {field: value for field, value in unquoted.items() if not _is_empty(value)}

    def _unquoted(self, field: str, value: str, warn: Warn) -> str:
        """Without the quotation marks of a line of NAME="value", which a shell and systemd take off and
        podman's and Docker's --env-file leaves. A secret may have some of its own.
        """
        inside = _QUOTED.fullmatch(value.strip())
        if inside is None:
            return value
        if is_secret_field(self._model.model_fields[field]):
            warn(f"{self.variable(field)}: the quotation marks around it are taken for part of it")
            return value
        return inside[2]

    def _without_blanks(self, field: str, value: object) -> object:
        is_kept = not isinstance(value, str) or is_secret_field(self._model.model_fields[field])
        return value if is_kept else str(value).strip()

    def _refuse_unknown(self, field: str) -> str:
        meant = self._meant(field)
        hint = f"; is {meant} meant?" if meant else " (docs/settings.md lists them)"
        return f"{without_controls(self.variable(field))}: there is no such setting{hint}"

    def _meant(self, field: str) -> str | None:
        known = self._model.model_fields
        doubled = f"{self._prefix.lower()}{field}"  # WORKER_WORKER_MEMORY_MB
        meant = doubled if doubled in known else find_meant(field, known)
        return self.variable(meant) if meant else None

    def _explain(self, error: ValidationError) -> Iterator[str]:
        fields = self._model.model_fields
        faults = error.errors(include_url=False)
        with_faults_below = {fault["loc"][0] for fault in faults if len(fault["loc"]) > 1}
        for fault in faults:
            if fault["type"] == "too_short" and fault["loc"][0] in with_faults_below:
                continue  # of a list whose entries were refused
            name, *below = (str(part) for part in fault["loc"]) if fault["loc"] else ("",)
            field = fields.get(name)
            variable = ".".join([self.variable(name), *below])
            told = _PLAIN.get(fault["type"], fault["msg"].removeprefix("Value error, "))
            example = f", for example {field.examples[0]}" if field and field.examples else ""
            if fault["type"] == "missing" and not below:
                yield f"{variable}: is not set; {self._must_be_set(name)}{example}"
            elif fault["input"] is None:
                yield f"{variable}: {told}{example}"
            elif field is not None and is_secret_field(field):
                yield f"{variable}=(hidden): {told}"
            else:
                shown = hide_passwords(repr(fault["input"]))[:_SHOWN_MAX]
                yield f"{variable}={shown}: {told}{example}"

    def _must_be_set(self, field: str) -> str:
        required = [name for name, known in self._model.model_fields.items() if known.is_required()]
        together = " and ".join(map(self.variable, required))
        others = "".join(f" ({old} is taken too)" for old, new in self._ancestors.items() if new == field)
        return f"{together} must be set{others}"


def hide_passwords(text: str) -> str:
    """Those of addresses in a text."""
    return _PASSWORD.sub(r"//\1:(hidden)@", text)


def is_secret_field(field: FieldInfo) -> bool:
    return is_secret(field.metadata) or SecretStr in (field.annotation, *get_args(field.annotation))


def _is_same(value: object, text: str) -> bool:
    return str(value).strip().casefold() == text.strip().casefold()


def _is_empty(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


def find_meant(name: str, known: Iterable[str]) -> str | None:
    """The nearest of `known` if `name` is likely a misspelling of it: a letter or two wrong, missing, too
    many or exchanged, underscores anywhere, words in another order, a unit left out or another. Names are in
    lower case.
    """
    found = [(_distance(name, other), other) for other in known if _is_like(name, other)]
    return min(found)[1] if found else None


def _is_like(name: str, other: str) -> bool:
    words, others = name.replace("-", "_").split("_"), other.split("_")
    if sorted(words) == sorted(others):
        return True
    if len(words) > 1 and _without_units(words) == _without_units(others) != []:
        return True
    letters, wanted = "".join(words), "".join(others)
    if len(letters) <= _SHORT and letters[:1] != wanted[:1]:
        return False
    return _distance(letters, wanted) <= (2 if len(letters) >= _LONG else 1)


def _without_units(words: list[str]) -> list[str]:
    return [word for word in words if word not in _UNITS]


def _distance(one: str, other: str) -> int:
    """Edits from one to the other, where exchanging two neighbours is one (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            row.append(min(last[j] + 1, row[-1] + 1, last[j - 1] + (letter != wanted)))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                row[-1] = min(row[-1], before[j - 2] + 1)
        before, last = last, row
    return last[-1]
