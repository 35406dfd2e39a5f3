"""A grid of about 2,000 series for the small machine: what `cloud_status -aj` would print, in a file."""

from __future__ import annotations

import json
from pathlib import Path

STATES = ("Starting", "Running", "Retiring", "Shutdown", "Error", "Suspended", "Stopped")
VM_TYPES = ("himem", "analysis", "simulation")


def write_cloud_status(path: Path, clouds: int) -> None:
    """Each cloud has VMs of every type in every state; 36 series a cloud come of it."""
    rows = [_cloud(number) for number in range(clouds)]
    path.write_text(json.dumps({"resources": rows}))


def _cloud(number: int) -> dict[str, object]:
    vms = [
        {"vmtype": vmtype, "status": state, "hostname": f"vm-{number}-{kind}-{at}.cloud{number}.example.org"}
        for kind, vmtype in enumerate(VM_TYPES)
        for at, state in enumerate(STATES)
    ]
    name = f"cloud{number:02d}"
    return {"name": name, "enabled": True, "max_slots": 50, "connection_problem": False, "vms": vms}
