"""A history of many days in a real store: minute by minute, or as Carbon's archives would hold it."""

from __future__ import annotations

import subprocess
import time
from typing import NamedTuple

from tests.services.graphite import Graphite
from tests.services.support import wait_until
from tests.services.victoriametrics import VictoriaMetrics

DAY_S = 86400
# Whisper's own module, in the environment of Carbon.
_FILL = """
import os, sys, whisper
now, days, *files = sys.argv[1:]
now, days = int(now), int(days)
archives = [(60, 43200), (600, 52560), (3600, 43800)]
value = lambda at: float(at // 60 % 997)
for file in files:
    os.makedirs(os.path.dirname(file), exist_ok=True)
    whisper.create(file, archives, 0.0, "average")
    fine = min(days * 86400, 43200 * 60 - 3600)
    old = [(at, value(at)) for at in range(now - days * 86400 + 1200, now - fine, 600)]
    if old:
        whisper.update_many(file, old)
    for start in range(now - fine, now, 86400):
        whisper.update_many(file, [(at, value(at)) for at in range(start, min(start + 86400, now), 60)])
"""


class Shape(NamedTuple):
    days: int  # of the first series
    series: int  # of all
    points: int  # minutes of the others


def feed_victoriametrics(store: VictoriaMetrics, long: list[str], short: list[str], shape: Shape) -> None:
    minute = int(time.time()) // 60 * 60
    for day in range(shape.days, 0, -1):
        for path in long:
            start = minute - day * DAY_S
            store.send((path, float(at // 60 % 997), at) for at in range(start, start + DAY_S, 60))
    for path in short:
        start = minute - (shape.points + 120) * 60
        store.send((path, at / 7, at) for at in range(start, minute, 60))
    newest = [*long, *short][-1]
    wait_until(lambda: store.render(newest), newest)


def feed_graphite(graphite: Graphite, long: list[str], short: list[str], shape: Shape) -> None:
    """Files written beside a running Carbon, which need not know of them."""

    def file(path: str) -> str:
        return str(graphite.whisper_dir / f"{path.replace('.', '/')}.wsp")

    minute = str(int(time.time()) // 60 * 60)
    python = str(graphite.environment / "bin/python")
    days = str(shape.points // 1440 + 2)
    for some, length in ((long, str(shape.days)), (short, days)):
        command = [python, "-c", _FILL, minute, length, *map(file, some)]
        subprocess.run(command, check=True)
    wait_until(lambda: graphite.render(long[0], since="-1h"), long[0])
