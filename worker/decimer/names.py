"""How the models that workers load are called, asked without loading one."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from worker.decimer.errors import ModelError
from worker.decimer.model.store import ModelSource, find_model
from worker.decimer.stub import STUB
from worker.settings import EngineSettings


def upstream_model(package_version: str, hand_drawn: bool) -> str:
    return f"decimer-{package_version}{'-hand-drawn' if hand_drawn else ''}"


def configured_model(settings: EngineSettings) -> str | None:
    """What this host's workers have; None while that is not known, before it was fetched."""
    return _model(settings, settings.hand_drawn)


def models_here(settings: EngineSettings) -> list[str]:
    """Those that workers of this host's engine can have as it stands: for printed drawings and by hand."""
    return [name for name in (_model(settings, False), _model(settings, True)) if name is not None]


def _model(settings: EngineSettings, hand_drawn: bool) -> str | None:
    if settings.decimer_engine == "stub":
        return None if hand_drawn else STUB
    if settings.decimer_engine == "upstream":
        try:
            return upstream_model(version("decimer"), hand_drawn)
        except PackageNotFoundError:
            return None
    try:
        found = find_model(ModelSource(settings.model_dir, hand_drawn, None))
    except ModelError:  # whoever loads it says so
        return None
    return None if found is None else found.version
