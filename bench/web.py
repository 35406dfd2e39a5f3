"""The page under the shipped Apache configuration: a static file of its size, a Flask view that returns ready
bytes (the peer), the page, its 304 and /api/status; in one run, under one Apache of 5 processes x 5 threads.

Requests per second and latency come from wrk; then half of each one's peak is offered at a constant rate by a
client that measures from the intended start. Memory is that of each process after the load.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import NamedTuple

import requests

from bench.constant_rate import offer
from bench.pss import read_tree_pss_mb
from tests.services.apache import CONF, Apache, open_folder, run_apache
from tests.webapp.sample import write_sample

GZIP = "Accept-Encoding: gzip"
GRIDS = tuple(f"grid{number}" for number in range(4))
_PEER = """\
import site

site.addsitedir({site_packages!r})
from pathlib import Path

from flask import Flask, Response

BODY = (Path(__file__).parent / "page.gz").read_bytes()
application = Flask(__name__)


@application.get("/")
def show() -> Response:
    return Response(BODY, content_type="text/html; charset=utf-8", headers={{"Content-Encoding": "gzip"}})
"""


class Load(NamedTuple):
    requests_per_s: float
    p50_ms: float
    p99_ms: float


def configuration(root: Path) -> str:
    """The shipped file, with a static file and the peer put beside the page."""
    beside = f"""
    WSGIDaemonProcess peer processes=5 threads=5 user=${{CLOUD_MONITOR_USER}} group=${{CLOUD_MONITOR_GROUP}}
    WSGIScriptAlias /peer {root}/peer.wsgi process-group=peer application-group=%{{GLOBAL}}
    Alias /file {root}/page.gz
    <Directory {root}>
        Require all granted
    </Directory>
"""
    shipped = CONF.read_text().replace("    WSGIScriptAlias / ", beside + "    WSGIScriptAlias / ")
    return "LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so\n" + shipped


def wrk(url: str, seconds: int, *headers: str) -> Load:
    """wrk's own closed loop: 16 connections that ask as fast as they are answered."""
    wait_for_room_in_the_minute(seconds + 1)
    options = [option for header in headers for option in ("-H", header)]
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", *options, url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(f"{url}: {text}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p50, p99 = (re.search(rf"\s{percent}%\s+([\d.]+)(us|ms|s)", text) for percent in (50, 99))
    if not (rate and p50 and p99):
        raise RuntimeError(f"wrk printed something else: {text}")
    return Load(float(rate[1]), milliseconds(*p50.groups()), milliseconds(*p99.groups()))


def milliseconds(number: str, unit: str) -> float:
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def wait_for_room_in_the_minute(seconds: float) -> None:
    """An ETag holds for a minute at most: begin early enough in one."""
    left = 60 - time.time() % 60
    if left < seconds:
        time.sleep(left + 0.5)


def say(name: str, value: float, unit: str, against: str = "", ratio: float | None = None) -> None:
    line: dict[str, object] = {"name": name, "value": round(value, 3), "unit": unit}
    if ratio is not None:
        line |= {"against": against, "ratio": round(ratio, 3)}
    print(json.dumps(line), flush=True)


def measure(apache: Apache, seconds: int, rounds: int, tiny: bool) -> None:
    page = requests.get(f"{apache.url}/", timeout=60)
    etag = f"If-None-Match: {page.headers['ETag']}"
    cases = {
        "static": ("/file", [GZIP]),
        "flask": ("/peer/", [GZIP]),
        "page": ("/", [GZIP]),
        "304": ("/", [GZIP, etag]),
        "api_status": ("/api/status", [GZIP]),
    }
    loads: dict[str, list[Load]] = {name: [] for name in cases}
    for path, headers in () if tiny else cases.values():
        wrk(f"{apache.url}{path}", 1, *headers)  # every process has rendered or imported what it needs
    for _ in range(rounds):
        for name, (path, headers) in cases.items():
            loads[name].append(wrk(f"{apache.url}{path}", seconds, *fresh(apache, name, headers)))
    median = {
        name: Load(*(statistics.median(column) for column in zip(*found, strict=True)))
        for name, found in loads.items()
    }
    peer = median["flask"].requests_per_s
    for name, load in median.items():
        say(
            f"web_{name}",
            load.requests_per_s,
            "requests/s",
            "a Flask view returning ready bytes",
            load.requests_per_s / peer,
        )
        say(f"web_{name}_p50", load.p50_ms, "ms")
        say(f"web_{name}_p99", load.p99_ms, "ms")
    for name in ("static", "flask", "page", "304", "api_status"):
        path, headers = cases[name]
        wait_for_room_in_the_minute(seconds + 2)
        lines = "".join(f"{header}\r\n" for header in fresh(apache, name, headers))
        # the static file at the page's rate, beside which its latency is read
        rate = median["page" if name == "static" else name].requests_per_s / 2
        latencies = sorted(offer(apache.port, path, lines, rate, max(0.2, 2 / rate) if tiny else seconds))
        p99_ms = latencies[int(len(latencies) * 0.99)] * 1000
        say(f"web_{name}_at_{rate:.0f}_per_s_p99", p99_ms, "ms")
    for pid in apache.daemons():
        say("web_memory_per_process", read_tree_pss_mb(pid), "MB PSS")


def fresh(apache: Apache, name: str, headers: list[str]) -> list[str]:
    """The headers, with the ETag of this minute for the 304."""
    if name != "304":
        return headers
    wait_for_room_in_the_minute(8)
    etag = requests.head(f"{apache.url}/", timeout=60).headers["ETag"]
    return [GZIP, f"If-None-Match: {etag}"]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="a second each at most, for the output only")
    options = parser.parse_args(arguments)
    if shutil.which("wrk") is None:
        print("wrk is not installed: apt-get install wrk", file=sys.stderr)
        return 2
    seconds, rounds = (1, 1) if options.tiny else (5, 3)
    with open_folder() as root:
        write_sample(root / "state", time.time(), GRIDS)
        (root / "peer.wsgi").write_text(_PEER.format(site_packages=sysconfig.get_path("purelib")))
        (root / "page.gz").write_bytes(b"")
        variables = {"WEBAPP_GRAPHITE_URL": "http://127.0.0.1:1", "WEBAPP_POLL_EVERY_S": "3600"}
        with run_apache(root, variables, configuration(root)) as apache:
            answer = requests.get(
                f"{apache.url}/", headers={"Accept-Encoding": "gzip"}, stream=True, timeout=60
            )
            body = answer.raw.read(decode_content=False)
            (root / "page.gz").write_bytes(body)
            say("web_page_bytes", len(body), "bytes gzip")
            measure(apache, seconds, rounds, options.tiny)
    return 0


if __name__ == "__main__":
    sys.exit(main())
