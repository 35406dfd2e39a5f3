"""`make run`: start what the Procfile names, in the foreground, until Ctrl-C or until one of them ends.

Before anything starts, STATE_DIR is locked and the ports are checked. Settings of all parts come from the
environment, and below it from a `.env` file of `NAME=value` lines beside the Procfile.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import honcho.environ  # type: ignore[import-untyped]
import honcho.manager  # type: ignore[import-untyped]

from embedded import store
from embedded.install import install
from tools.leash import LeashedProcess
from tools.ports import Refused, check_free, read_ports
from tools.state import lock_state

ROOT = Path(__file__).resolve().parent.parent
SIGNALLED = (130, 143)  # what honcho returns after SIGINT and SIGTERM
STOP_S = 20  # Carbon writes its cache to disk after SIGTERM; honcho's own 5 s would cut that short


def environment_of_parts(given: Mapping[str, str], ports: Mapping[str, int], state: Path) -> dict[str, str]:
    """The environment of every process: what was given wins, except where the parts must find each other."""
    hostname = "".join(c if c.isalnum() or c in "_-" else "-" for c in socket.gethostname().split(".")[0])
    defaults = {
        "COLLECTOR_GRID": given.get("GRIDNAME") or hostname or "local",
        "COLLECTOR_CARBON": given.get("CARBON_SERVER") or f"127.0.0.1:{ports['CARBON_PORT']}",
        "COLLECTOR_STATE_DIR": str(state / "collector"),
        "WEBAPP_GRAPHITE_URL": f"http://127.0.0.1:{ports['GRAPHITE_PORT']}",
        "WEBAPP_STATE_DIR": str(state / "webapp"),
    }
    agreed = {name: str(port) for name, port in ports.items()} | {
        "WEBAPP_PORT": str(ports["PORT"]),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{given.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
    }
    return defaults | dict(given) | agreed


def environment_of_graphite(ports: Mapping[str, int], state: Path) -> dict[str, str]:
    """Configure the embedded Graphite under `state`; the variables its Procfile lines want."""
    env, root = install(), state / "graphite"
    query_port = ports["CARBON_QUERY_PORT"]
    store.configure(root, env, store.Ports(ports["CARBON_PORT"], query_port, ports["GRAPHITE_PORT"]))
    variables = store.carbon_environment(root) | store.web_environment(root / "storage", query_port)
    del variables["PYTHONPATH"]  # the Procfile gives it to graphite-web alone
    return variables | {"GRAPHITE_ENV": str(env)}


def run_processes(environment: dict[str, str]) -> int:
    """Run the Procfile's processes until a signal or the end of one of them; 0 only after a signal."""
    honcho.manager.KILL_WAIT = STOP_S
    manager = honcho.manager.Manager()
    manager._process_ctor = LeashedProcess
    for name, command in honcho.environ.parse_procfile((ROOT / "Procfile").read_text()).processes.items():
        manager.add_process(name, command, env=environment, cwd=str(ROOT))
    # A closed terminal ends everything too.
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    manager.loop()
    if manager.returncode in SIGNALLED:
        return 0
    print("one process ended by itself (the first that stopped, above), so all were ended", file=sys.stderr)
    return 1


def main() -> int:
    dotenv = ROOT / ".env"
    given = (honcho.environ.parse(dotenv.read_text()) if dotenv.exists() else {}) | dict(os.environ)
    try:
        ports = read_ports(given)
        state = Path(given.get("STATE_DIR") or "state").resolve()
        with lock_state(state):
            check_free(ports)
            environment = environment_of_parts(given, ports, state) | environment_of_graphite(ports, state)
            print(f"status page: http://127.0.0.1:{ports['PORT']}/  data: {state}  stop: Ctrl-C", flush=True)
            return run_processes(environment)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
