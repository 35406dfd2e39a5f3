"""`python -m worker run --until-empty` with workers that do what their images say."""

from __future__ import annotations

import sys

from worker.__main__ import configure_logging
from worker.commands.run import supervise
from worker.settings import read_settings

if __name__ == "__main__":
    configure_logging("INFO")
    supervise(read_settings(), [sys.executable, "-m", "tests.worker.faults.faulty_worker"], until_empty=True)
