"""The collector's entry: options, settings, one run or one every so many seconds, exit code.

Cron starts it each minute. Exit codes: 0 all delivered, 1 a source or a destination failed, 2 settings
refused, 3 nothing delivered, 4 another run is going.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from cloud_monitor.program import program_name, version_text

if TYPE_CHECKING:
    from collector.settings import Settings

SETTINGS_REFUSED, ANOTHER_RUN = 2, 4
_ALARM_AFTER_S = 3  # past the run's own deadline: something does not keep to it

log = logging.getLogger("collector")


def main(arguments: Sequence[str] | None = None) -> int:
    started_s = time.monotonic()
    options = _parser(sys.argv[1:] if arguments is None else arguments).parse_args(arguments)
    if options.command == "setup":
        from cloud_monitor.setup import run_setup

        return run_setup("collector", options.starter, options.dry)
    if options.command == "config":
        from cloud_monitor.config_check import check_config
        from collector.check import refuse_unusable
        from collector.settings import READER

        return check_config(
            READER,
            os.environ,
            options.config,
            options.json,
            lambda settings: refuse_unusable(settings, os.environ),
        )
    logging.basicConfig(
        level=logging.WARNING, format="collector: %(levelname)s: %(message)s", stream=sys.stderr
    )
    if options.every:
        from collector.loop import run_loop

        run_loop(options.every, _arguments_of_one_run(options))
    if options.run_of:
        from collector.loop import bind_to_loop

        if not bind_to_loop(options.run_of):
            return 0
    from cloud_monitor.settings import SettingsRefused
    from collector.settings import read_settings

    warnings: list[str] = []
    try:
        settings = read_settings(os.environ, options.config, warnings.append)
    except SettingsRefused as error:
        for line in str(error).splitlines():
            log.error("%s", line)
        return SETTINGS_REFUSED
    log.setLevel(settings.log_level)
    if not (options.check or options.dry_run):
        from cloud_monitor.output import changed_lines

        warnings = changed_lines(warnings, settings.state_dir / "warnings.txt")
    for line in warnings:
        log.warning("%s", line)
    if options.check:
        from collector.check import check

        return check(settings, os.environ, as_json=options.json)
    if options.dry_run:
        return _dry_run(settings, started_s, as_json=options.json)
    return _run(settings, started_s, show=options.print, as_json=options.json)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program_name("collector"),
        description="Collect one minute's figures of a grid and send them to Carbon.",
        epilog="Settings: COLLECTOR_ variables or --config (docs/settings.md). Exit codes: 0 all delivered, "
        "1 a source or a destination failed, 2 settings refused, 3 nothing delivered, 4 another run going.",
    )
    parser.add_argument("--version", action="version", version=version_text("collector"))
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--dry-run", action="store_true", help="print `path value timestamp` lines, send nothing"
    )
    mode.add_argument(
        "--every", type=_seconds, metavar="SECONDS", help="run again and again, in step with the clock"
    )
    mode.add_argument("--run-of", type=int, help=argparse.SUPPRESS)
    mode.add_argument(
        "--check", action="store_true", help="reach every source and destination, print a table"
    )
    mode.add_argument("--print", action="store_true", help="send the points and print them too")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="TOML file; variables of the environment win"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, one object a line")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", help="without one it collects once")
    setup = commands.add_parser("setup", help="make user, folders, settings and what starts the collector")
    config = commands.add_parser("config", help="what is set, and whether it can be used")
    config.add_argument("what", choices=["check"])
    config.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object")
    if "setup" in arguments:  # a run imports nothing of it
        from cloud_monitor.setup import add_arguments

        add_arguments(setup, "collector")
    return parser


def _seconds(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1 to 86400")
    return int(text)


def _arguments_of_one_run(options: argparse.Namespace) -> list[str]:
    return ["--config", str(options.config)] if options.config else []


def _dry_run(settings: Settings, started_s: float, as_json: bool) -> int:
    from collector.run import SOME_FAILED, begin_run, collect_points
    from collector.tasks import choose_tasks

    tasks = choose_tasks(settings, os.environ)
    composed, _ = collect_points(settings, tasks.names, begin_run(settings, started_s), keep_state=False)
    for advice in tasks.advice.values():
        log.warning("%s", advice)
    for failure in composed.failures:
        log.error("%s", failure)
    _print_points(composed.points, as_json)
    return SOME_FAILED if composed.failures else 0


def _run(settings: Settings, started_s: float, show: bool, as_json: bool) -> int:
    from collector.lock import RunGoing, StateDirOpen, StateDirUnusable, run_lock
    from collector.run import run_once
    from collector.tasks import choose_tasks

    _guard(settings.run_timeout_s + _ALARM_AFTER_S)
    tasks = choose_tasks(settings, os.environ)
    try:
        with run_lock(settings.state_dir), _told_once(settings.state_dir):
            result = run_once(settings, tasks, started_s)
    except RunGoing as error:
        log.error("%s", error)
        return ANOTHER_RUN
    except StateDirOpen as error:
        log.error("%s", error)
        return SETTINGS_REFUSED
    except StateDirUnusable as error:
        log.error("%s: points cannot be kept, and two runs cannot be told apart", error)
        result = run_once(settings, tasks, started_s)
    if show:
        _print_points(result.composed.points, as_json)
    sys.stdout.flush()
    return result.exit_code


@contextmanager
def _told_once(state_dir: Path) -> Iterator[None]:
    """Of failures that go on, cron's mail or the journal gets a word an hour; a terminal gets them all."""
    if sys.stderr.isatty():
        yield
        return
    from cloud_monitor.repeated_failures import RepeatedFailures

    failures = RepeatedFailures(state_dir / "failures.json")
    log.addFilter(failures)
    try:
        yield
    finally:
        log.removeFilter(failures)
    for line in failures.finish():
        log.warning("%s", line)


def _print_points(points: Sequence[tuple[str, int, float]], as_json: bool) -> None:
    """Sorted by path; a number as short as it can be and still exact."""
    for path, timestamp, value in points:
        number = int(value) if value.is_integer() and abs(value) < 1 << 53 else value
        if as_json:
            print(json.dumps({"path": path, "value": number, "timestamp": timestamp}))
        else:
            print(path, number, timestamp)


def _guard(seconds: float) -> None:
    """The last resort where a deadline is not kept, say by a disk that hangs: a signal ends the run."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def run() -> NoReturn:
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # a sender that hangs in a dead resolver or disk must not hold the run


if __name__ == "__main__":
    run()
