"""Whether HTCondor is configured on this host, and where; what of it is here although it is not.

A cron job or a service has none of the shell's variables: a pool whose configuration only CONDOR_CONFIG of a
login shell names would be left out without a word.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from collector.settings import CondorSettings

# where HTCondor looks for its configuration, the home of its own user apart
_FILES = ("/etc/condor/condor_config", "/usr/local/etc/condor_config", "/var/lib/condor/condor_config")
_TOOLS = ("condor_status", "condor_q")
_TOOLS_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/opt/condor/sbin:/opt/condor/bin"


class ConfigurationUnreadable(Exception):
    """The configured file of HTCondor cannot be read; says which and why."""


@dataclass(frozen=True, slots=True)
class CondorConfiguration:
    """found: where the configuration is named, "" where it is nowhere. traces: what shows that HTCondor is
    here nevertheless."""

    found: str
    traces: tuple[str, ...] = ()

    @property
    def advice(self) -> str:
        """Why HTCondor is left out and what to do; "" where there is nothing to say."""
        if self.found or not self.traces:
            return ""
        return (
            f"HTCondor is left out: {' and '.join(self.traces)}, but no configuration is found (in "
            f"CONDOR_CONFIG, which cron and systemd do not take from a shell, or {_FILES[0]}): set "
            "COLLECTOR_CONDOR_CONFIG to the pool's condor_config, or COLLECTOR_SOURCES to what is wanted"
        )


def use_configuration(settings: CondorSettings) -> None:
    """Have HTCondor's library, which this process has not imported yet, read the configured file.

    Raises ConfigurationUnreadable, also of one that the environment names: the library would say that there
    is no daemon.
    """
    check_configuration(settings, os.environ)
    if settings.condor_config is not None:
        os.environ["CONDOR_CONFIG"] = str(settings.condor_config)


def check_configuration(settings: CondorSettings, environment: Mapping[str, str]) -> None:
    """Raises ConfigurationUnreadable where the file that is named is none that this user can read."""
    variable, named = "COLLECTOR_CONDOR_CONFIG", str(settings.condor_config or "")
    if not named:
        variable, named = "CONDOR_CONFIG", environment.get("CONDOR_CONFIG", "")
    # or what HTCondor takes instead: a program's output, the environment alone
    if not named or named.rstrip().endswith("|") or named.upper() == "ONLY_ENV":
        return
    try:
        open(named, "rb").close()
    except OSError as error:
        advice = "name the pool's condor_config, as `condor_config_val -config` shows it"
        raise ConfigurationUnreadable(f"{variable}={named}: {error.strerror}: {advice}") from None


def find_configuration(
    settings: CondorSettings, environment: Mapping[str, str], proc: Path = Path("/proc")
) -> CondorConfiguration:
    """Look where HTCondor does. A system's file that may not be looked at is one: asking tells."""
    if settings.condor_config is not None:
        return CondorConfiguration(f"COLLECTOR_CONDOR_CONFIG={settings.condor_config}")
    if environment.get("CONDOR_CONFIG"):
        return CondorConfiguration(f"CONDOR_CONFIG={environment['CONDOR_CONFIG']}")
    home = environment.get("HOME")
    own: tuple[str, ...] = (f"{home}/.condor/user_config", f"{home}/.condor/condor_config") if home else ()
    for names, unless_denied in ((own, False), (_FILES, True)):
        if file := next((name for name in names if _exists(Path(name), unless_denied)), None):
            return CondorConfiguration(file)
    for setting, names in (
        ("COLLECTOR_CONDOR_SCHEDDS", settings.condor_schedds),
        ("COLLECTOR_CONDOR_COLLECTORS", settings.condor_collectors),
    ):
        if names:
            return CondorConfiguration(f"{setting}={','.join(names)}")
    return CondorConfiguration("", tuple(_traces(environment, proc)))


def _exists(file: Path, if_denied: bool) -> bool:
    try:
        file.stat()
    except PermissionError:
        return if_denied
    except OSError:
        return False
    return True


def _traces(environment: Mapping[str, str], proc: Path) -> Iterable[str]:
    if _runs_master(proc):
        yield "condor_master runs here"
    tools = (shutil.which(name, path=f"{environment.get('PATH', '')}:{_TOOLS_PATH}") for name in _TOOLS)
    if tool := next((tool for tool in tools if tool), None):
        yield f"{tool} is installed"


def _runs_master(proc: Path) -> bool:
    for folder in proc.iterdir():
        if folder.name.isdecimal():
            try:
                name = (folder / "comm").read_text()
            except OSError:  # it has ended
                continue
            if name.strip() == "condor_master":
                return True
    return False
