"""A real Apache with mod_wsgi that serves the page by the shipped apache/cloud_monitor.conf."""

from __future__ import annotations

import getpass
import grp
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.needs import need
from tests.services.support import absent, free_port, listens, wait_until

CHECKOUT = Path(__file__).resolve().parent.parent.parent
CONF = CHECKOUT / "apache/cloud_monitor.conf"
PROGRAM = "/usr/sbin/apache2"
MODULES = Path("/usr/lib/apache2/modules")
SHIPPED_PORT = 5000

_SERVER = """\
ServerRoot "{root}"
ServerName 127.0.0.1
PidFile "{root}/httpd.pid"
DefaultRuntimeDir "{root}"
Mutex file:{root} default
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule wsgi_module {modules}/mod_wsgi.so
User {user}
Group {group}
ErrorLog "{root}/error.log"
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
WSGISocketPrefix {root}/wsgi
MaxKeepAliveRequests 0
ThreadsPerChild 25
MaxRequestWorkers 100
Define CLOUD_MONITOR_USER {user}
Define CLOUD_MONITOR_GROUP {group}
Define CLOUD_MONITOR_PATH {checkout}
Include {conf}
"""


class Apache:
    """An Apache over the folder `root`, with its logs there. `url` is the page's."""

    def __init__(self, root: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.root = root
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.process = process

    def error_log(self) -> str:
        """What Apache and the page's processes have logged so far."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.root.glob("*error.log")))

    def daemons(self) -> list[int]:
        """Process ids of the page's processes: children of this Apache that are named after their group."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
                title = (folder / "cmdline").read_bytes()
            except (OSError, IndexError, ValueError):
                continue
            if parent == self.process.pid and title.startswith(b"(wsgi:"):
                found.append(int(folder.name))
        return sorted(found)


def account() -> tuple[str, str]:
    """User and group that the page's processes run as: Debian's for Apache, or whoever runs the tests."""
    if os.geteuid() == 0:
        return "www-data", "www-data"
    return getpass.getuser(), grp.getgrgid(os.getgid()).gr_name


def need_apache() -> None:
    """Skip, or in CI fail, where there is no Apache or where it could not read the checkout."""
    need("apache")
    if not Path(PROGRAM).exists() or not (MODULES / "mod_wsgi.so").exists():
        absent("apache2 and libapache2-mod-wsgi-py3 are not installed")
    unreadable = [folder for folder in CHECKOUT.parents if not folder.stat().st_mode & 0o001]
    if os.geteuid() == 0 and unreadable:
        absent(f"www-data cannot enter {unreadable[0]}, so Apache cannot serve this checkout")


def write_server(root: Path, conf: Path) -> Path:
    """Write a server configuration under `root` that includes `conf`; state and logs go to `root` too."""
    user, group = account()
    state = root / "state"
    state.mkdir(parents=True, exist_ok=True)
    for folder in (root, state, *state.rglob("*")):
        os.chown(folder, pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid)
    server = root / "httpd.conf"
    server.write_text(
        _SERVER.format(root=root, modules=MODULES, user=user, group=group, checkout=CHECKOUT, conf=conf)
    )
    return server


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that others may enter. pytest's own are closed again by every pytest that starts."""
    with tempfile.TemporaryDirectory(prefix="cloud-monitor-apache-") as name:
        folder = Path(os.path.realpath(name))
        folder.chmod(0o755)
        yield folder


@contextmanager
def run_apache(root: Path, environment: dict[str, str], conf_text: str | None = None) -> Iterator[Apache]:
    """Serve the page on a free port: the shipped file with nothing changed in it but the port.

    `root` is a folder that the account of the daemons can reach: see open_folder.
    """
    need_apache()
    port = free_port()
    conf = root / "cloud_monitor.conf"
    shipped = CONF.read_text() if conf_text is None else conf_text
    conf.write_text(shipped.replace(str(SHIPPED_PORT), str(port)))
    server = write_server(root, conf)
    variables = {"APACHE_LOG_DIR": str(root), "WEBAPP_STATE_DIR": str(root / "state"), **environment}
    process = subprocess.Popen(
        [PROGRAM, "-f", str(server), "-DFOREGROUND"],
        env={"PATH": os.defpath, **variables},
        stdin=subprocess.DEVNULL,
    )
    apache = Apache(root, port, process)
    try:

        def is_up() -> bool:
            assert process.poll() is None, f"Apache ended at once:\n{apache.error_log()}"
            return listens(port)

        wait_until(is_up, f"Apache on port {port}")
        yield apache
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def unshare_command() -> list[str]:
    """A command prefix that runs a program with a loopback network of its own, where every port is free."""
    need("root")
    program = shutil.which("unshare")
    if program is None or os.geteuid() != 0:
        absent("a network of one's own (unshare -n) needs root")
    return [program, "--net"]
