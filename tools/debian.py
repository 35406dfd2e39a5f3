"""Take programs from a newer Debian suite than the host's, beside the system and without touching it.

The packages come from the mirror that the host's own apt sources name, but with an apt state of our own: the
system's lists, package database and sources are neither read for versions nor changed, so neither root nor
sudo is needed. What is unpacked lies in TOOLS_DIR: CLOUD_MONITOR_TOOLS_DIR, or /var/cache/cloud-monitor for
root, whose trees serve every user, or ~/.cache/cloud-monitor. A tree is unpacked under a temporary name and
renamed when it is whole.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

SYSTEM_TOOLS = Path("/var/cache/cloud-monitor")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

APT_CONF = """\
Dir::Etc::SourceList "{work}/sources.list";
Dir::Etc::SourceParts "{work}/empty";
Dir::Etc::Preferences "{work}/none";
Dir::Etc::PreferencesParts "{work}/empty";
Dir::State::Lists "{work}/lists";
Dir::State::status "{work}/status";
Dir::Cache "{work}/cache";
Acquire::Languages "none";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
DPkg::Pre-Install-Pkgs {{}};
DPkg::Post-Invoke {{}};
APT::Update::Post-Invoke {{}};
APT::Update::Post-Invoke-Success {{}};
"""


class Failure(Exception):
    """What went wrong and what to do, for the person at the terminal."""


class Source(NamedTuple):
    mirror: str
    keyring: str


def tools_dir() -> Path:
    """Folder of what is installed beside the clone; honours CLOUD_MONITOR_TOOLS_DIR."""
    if given := os.environ.get("CLOUD_MONITOR_TOOLS_DIR"):
        return Path(given).resolve()
    return SYSTEM_TOOLS if os.geteuid() == 0 else Path.home() / ".cache/cloud-monitor"


def find_tree(name: str) -> Path:
    """Where a tree lies, or is to lie: what root installed on this machine serves every user."""
    own, shared = tools_dir() / name, SYSTEM_TOOLS / name
    given = "CLOUD_MONITOR_TOOLS_DIR" in os.environ
    return shared if not given and not own.exists() and os.access(shared, os.X_OK) else own


def install_tree(
    prefix: Path, suite: str, fetch: Callable[[Apt], list[Path]], finish: Callable[[Path], None]
) -> None:
    """Unpack what `fetch` downloads and let `finish` prepare it; at `prefix` it is whole or absent."""
    if prefix.exists():
        return
    os.umask(0o022)
    try:
        prefix.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(
            f"{prefix.parent} cannot be made ({error.strerror}): install it as root, for all users of this "
            "machine, or name a folder in CLOUD_MONITOR_TOOLS_DIR"
        ) from error
    with open(prefix.parent / f".{prefix.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes that start together wait for the first
        if prefix.exists():
            return
        with tempfile.TemporaryDirectory(prefix=f".{prefix.name}-", dir=prefix.parent) as temporary:
            work, tree = Path(temporary), Path(temporary) / "tree"
            unpack(fetch(Apt(work, suite)), tree)
            finish(tree)
            tree.rename(prefix)


def read_source(etc_apt: Path) -> Source:
    """The host's mirror of Debian's main archive, from its deb822 or one-line sources."""
    parts = etc_apt / "sources.list.d"
    for path in (*sorted(parts.glob("*.sources")), etc_apt / "sources.list", *sorted(parts.glob("*.list"))):
        if not path.is_file():
            continue
        text = path.read_text()
        for source in read_deb822(text) if path.suffix == ".sources" else read_one_line(text):
            return source
    raise Failure("no source of Debian's main archive in /etc/apt: this needs a Debian host")


def read_deb822(text: str) -> list[Source]:
    found = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = {
            key.strip().lower(): value.strip()
            for key, _, value in (
                line.partition(":") for line in stanza.splitlines() if not line.startswith("#")
            )
        }
        if is_main(fields.get("uris", ""), fields.get("suites", ""), fields.get("components", "")):
            found.append(Source(fields["uris"].split()[0], fields.get("signed-by") or KEYRING))
    return found


def read_one_line(text: str) -> list[Source]:
    found = []
    for line in text.splitlines():
        match = re.match(
            r"deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<rest>.*)", line
        )
        if match and is_main(match["uri"], match["suite"], match["rest"]):
            signed_by = re.search(r"signed-by=(\S+)", match["options"] or "")
            found.append(Source(match["uri"], signed_by[1] if signed_by else KEYRING))
    return found


def is_main(uris: str, suites: str, components: str) -> bool:
    """Debian's own archive: not its security part, and no other vendor's."""
    host_path = uris.split()[0].rstrip("/") if uris.split() else ""
    return host_path.endswith("/debian") and "main" in components.split() and "-security" not in suites


class Apt:
    """An apt that knows one suite of the host's mirror, and nothing that is installed; it lies in `work`."""

    def __init__(self, work: Path, suite: str) -> None:
        if not re.fullmatch(r"[a-z][a-z-]*", suite):
            raise Failure(f"{suite!r} is no Debian suite; for example trixie or sid")
        self.work = work
        self.archives = work / "cache/archives"
        source = read_source(Path("/etc/apt"))
        for name in ("lists/partial", "cache/archives/partial", "empty"):
            (work / name).mkdir(parents=True)
        (work / "status").touch()
        (work / "sources.list").write_text(f"deb [signed-by={source.keyring}] {source.mirror} {suite} main\n")
        (work / "apt.conf").write_text(APT_CONF.format(work=work))
        self._run("update")

    def fetch_with_dependencies(self, *packages: str) -> list[Path]:
        """The .deb files of the packages and of all they depend on."""
        self._run("install", "--yes", "--download-only", *packages)
        return sorted(self.archives.glob("*.deb"))

    def fetch_alone(self, *packages: str) -> list[Path]:
        """The .deb files of the packages and no others."""
        self._run("download", *packages)
        return sorted(self.archives.glob("*.deb"))

    def _run(self, *arguments: str) -> None:
        variables = {"APT_CONFIG": str(self.work / "apt.conf"), "DEBIAN_FRONTEND": "noninteractive"}
        try:
            done = subprocess.run(
                ["apt-get", "-qq", "-o", "Debug::NoLocking=1", *arguments],
                env=os.environ | variables, cwd=self.archives, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise Failure("apt-get is missing: this needs a Debian host") from None
        if done.returncode:
            raise Failure(f"apt-get {arguments[0]} failed:\n{done.stderr.strip()}")


def unpack(packages: Sequence[Path], tree: Path) -> None:
    """Unpack .deb files into one tree, without their documentation."""
    tree.mkdir(mode=0o755)
    for package in packages:
        try:
            contents = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE)
        except FileNotFoundError:
            raise Failure("dpkg-deb is missing: this needs a Debian host") from None
        untar = subprocess.run(
            ["tar", "-xf", "-", "-C", tree, "--no-same-owner", "--keep-directory-symlink",
             "--exclude=./usr/share/doc/*", "--exclude=./usr/share/man/*", "--exclude=./usr/share/locale/*"],
            stdin=contents.stdout, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if contents.wait() or untar.returncode:
            raise Failure(f"cannot unpack {package.name}: {untar.stderr.strip()}")
