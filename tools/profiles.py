"""What `make run` starts: Carbon and Graphite (default), or VictoriaMetrics in their place (PROFILE=edge)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from embedded import store
from embedded.install import NoPython, find_python, install

ROOT = Path(__file__).resolve().parent.parent
SCRAPE_CONFIG = ROOT / "docs/prometheus/prometheus.yml"
SHIPPED_TARGET = "127.0.0.1:5000"

Ports = Mapping[str, int]


class UnknownProfile(Exception):
    """PROFILE names none; the message says which there are."""


@dataclass(frozen=True)
class Profile:
    """A Procfile, its ports (variable -> default) with their uses, and the variables that tie all together.

    `prepare(ports, state)` writes what the store reads into the state folder and returns those variables.
    """

    procfile: str
    ports: Ports
    uses: Mapping[str, str]
    prepare: Callable[[Ports, Path], dict[str, str]]
    further: tuple[str, ...] = ()  # processes of the default's Procfile that run beside


def prepare_default(ports: Ports, state: Path) -> dict[str, str]:
    env, root = install(), state / "graphite"
    query_port = ports["CARBON_QUERY_PORT"]
    store.configure(root, env, store.Ports(ports["CARBON_PORT"], query_port, ports["GRAPHITE_PORT"]))
    variables = store.carbon_environment(root) | store.web_environment(root / "storage", query_port)
    del variables["PYTHONPATH"]  # the Procfile gives it to graphite-web alone
    return variables | {
        "GRAPHITE_ENV": str(env),
        "COLLECTOR_CARBON": f"127.0.0.1:{ports['CARBON_PORT']}",
    }


def store_program() -> Path:
    """VictoriaMetrics, installed where it is missing."""
    said = subprocess.run(
        [ROOT / "tools/install-victoriametrics"], stdout=subprocess.PIPE, text=True, check=True
    )
    return Path(said.stdout.strip())


def prepare_edge(ports: Ports, state: Path) -> dict[str, str]:
    folder = state / "store"
    # The shipped configuration, with the port that this page has.
    scrape = SCRAPE_CONFIG.read_text().replace(SHIPPED_TARGET, f"127.0.0.1:{ports['PORT']}")
    folder.with_name("store.scrape.yml").write_text(scrape)
    # Its first page leads to targets, statistics and its query page, /vmui, which Debian's build leaves out.
    own_pages = {"name": "VictoriaMetrics", "url": f"http://127.0.0.1:{ports['GRAPHITE_PORT']}/"}
    return {
        "STORE_DIR": str(folder),
        "COLLECTOR_CARBON": f"tcp+plain://127.0.0.1:{ports['CARBON_PORT']}",
        "WEBAPP_LINKS": json.dumps([own_pages]),
        "WEBAPP_PROMETHEUS_URL": own_pages["url"],
        "WEBAPP_THREADS": "4",
    }


PROFILES: dict[str, Profile] = {
    "default": Profile(
        "Procfile",
        {"PORT": 5000, "CARBON_PORT": 2004, "CARBON_QUERY_PORT": 7002, "GRAPHITE_PORT": 8080},
        {
            "PORT": "the status page",
            "CARBON_PORT": "Carbon's pickle receiver",
            "CARBON_QUERY_PORT": "Carbon's cache queries",
            "GRAPHITE_PORT": "Graphite",
        },
        prepare_default,
    ),
    "edge": Profile(
        "Procfile.edge",
        {"PORT": 5000, "CARBON_PORT": 2003, "GRAPHITE_PORT": 8428},
        {
            "PORT": "the status page",
            "CARBON_PORT": "the store's plaintext receiver",
            "GRAPHITE_PORT": "the store",
        },
        prepare_edge,
    ),
}


def choose_profile(given: Mapping[str, str], find: Callable[[], object] = find_python) -> Profile:
    """What PROFILE names; unset, Graphite where a Python for it is found, else VictoriaMetrics, with a line.

    Raises NoPython where Graphite is asked for by name, and UnknownProfile.
    """
    name = given.get("PROFILE") or "auto"
    if name not in (*PROFILES, "auto"):
        raise UnknownProfile(f"PROFILE={name} refused: one of {', '.join(PROFILES)} is expected")
    if name == "auto":
        try:
            find()
        except NoPython as missing:
            if given.get("EMBEDDED_PYTHON"):
                raise
            print(
                f"Graphite needs Python 3.9 to 3.11 ({missing.seen}): VictoriaMetrics takes its place, as "
                "with PROFILE=edge",
                flush=True,
            )
            return replace(PROFILES["edge"], further=("fleet",))
        name = "default"
    return PROFILES[name]
