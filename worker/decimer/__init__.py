"""The DECIMER engines behind one interface; `open_recogniser` is the way in.

onnx      upstream's weights and tokens without TensorFlow (open_onnx.py); the default
upstream  the `decimer` package itself (upstream.py), where the extra `upstream` is installed
stub      takes time and answers nothing of use (stub.py): for benchmarks and fault tests of the queue
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a worker has read its settings; the engine alone opens without their libraries
    from worker.recognition import Recogniser
    from worker.settings import EngineSettings

log = logging.getLogger(__name__)


def open_recogniser(settings: EngineSettings) -> Recogniser:
    """Open the engine WORKER_DECIMER_ENGINE names, its model first fetched and prepared if need be.

    Each engine is imported only when it is asked for. Raises ModelError (a WorkerError).
    """
    if settings.decimer_engine == "stub":
        from worker.decimer.stub import StubRecogniser

        return StubRecogniser(settings.stub_s, settings)
    if settings.decimer_engine == "upstream":
        from worker.decimer.upstream import UpstreamRecogniser

        return UpstreamRecogniser.open(settings)
    from worker.decimer.open_onnx import open_onnx

    return open_onnx(settings, log_progress)


def log_progress(what: str, done_bytes: int, total_bytes: int) -> None:
    """Report of a long preparation for processes without a terminal: one line for each step and tenth."""
    tenth = 10 * done_bytes // total_bytes if total_bytes else 0
    if _last_logged.get(what) != tenth:
        _last_logged[what] = tenth
        log.info("%s%s", what, f" {10 * tenth} %" if total_bytes else "")


_last_logged: dict[str, int] = {}
