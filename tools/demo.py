"""`make demo`: what `make run` starts, beside it grids with trouble in them, and alerts to a mailbox here.

Nothing of it leaves the machine. Mail lies in STATE_DIR/mailbox (a maildir: `ls STATE_DIR/mailbox/new`).
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from tools.run import Addition, main

MAIL_PORT = 2525
ALERTS = """\
# Of the demo: times are short, so that there is something to read after two minutes.
base_url = "http://127.0.0.1:{page}"
[channels]
mail = "mailto://127.0.0.1:{mail}?from=monitor@demo.example&to=ops@demo.example&mode=insecure"
[[rule]]
name = "grid_silent"
for = "1m"
[[rule]]
name = "vms_error"
for = "1m"
[[rule]]
name = "vms_lost"
for = "1m"
"""


def demo(ports: Mapping[str, int], state: Path, carbon: str) -> Addition:
    """The further processes and what they and the page are given."""
    rules, mailbox = state / "demo-alerts.toml", state / "mailbox"
    rules.write_text(ALERTS.format(page=ports["PORT"], mail=ports["MAIL_PORT"]))
    python = shlex.quote(sys.executable)
    receiver = f"aiosmtpd -n -c aiosmtpd.handlers.Mailbox {shlex.quote(str(mailbox))}"
    print(f"mail of alerts: {mailbox}/new", flush=True)
    return Addition(
        {
            "grids": f"exec {python} -m tools.demo_grids {shlex.quote(carbon)}",
            "mail": f"exec {python} -m {receiver} -l 127.0.0.1:{ports['MAIL_PORT']}",
        },
        {
            "WEBAPP_ALERTS_FILE": str(rules),
            "WEBAPP_TITLE": "Cloud Monitor demo",
            "WEBAPP_FLEET_PICTURES": str(state / "worker/results"),  # nothing secret in it here
            "WORKER_THUMBNAILS": "1",
        },
    )


if __name__ == "__main__":
    sys.exit(main(demo, {"MAIL_PORT": MAIL_PORT}, "state/demo"))  # nothing of it among what make run measured
