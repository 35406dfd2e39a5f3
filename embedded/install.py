"""Install Carbon and graphite-web into an environment of their own, once for every clone of this user.

`python3 -m embedded.install` prints the environment's folder; it needs the standard library alone.
Their Django 3.0 stays away from our packages; their setup does not run on Python 3.12 and later, so an older
interpreter is looked for. EMBEDDED_PYTHON names one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from embedded.store import web_environment
from tools.debian import tools_dir

HERE = Path(__file__).resolve().parent
PYTHONS = ("python3.11", "python3", "python3.10", "python3.9", "/usr/bin/python3")
PROBE = (
    "import os, sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2], os.path.realpath(sys.executable))"
)
ADVICE = """\
Graphite needs Python 3.9 to 3.11 with its venv module, and none was found: {seen}.
Install one (Debian 12: apt-get install python3-venv; elsewhere: python3.11 and python3.11-venv, or pyenv),
or name one: EMBEDDED_PYTHON=/path/to/python3.11 make run"""


class NoPython(Exception):
    """No interpreter that Graphite runs on was found: the message says what to install, `seen` what was."""

    def __init__(self, seen: str) -> None:
        super().__init__(ADVICE.format(seen=seen))
        self.seen = seen


EXIT_NO_PYTHON = 3  # and none was named: another store may take Graphite's place


def find_python() -> tuple[str, str]:
    """(version, path) of the first interpreter from 3.9 to 3.11 that can make environments."""
    seen = []
    named = os.environ.get("EMBEDDED_PYTHON")
    for name in (named,) if named else (sys.executable, *PYTHONS):
        path = shutil.which(name)
        if path is None:
            seen.append(f"{name} is not there")
            continue
        probe = subprocess.run([path, "-c", PROBE], capture_output=True, text=True, timeout=30, check=False)
        version, _, executable = probe.stdout.strip().partition(" ")
        if probe.returncode != 0:
            seen.append(f"{path} has no venv module")
        elif version not in ("3.9", "3.10", "3.11"):
            seen.append(f"{path} is {version}")
        else:
            return version, executable
    raise NoPython(", ".join(dict.fromkeys(seen)))


def install(say: bool = True) -> Path:
    """The environment's folder; builds it where it is missing or was left half built."""
    version, python = find_python()
    wanted = (HERE / "requirements.txt").read_bytes() + python.encode()
    env = tools_dir() / f"graphite-py{version}-{hashlib.sha256(wanted).hexdigest()[:10]}"
    ready = env / "ready"
    if ready.exists():
        return env
    env.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{env}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            if say:
                print(
                    f"installing Carbon and graphite-web into {env} (with {python})",
                    file=sys.stderr,
                    flush=True,
                )
            shutil.rmtree(env, ignore_errors=True)
            _build(env, python)
            ready.touch()
    return env


def _build(env: Path, python: str) -> None:
    def run(*command: str, **variables: str) -> None:
        subprocess.run(command, check=True, stdout=sys.stderr, env=os.environ | variables)

    run(python, "-m", "venv", str(env))
    run(
        str(env / "bin/pip"),
        "install",
        "-qq",
        "--no-input",
        "--no-compile",
        "-r",
        str(HERE / "requirements.txt"),
    )
    # graphite-web's own pages want a database; made here once, copied into each STATE_DIR.
    template = env / "template"
    (template / "log/webapp").mkdir(parents=True)
    run(
        str(env / "bin/django-admin"), "migrate", "--run-syncdb", "-v0",
        **web_environment(template, query_port=0),
    )  # fmt: skip


if __name__ == "__main__":
    try:
        print(install())
    except NoPython as refusal:
        if not os.environ.get("EMBEDDED_PYTHON") and os.environ.get("PROFILE") != "default":
            sys.exit(EXIT_NO_PYTHON)
        sys.exit(str(refusal))
    except subprocess.CalledProcessError as failure:
        sys.exit(f"Graphite was not installed: {' '.join(map(str, failure.cmd))} failed (see above)")
