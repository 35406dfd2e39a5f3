"""Start here: `python -m webapp` serves the page alone, against any WEBAPP_GRAPHITE_URL."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

import waitress

from cloud_monitor import setup
from cloud_monitor.config_check import check_config
from cloud_monitor.program import program_name, version_text
from cloud_monitor.settings import SettingsRefused
from cloud_monitor.system.files import is_absent
from webapp import create_app
from webapp.alerts.commands.alerts import add_arguments, run_command
from webapp.alerts.commands.annotate import add_annotate_arguments, run_annotate
from webapp.model.build import GridOrder
from webapp.serving.assets import PartsMissing
from webapp.settings import CONFIG, READER, ServeSettings, Settings, read_settings

EXIT_REFUSED = 2
EXIT_CANNOT_SERVE = 3
_CONNECTIONS_MAX = 4000  # those that never finish a request cost little each, and must not shut others out
_OWN_FILES = 200
_IDLE_MAX_S = 30
_BODY_MAX_BYTES = 8 * 2**20  # no request is larger; waitress writes them to a file before it passes them on


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog=program_name("webapp"),
        description="Serve the pages of what Graphite, or VictoriaMetrics, has of the grids.",
        epilog="Settings: WEBAPP_ variables (WEBAPP_GRAPHITE_URL, ...) or --config (docs/settings.md). "
        f"Exit codes: {EXIT_REFUSED} settings refused, {EXIT_CANNOT_SERVE} it cannot serve.",
    )
    parser.add_argument("--version", action="version", version=version_text("webapp"))
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as TOML; the environment wins")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", help="without one the page is served")
    add_arguments(commands.add_parser("alerts", help="what is wrong, and who is told"))
    setup.add_arguments(commands.add_parser("setup", help="make user, folders, settings and unit"), "webapp")
    config = commands.add_parser("config", help="what is set, and whether it can be used")
    config.add_argument("what", choices=["check"])
    config.add_argument("--json", action="store_true", help="one JSON object")
    add_annotate_arguments(commands.add_parser("annotate", help="note what happened, for plots and pages"))
    given = sys.argv[1:] if arguments is None else arguments
    if "--from" in given[:-1]:  # argparse takes the -1d of `--from -1d` for an option
        at = given.index("--from")
        given = [*given[:at], f"--from={given[at + 1]}", *given[at + 2 :]]
    options = parser.parse_args(given)
    if options.command == "setup":
        return setup.run_setup("webapp", options.starter, options.dry)
    if options.command and options.config is None and not is_absent(CONFIG):
        options.config = CONFIG  # as the page that a server or unit started
    if options.command == "config":
        from webapp.app import refuse_unusable

        return check_config(
            READER,
            os.environ,
            options.config,
            options.json,
            refuse_unusable,
        )
    warnings: list[str] = []
    try:
        settings = read_settings(config=options.config, warn=warnings.append)
        if options.command == "alerts":
            order = GridOrder(settings.grids_first, settings.hidden_grids)
            return run_command(options, settings.state_dir, settings.alerts_file, settings, order)
        if options.command == "annotate":
            return run_annotate(options, settings)
    except SettingsRefused as refused:
        print(refused, file=sys.stderr)
        return EXIT_REFUSED
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for line in warnings:
        logging.warning("%s", line)
    try:
        listener = _listen(settings)
        app = create_app(settings)
    except SettingsRefused as refused:
        print(refused, file=sys.stderr)
        return EXIT_REFUSED
    except PartsMissing as missing:
        print(missing, file=sys.stderr)
        return EXIT_CANNOT_SERVE
    except OSError as error:
        print(_explain(error, settings), file=sys.stderr)
        return EXIT_CANNOT_SERVE
    logging.info(
        "Cloud Monitor at http://%s:%s/ reads %s", settings.host, settings.port, settings.graphite_url
    )
    if settings.telemetry_targets(settings.state_dir).any:  # its last goes out in an end in order alone
        signal.signal(signal.SIGTERM, _end_in_order)
    waitress.serve(
        app,
        sockets=[listener],
        threads=settings.threads,
        ident=None,
        max_request_body_size=_BODY_MAX_BYTES,
        connection_limit=_connections_max(),
        channel_timeout=_IDLE_MAX_S,
        cleanup_interval=_IDLE_MAX_S // 3,
        asyncore_use_poll=True,
        backlog=_CONNECTIONS_MAX,
    )
    return 0


def _end_in_order(number: int, _: object) -> NoReturn:
    raise SystemExit(0)


def _connections_max() -> int:
    """As many as the limit of open files allows beside the program's own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _CONNECTIONS_MAX + _OWN_FILES
    if soft < wanted:
        soft = min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(_CONNECTIONS_MAX, max(100, soft - _OWN_FILES))


def _listen(settings: ServeSettings) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    return listener


def _explain(error: OSError, settings: Settings) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {settings.port} of {settings.host} is taken: stop what listens there, or set WEBAPP_PORT"
        )
    if error.errno == errno.EACCES and error.filename is None:
        return f"port {settings.port} may not be opened by this user: set WEBAPP_PORT to 1024 or more"
    if error.filename is not None:
        return f"WEBAPP_STATE_DIR={settings.state_dir}: {error.strerror}: {error.filename}"
    return f"cannot serve at {settings.host}:{settings.port} (WEBAPP_HOST, WEBAPP_PORT): {error}"


def run() -> NoReturn:
    sys.exit(main())


if __name__ == "__main__":
    run()
