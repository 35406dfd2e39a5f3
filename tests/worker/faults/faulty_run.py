"""`python -m worker run` with workers that do what their images say; --until-empty, but for `--stay`."""

from __future__ import annotations

import sys

from worker.__main__ import configure_logging
from worker.commands.run import supervise
from worker.settings import read_settings

if __name__ == "__main__":
    configure_logging("INFO")
    worker = [sys.executable, "-m", "tests.worker.faults.faulty_worker"]
    supervise(read_settings(), worker, until_empty="--stay" not in sys.argv)
