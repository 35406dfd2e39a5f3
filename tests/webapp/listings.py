"""Lists of VMs and jobs as a collector sends them, and the way there."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.webapp.sample import NOW

TOKEN = "c2VjcmV0LW9mLXRoZS10ZXN0cw"


def write_token(folder: Path) -> Path:
    file = folder / "inventory-token"
    file.write_text(f"{TOKEN}\n")
    return file


def vm(host: str, status: str = "running", **more: Any) -> dict[str, Any]:
    known = {"name": f"i-{host}", "cloud": "cern", "vmtype": "large", "machine": host, "idle": False}
    return {"host": host, "status": status, **known, "registered": True, "busy_slots": 6, "slots": 8, **more}


def job(number: str, status: str = "running", **more: Any) -> dict[str, Any]:
    known = {"types": ["sim"], "user": "alice", "group": "group_prod", "queued_at": NOW - 7200, "starts": 1}
    return {"id": number, "status": status, "schedd": "sched-1", **known, **more}


def listing(taken_at: int = NOW, vms: Any = (), jobs: Any = (), **more: Any) -> dict[str, Any]:
    return {"version": 1, "taken_at": taken_at, "vms": vms, "jobs": jobs, **more}


def sample_list(taken_at: int = NOW) -> dict[str, Any]:
    """VMs in every state that is shown differently, and jobs in the usual ones."""
    return listing(
        taken_at,
        [
            *(vm(f"vm{number}.cern.example", since=NOW - 60 * number) for number in range(1, 9)),
            vm("vm9.cern.example", "error", since=NOW - 4000),
            vm("vm10.uvic.example", "lost", cloud="uvic", vmtype="small"),
            vm("vm11.uvic.example", "running", cloud="uvic", registered=False, busy_slots=None, slots=None),
            vm("vm12.cern.example", "running", idle=True, busy_slots=0),
        ],
        [
            job("100.0", host="vm1.cern.example", cloud="cern", since=NOW - 600),
            job("100.1", "held", hold_code=34, hold_reason="used 9 GB of 4 GB", last_host="vm1.cern.example"),
            job("100.2", "idle", types=["sim", "mcore"]),
            job("99.0", "idle", schedd="sched-2", user="bob"),
        ],
        vms_total=12,
        jobs_total={"running": 1, "held": 1, "idle": 2},
    )


def put_list(app: Flask, grid: str, body: Any, token: str | None = TOKEN, **headers: str) -> TestResponse:
    """The answer to a list sent as the collector sends it; a `body` of bytes is sent as it is."""
    content = body if isinstance(body, bytes) else gzip.compress(json.dumps(body).encode())
    given = {"Content-Type": "application/json", "Content-Encoding": "gzip", **headers}
    if token is not None:
        given["Authorization"] = f"Bearer {token}"
    return app.test_client().put(f"/api/inventory/{grid}", data=content, headers=given)
