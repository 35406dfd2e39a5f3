"""The DECIMER engines behind one interface; `open_recogniser` is the way in."""

from typing import Protocol

from worker.recognition import Recogniser


class EngineSettings(Protocol):
    """The part of the worker's settings an engine needs."""

    @property
    def decimer_engine(self) -> str: ...
    @property
    def stub_s(self) -> float: ...


def open_recogniser(settings: EngineSettings) -> Recogniser:
    """Open the engine that WORKER_DECIMER_ENGINE names; each is imported only when it is asked for."""
    match settings.decimer_engine:
        case "stub":
            from worker.decimer.stub import StubRecogniser

            return StubRecogniser(settings.stub_s)
    raise ValueError(f"decimer_engine: no engine is called {settings.decimer_engine!r}")
