"""`make run MACHINES=1`: a group of machines of this host does the fleet's work, and /machines shows it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from tools.ports import Refused

COMMAND = "exec python -m worker machines autoscale"
CONFIG = """\
fleet = "make-run"
every_s = 5

[preset.small]
cores = 1
memory_gb = 2

[provider.here]
kind = "local"
memory_mb = 2048
folder = "{folder}"

[group.demo]
most = 2
drain_s = 600
idle_s = 30
leave_idle_s = 60
[[group.demo.place]]
provider = "here"
preset = "small"
price_per_hour = 0.1
"""


def prepare_machines(state: Path, queue: str) -> dict[str, str]:
    """The environment of the manager and of a page that may change machines by the token in `changers`, which
    is made here, as the configuration is where there is none. Raises Refused unless root asks.
    """
    if os.geteuid() != 0:
        raise Refused("MACHINES=1 makes machines of this host, which takes root: sudo make run MACHINES=1")
    config, changers = state / "machines.toml", state / "changers"
    if not config.exists():
        config.write_text(CONFIG.format(folder=state / "machines"))
    if not changers.exists():
        descriptor = os.open(changers, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w") as new:
            new.write(f"operator {secrets.token_urlsafe(24)}\n")
    return {
        "WORKER_MACHINES_CONFIG": str(config),
        "WORKER_DATABASE_URL": queue,
        "WEBAPP_WISHES_DATABASE_URL": queue,
        "WEBAPP_TOKEN_FILE": str(changers),
    }
