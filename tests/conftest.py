"""Makes the service fixtures known to every test, and marks each test with the services that it needs."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.services import shared
from tests.services.dealing import Together, unit_of
from tests.services.needs import GRANTED, SERVICES, needs_of
from tests.services.programs import end_programs
from tests.services.short import examples, temporary_root

# Where it is set, each of the hundreds of programs that tests start would compile the project anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell's background job ignores it, and so would all programs that tests start and interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Each pytest that starts closes the folder it shares with others to other users, whom tests let in.
_own = Path(temporary_root(), f"cloud-monitor-{crc32(os.fsencode(__file__)):x}")
if "PYTEST_DEBUG_TEMPROOT" not in os.environ:
    _own.mkdir(exist_ok=True)
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(_own)

# A busy machine is no fault of what is tested. The examples are the same in each run, so that one fails by
# what was changed; `make soak` searches among others.
hypothesis.settings.register_profile(
    "any machine", deadline=None, derandomize="SEARCH" not in os.environ, max_examples=examples(100)
)
hypothesis.settings.load_profile("any machine")

pytest_plugins = [
    "tests.services.azurite",
    "tests.services.certificates",
    "tests.services.chromium",
    "tests.services.condor",
    "tests.services.ec2_cloud",
    "tests.services.forks",
    "tests.services.graphite",
    "tests.services.nova_cloud",
    "tests.services.postgres",
    "tests.services.postgres_pair",
    "tests.services.victoriametrics",
]

# What takes longest begins first, so that no process of the run is left with it at the end.
LONGEST_FIRST = ("browser", "condor", "made", "fleet", "apache")


def pytest_configure(config: pytest.Config) -> None:
    for service, meaning in SERVICES.items():
        config.addinivalue_line("markers", f"{service}: needs {meaning}")
    config.addinivalue_line("markers", "fast: needs nothing but the Python packages (make test-fast)")


def pytest_collection() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    """What was imported stays: the collector need not go through it again and again while tests run, nor
    look after every 700 new objects for what these left.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


def pytest_itemcollected(item: pytest.Item) -> None:
    needs = needs_of(item)
    for service in needs:
        item.add_marker(service)
    if not needs and item.get_closest_marker("soak") is None:
        item.add_marker("fast")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    return Together(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    turns: dict[str, int] = {}
    for item in items:
        unit = unit_of(item.nodeid)
        turns[unit] = min(_turn(item), turns.get(unit, len(LONGEST_FIRST)))
    items.sort(key=lambda item: turns[unit_of(item.nodeid)])


def _turn(item: pytest.Item) -> int:
    found = [turn for turn, service in enumerate(LONGEST_FIRST) if item.get_closest_marker(service)]
    return min(found, default=len(LONGEST_FIRST))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    os.environ[GRANTED] = ",".join(mark.name for mark in item.iter_markers() if mark.name in SERVICES)
    try:
        return (yield)  # type: ignore[return-value]
    finally:
        del os.environ[GRANTED]


def pytest_sessionfinish() -> None:
    end_programs()
    shared.close_all()
    gc.collect()
    gc.freeze()  # pytest collects five times more as it ends, through all that was ever imported
