"""A process of the page as far as alerts go, to be killed: evaluates each second, over a state folder.

Started as `python -m tests.webapp.alerts.evaluating STATE_DIR ALERTS_FILE [each-minute]`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from webapp.alerts.evaluate import EACH_MINUTE, Evaluator, Pace
from webapp.model.build import GridOrder
from webapp.model.health import HealthRules
from webapp.model.options import complete_thresholds
from webapp.poll.current import Latest

PACE = Pace(every_s=1.0, after_s=0.0, look_for_due_s=0.2, tick_s=0.05, back_off_s=(0.3, 0.3, 0.6))


def main() -> None:
    state_dir, alerts_file = map(Path, sys.argv[1:3])
    latest = Latest(state_dir, time.time, GridOrder((), frozenset()), 180)
    rules = HealthRules(complete_thresholds({}))
    pace = EACH_MINUTE if sys.argv[3:] else PACE
    evaluator = Evaluator(state_dir, alerts_file, rules, latest, time.time, pace)
    evaluator.start()
    print("started", flush=True)
    time.sleep(3600)


if __name__ == "__main__":
    main()
