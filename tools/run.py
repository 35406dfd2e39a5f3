"""`make run`: start what the Procfile names, in the foreground, until Ctrl-C or until one of them ends.

Before anything starts, STATE_DIR is locked and the ports are checked. Settings of all parts come from the
environment, and below it from a `.env` file of `NAME=value` lines beside the Procfile.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import honcho.environ  # type: ignore[import-untyped]
import honcho.manager  # type: ignore[import-untyped]

from embedded.install import NoPython
from tools.leash import Manager
from tools.machines import COMMAND, prepare_machines
from tools.ports import Refused, check_free, read_ports
from tools.profiles import PROFILES, UnknownProfile, choose_profile
from tools.state import lock_state, make_token

ROOT = Path(__file__).resolve().parent.parent
SIGNALLED = (130, 143)  # what honcho returns after SIGINT and SIGTERM
STOP_S = 20  # Carbon writes its cache to disk after SIGTERM; honcho's own 5 s would cut that short


def environment_of_parts(
    given: Mapping[str, str], prepared: Mapping[str, str], ports: Mapping[str, int], state: Path
) -> dict[str, str]:
    """The environment of every process: what was given wins, except where the parts must find each other."""
    hostname = "".join(c if c.isalnum() or c in "_-" else "-" for c in socket.gethostname().split(".")[0])
    defaults = {
        "COLLECTOR_STATE_DIR": str(state / "collector"),
        "WEBAPP_GRAPHITE_URL": f"http://127.0.0.1:{ports['GRAPHITE_PORT']}",
        "WEBAPP_STATE_DIR": str(state / "webapp"),
    }
    if "GRIDNAME" not in given:  # the name of old, which the collector takes too
        defaults["COLLECTOR_GRID"] = hostname or "local"
    agreed = {name: str(port) for name, port in ports.items()} | {
        "WEBAPP_PORT": str(ports["PORT"]),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{given.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
    }
    return dict(prepared) | defaults | dict(given) | agreed


def environment_of_fleet(state: Path) -> dict[str, str]:
    """Where the worker fleet keeps its queue and results, and where collector and page find the queue."""
    queue = f"sqlite:///{state}/worker/queue.db"
    return {
        "WORKER_STATE_DIR": str(state / "worker"),
        "WORKER_RESULTS_URL": str(state / "worker/results"),
        "WORKER_DRAIN_S": "5",
        "COLLECTOR_FLEET_DATABASE_URL": queue,
        "WEBAPP_FLEET_DATABASE_URL": queue,
    }


def environment_of_inventory(given: Mapping[str, str], port: int, state: Path) -> dict[str, str]:
    """Where the collector sends single VMs and jobs, and the secret by which the page knows it."""
    names = "WEBAPP_INVENTORY_TOKEN_FILE", "COLLECTOR_INVENTORY_TOKEN_FILE"
    own = state / "inventory-token"
    token_file = next((given[name] for name in names if given.get(name)), None) or str(make_token(own))
    host = given.get("WEBAPP_HOST") or "127.0.0.1"
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    return dict.fromkeys(names, token_file) | {"COLLECTOR_INVENTORY_URL": f"http://{host}:{port}"}


def enqueue_samples(environment: Mapping[str, str]) -> None:
    """Give a new queue its first work, before the collector looks for it."""
    if not (Path(environment["WORKER_STATE_DIR"]) / "queue.db").exists():
        command = [sys.executable, "-m", "worker", "enqueue", "samples", "--name", "samples"]
        subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False)


def run_processes(commands: Mapping[str, str], environment: dict[str, str]) -> int:
    """Run commands by name until a signal or the end of one of them; 0 only after a signal."""
    honcho.manager.KILL_WAIT = STOP_S
    manager = Manager()
    for name, command in commands.items():
        manager.add_process(name, command, env=environment, cwd=str(ROOT))
    # A closed terminal ends everything too.
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    manager.loop()
    if manager.returncode in SIGNALLED:
        return 0
    print("one process ended by itself (the first that stopped, above), so all were ended", file=sys.stderr)
    return 1


def read_procfile(name: str) -> dict[str, str]:
    return dict(honcho.environ.parse_procfile((ROOT / name).read_text()).processes)


class Addition(NamedTuple):
    """Processes beside those of the profile, and variables for all of them."""

    commands: Mapping[str, str] = {}
    variables: Mapping[str, str] = {}


Add = Callable[
    [Mapping[str, int], Path, str], Addition
]  # of the ports, the state folder, and Carbon's address


def add_nothing(ports: Mapping[str, int], state: Path, carbon: str) -> Addition:
    return Addition()


def read_given(dotenv: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Variables of the file and of the environment. This wins, but not by an empty one of what nobody set, as
    make exports them.
    """
    kept = honcho.environ.parse(dotenv.read_text("utf-8-sig")) if dotenv.exists() else {}
    return kept | {name: value for name, value in environment.items() if value or name not in kept}


def main(
    add: Add = add_nothing, more_ports: Mapping[str, int] | None = None, state_folder: str = "state"
) -> int:
    """`more_ports`: of what `add` starts, variable and default. `state_folder`: unless STATE_DIR is given."""
    given = read_given(ROOT / ".env", os.environ)
    try:
        profile = choose_profile(given)
        ports = read_ports(given, {**profile.ports, **(more_ports or {})})
        state = Path(given.get("STATE_DIR") or state_folder).resolve()
        with lock_state(state):
            check_free(ports, {**dict.fromkeys(ports, "the demo"), **profile.uses})
            commands = read_procfile(profile.procfile)
            commands |= {name: read_procfile(PROFILES["default"].procfile)[name] for name in profile.further}
            if given.get("FLEET") == "0":
                commands.pop("fleet", None)
            prepared = profile.prepare(ports, state)
            if "fleet" in commands:
                prepared |= environment_of_fleet(state)
            if "fleet" in commands and given.get("MACHINES") == "1":
                prepared |= prepare_machines(state, prepared["WEBAPP_FLEET_DATABASE_URL"])
                commands["fleet"] = COMMAND  # its machines do the work
            prepared |= environment_of_inventory(given, ports["PORT"], state)
            addition = add(ports, state, prepared["COLLECTOR_CARBON"])
            commands |= addition.commands
            environment = environment_of_parts(given, prepared | addition.variables, ports, state)
            if "fleet" in commands:
                enqueue_samples(environment)
            print(f"status page: http://127.0.0.1:{ports['PORT']}/  data: {state}  stop: Ctrl-C", flush=True)
            return run_processes(commands, environment)
    except (Refused, UnknownProfile, NoPython) as refusal:
        print(refusal, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
