"""Configure an embedded Carbon and graphite-web under a folder, and say how each is started."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from string import Template

HERE = Path(__file__).resolve().parent
RETENTIONS = "60s:30d,10m:1y,1h:5y"


@dataclass(frozen=True)
class Ports:
    """Loopback ports; a line port of 0 leaves the plaintext receiver off."""

    pickle: int
    query: int
    web: int
    line: int = 0


def configure(root: Path, env: Path, ports: Ports, retentions: str = RETENTIONS) -> None:
    """Write what both programs read into `root`/conf and make `root`/storage; data that is there stays."""
    conf, storage = root / "conf", root / "storage"
    for folder in (conf, storage / "whisper", storage / "log/webapp"):
        folder.mkdir(parents=True, exist_ok=True)
    values = {
        "storage": str(storage),
        "retentions": retentions,
        "pickle_port": str(ports.pickle),
        "line_port": str(ports.line),
        "query_port": str(ports.query),
    }
    for name in ("carbon.conf", "storage-schemas.conf", "storage-aggregation.conf"):
        (conf / name).write_text(_fill((HERE / name).read_text(), values))
    if not (storage / "graphite.db").exists():
        shutil.copyfile(env / "template/graphite.db", storage / "graphite.db")
    # Left by a Carbon that was killed; Carbon would take a stranger with the same pid for itself.
    (root / "carbon.pid").unlink(missing_ok=True)


def carbon_command(env: Path, root: Path) -> list[str]:
    """Carbon in the foreground; it writes its cache to disk on SIGTERM and then ends."""
    program = [str(env / "bin/python"), str(HERE / "carbon_cache.py")]
    return [*program, str(root / "conf/carbon.conf"), str(root / "carbon.pid")]


def carbon_environment(root: Path) -> dict[str, str]:
    """The variables Carbon is started with."""
    return {
        "GRAPHITE_ROOT": str(root),
        "GRAPHITE_CONF_DIR": str(root / "conf"),
        "GRAPHITE_STORAGE_DIR": str(root / "storage"),
    }


def web_command(env: Path, port: int) -> list[str]:
    """graphite-web in the foreground."""
    listen = f"--listen=127.0.0.1:{port}"
    return [str(env / "bin/waitress-serve"), listen, "--threads=4", "graphite.wsgi:application"]


def web_environment(storage: Path, query_port: int) -> dict[str, str]:
    """The variables graphite-web is started with; `storage` is its data folder, `query_port` Carbon's."""
    return {
        "PYTHONPATH": str(HERE),
        "DJANGO_SETTINGS_MODULE": "graphite.settings",
        "GRAPHITE_SETTINGS_MODULE": "graphite_settings",
        "GRAPHITE_STORAGE_DIR": str(storage),
        "GRAPHITE_CONF_DIR": str(storage.parent / "conf"),
        "GRAPHITE_QUERY_PORT": str(query_port),
    }


def _fill(text: str, values: dict[str, str]) -> str:
    # Comment lines and regular expressions hold no placeholder; safe_substitute leaves their `$` alone.
    return Template(text).safe_substitute(values)
