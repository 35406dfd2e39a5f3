"""A real HTCondor pool on loopback: `condor_pool` for the session, `CondorPool` for a test's own.

`tools/install-condor` unpacks the programs. CONDOR_CONFIG chooses the pool per process, so a test gives
`pool.env()` to the commands it starts and asks htcondor2 in a child (`pool.call`), never in its own process.
"""

from __future__ import annotations

import concurrent.futures
import ctypes
import json
import multiprocessing
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.services.needs import need
from tests.services.support import absent, free_port, wait_until

T = TypeVar("T")

TEMPLATE = Path(__file__).with_suffix(".config")
ALL_DAEMONS = "MASTER COLLECTOR NEGOTIATOR SCHEDD STARTD"
AD_OF_DAEMON = {"SCHEDD": "Scheduler", "STARTD": "Machine", "NEGOTIATOR": "Negotiator"}
AD_TYPES = frozenset(AD_OF_DAEMON.values())


def condor_prefix() -> Path:
    """Where tools/install-condor unpacks the suite to test against (CLOUD_MONITOR_CONDOR_SUITE)."""
    cache = Path("/var/cache/cloud-monitor") if os.geteuid() == 0 else Path.home() / ".cache/cloud-monitor"
    suite = os.environ.get("CLOUD_MONITOR_CONDOR_SUITE", "trixie")
    return Path(os.environ.get("CLOUD_MONITOR_TOOLS_DIR", cache)) / f"condor-{suite}"


@pytest.fixture(scope="session")
def condor_installation() -> Path:
    need("condor")
    prefix = condor_prefix()
    if (prefix / "usr/sbin/condor_master").exists():
        return prefix
    absent(f"no HTCondor in {prefix}: run tools/install-condor")


@pytest.fixture(scope="session")
def older_bindings(condor_installation: Path) -> Path:
    """A folder with the Python bindings of HTCondor 23, which still have the modules htcondor and classad."""
    folder = condor_installation.parent / "htcondor-bindings-23.10"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", temporary]
            done = subprocess.run(
                [*command, "htcondor==23.10.*"], capture_output=True, text=True, check=False
            )
            if done.returncode:
                absent(f"no htcondor 23.10 for this Python: {done.stderr.strip()[-300:]}")
            shutil.copytree(temporary, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def condor_pool(condor_installation: Path) -> Iterator[CondorPool]:
    """One partitionable slot (8 cores, 8 GB), shared by the tests of this process: leave the queue empty."""
    with CondorPool(condor_installation) as pool:
        yield pool


class CondorPool:
    def __init__(
        self, prefix: Path, directory: Path | None = None, *, extra: str = "", daemons: str = ALL_DAEMONS
    ) -> None:
        """extra: configuration lines; daemons: what the master starts (MASTER COLLECTOR SCHEDD: 0.3 s);
        directory: a new one, which goes with the pool."""
        self.prefix, self.extra, self.daemons = prefix, extra, daemons
        # Not pytest's tmp_path: every pytest that starts takes the daemons' user's way into that.
        self.directory = directory or Path(tempfile.mkdtemp(prefix="condor-pool-"))
        self.port = free_port()
        account = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.uid, self.gid = account.pw_uid, account.pw_gid
        self.master: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        return self.directory / "condor_config"

    @property
    def collector_host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def env(self, user: str | None = None) -> dict[str, str]:
        """The environment of a client of this pool, and of no other; user: whom it claims to be."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("_CONDOR_")}
        environment |= {
            "CONDOR_CONFIG": str(self.config),
            "PATH": f"{self.prefix}/usr/bin:{os.environ['PATH']}",
        }
        if user:
            environment |= {
                "_CONDOR_SEC_CLIENT_AUTHENTICATION_METHODS": "CLAIMTOBE",
                "_CONDOR_SEC_CLAIMTOBE_USER": user,
            }
        return environment

    # Life

    def start(self, timeout_s: float = 60) -> CondorPool:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        for name in ("log", "spool", "execute", "lock", "run", "tokens", "passwords"):
            path = self.directory / name
            path.mkdir(exist_ok=True, mode=0o700 if name in ("tokens", "passwords") else 0o755)
            os.chown(path, self.uid, self.gid)
        self.config.write_text(
            TEMPLATE.read_text().format(
                prefix=self.prefix, dir=self.directory, uid=self.uid, gid=self.gid, port=self.port,
                extra=self.extra, daemons=self.daemons,
            )
        )  # fmt: skip
        become = {"user": self.uid, "group": self.gid, "extra_groups": []} if os.geteuid() == 0 else {}
        with open(self.directory / "master.out", "wb") as output:
            self.master = subprocess.Popen(
                [self.prefix / "usr/sbin/condor_master", "-f"],
                env={"PATH": "/usr/bin:/bin", "CONDOR_CONFIG": str(self.config)}, cwd="/",
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True, preexec_fn=_die_with_parent, **become,
            )  # fmt: skip
        wanted = {ad for daemon, ad in AD_OF_DAEMON.items() if daemon in self.daemons.split()}
        try:
            logs = self.directory / "log"
            what, said = f"ads of {wanted} (see {logs})", self.directory / "master.out"
            wait_until(lambda: wanted <= self._ads_present(), what, timeout_s, self.master, said)
        except BaseException:
            self.stop()
            raise
        return self

    def _ads_present(self) -> set[str]:
        if self.master is None or self.master.poll() is not None:
            raise RuntimeError((self.directory / "master.out").read_text() or "condor_master ended")
        return set(self.tool("condor_status", "-any", "-af", "MyType", check=False).split())

    def stop(self, timeout_s: float = 10) -> None:
        if self.master is None or self.master.poll() is not None:
            return
        self.master.send_signal(signal.SIGQUIT)  # fast shutdown of all daemons
        try:
            self.master.wait(timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.master.pid, signal.SIGKILL)
            self.master.wait()

    def __enter__(self) -> CondorPool:
        return self.start()

    def __exit__(self, *exception: object) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    # Asking

    def tool(
        self,
        name: str,
        *arguments: str,
        user: str | None = None,
        stdin: str = "",
        check: bool = True,
        timeout_s: float = 60,
    ) -> str:
        """What a program of HTCondor printed."""
        program = next(path for d in ("bin", "sbin") if (path := self.prefix / "usr" / d / name).exists())
        done = subprocess.run(
            [program, *arguments],
            env=self.env(user), input=stdin, text=True, capture_output=True, timeout=timeout_s, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise RuntimeError(f"{name} {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def call(self, function: Callable[..., T], *arguments: Any, user: str | None = None) -> T:
        """function(*arguments) in a fresh process that belongs to this pool; both must be picklable."""
        with concurrent.futures.ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), _become, (self.env(user), list(sys.path))
        ) as executor:
            return executor.submit(function, *arguments).result(timeout=300)

    def jobs(self, constraint: str = "true") -> list[dict[str, Any]]:
        """Every queued job's whole ad, by condor_q."""
        return _json(self.tool("condor_q", "-allusers", "-constraint", constraint, "-json"))

    def slots(self, constraint: str = "true") -> list[dict[str, Any]]:
        """Every slot's whole ad, by condor_status."""
        return _json(self.tool("condor_status", "-constraint", constraint, "-json"))

    def statuses(self, constraint: str = "true") -> list[int]:
        return [job["JobStatus"] for job in self.jobs(constraint)]

    # Acting

    def submit(
        self,
        user: str = "alice",
        *,
        queue: int = 1,
        executable: str = "/bin/sleep",
        arguments: str = "3600",
        **commands: str,
    ) -> int:
        """Queue jobs as a user; the cluster's number. commands are further submit commands (hold="true"),
        those with a leading `MY_` set an attribute of the ad (MY_TargetClouds='"east"')."""
        description = {
            "executable": executable, "arguments": arguments, "initialdir": "/tmp",
            "transfer_executable": "false", "should_transfer_files": "no",
            "request_cpus": "1", "request_memory": "16", "request_disk": "1024", **commands,
        }  # fmt: skip
        lines = [
            f"{'MY.' + key[3:] if key.startswith('MY_') else key} = {value}"
            for key, value in description.items()
        ]
        text = "\n".join([*lines, f"queue {queue}", ""])
        return int(self.tool("condor_submit", "-terse", "-", user=user, stdin=text).split(".")[0])

    def advertise_slots(self, ads: Iterable[Mapping[str, object]]) -> None:
        """Make the collector daemon believe in these slots. An ad needs Name and Machine; the rest has a
        default (an unclaimed static slot of one core), a str is quoted, and the ads live a day."""
        texts = [_classad({**_fake_slot(ad), **ad}) for ad in ads]
        path = self.directory / "advertise.ads"
        path.write_text("\n\n".join(texts) + "\n")
        self.tool("condor_advertise", "-multiple", "UPDATE_STARTD_AD", str(path))

    def invalidate_slots(self, constraint: str) -> None:
        """Take slots out of the collector daemon again."""
        ad = f'MyType = "Query"\nTargetType = "Machine"\nRequirements = {constraint}\n'
        self.tool("condor_advertise", "INVALIDATE_STARTD_ADS", stdin=ad)

    @contextmanager
    def advertised_schedd(self, name: str, address: str) -> Iterator[None]:
        """Make the collector daemon believe in a schedd at host:port, for a while."""
        ad = {
            "MyType": "Scheduler", "Name": name, "Machine": name, "MyAddress": f"<{address}>",
            "ScheddIpAddr": f"<{address}>", "CondorVersion": "$CondorVersion: 23.9.6 2024-08-08 $",
        }  # fmt: skip
        self.tool("condor_advertise", "UPDATE_SCHEDD_AD", stdin=_classad(ad) + "\n")
        try:
            yield
        finally:
            query = {"MyType": "Query", "TargetType": "Scheduler"}
            text = f"{_classad(query)}\nRequirements = Name == {json.dumps(name)}\n"
            self.tool("condor_advertise", "INVALIDATE_SCHEDD_ADS", stdin=text)

    def remove_jobs(self, timeout_s: float = 30) -> None:
        """Empty the queue, also of completed jobs that ask to stay.

        Force comes last: it drops a job that is still on its slot, and the slot is lost for a minute.
        """
        self.tool("condor_rm", "-all", check=False)
        with suppress(AssertionError):
            wait_until(lambda: not self.jobs("RemoteHost =!= undefined"), "jobs off their slots", timeout_s)
        self.tool("condor_rm", "-all", "-forcex", check=False)
        wait_until(lambda: not self.jobs(), "an empty queue", timeout_s)


def _fake_slot(ad: Mapping[str, object]) -> dict[str, object]:
    address = f"<127.0.0.1:9?sock={ad['Machine']}>"
    return {
        "MyType": "Machine", "MyAddress": address, "StartdIpAddr": address, "SlotID": 1, "SlotType": "Static",
        "State": "Unclaimed", "Activity": "Idle", "Cpus": 1, "TotalSlotCpus": 1, "Memory": 1024,
        "TotalSlotMemory": 1024, "Disk": 1 << 20, "TotalSlotDisk": 1 << 20, "ClassAdLifetime": 86400,
        "Requirements": False, "START": False,
    }  # fmt: skip


def _classad(ad: Mapping[str, object]) -> str:
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in ad.items())


def _json(text: str) -> list[dict[str, Any]]:
    return json.loads(text) if text.strip() else []


def _become(environment: dict[str, str], path: list[str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = path


def _die_with_parent() -> None:
    """Between fork and exec: ask the kernel for SIGQUIT when the tests die, so that no pool outlives them."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT, 0, 0, 0)
