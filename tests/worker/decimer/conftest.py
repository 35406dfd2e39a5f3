"""The real model, fetched once into the user's cache and shared by all tests of the engine."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.worker.decimer.kept import Kept, get_test_model, read_kept
from worker.decimer.engine import OnnxRecogniser, Sessions, open_sessions
from worker.decimer.errors import ModelError
from worker.decimer.images.image_file import ImageLimits
from worker.decimer.model.make_model import get_prepared
from worker.decimer.model.store import Model
from worker.decimer.vocabulary import Vocabulary

LIMITS = ImageLimits(bytes=64_000_000, pixels=50_000_000)


@pytest.fixture(scope="session")
def model() -> Model:
    try:
        return get_test_model()
    except ModelError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"DECIMER's weights are not there: {error}")


@pytest.fixture(scope="session")
def vocabulary(model: Model) -> Vocabulary:
    return Vocabulary.read(model.vocabulary)


@pytest.fixture(scope="session")
def sessions(model: Model) -> Sessions:
    return open_sessions(get_prepared(model, lambda *_: None))


@pytest.fixture(scope="session")
def open_engine(model: Model, sessions: Sessions, vocabulary: Vocabulary) -> Callable[..., OnnxRecogniser]:
    """Engines over the same sessions; slots and threads to choose."""

    def open_one(
        slots: int = 8, threads: int = 1, limits: ImageLimits = LIMITS, **options: Any
    ) -> OnnxRecogniser:
        return OnnxRecogniser(
            sessions, vocabulary, model.version, limits=limits, slots=slots, threads=threads, **options
        )

    return open_one


@pytest.fixture(scope="session")
def kept(model: Model, tmp_path_factory: pytest.TempPathFactory) -> list[Kept]:
    return read_kept(tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="session")
def drawings() -> list[Path]:
    from tests.worker.decimer.kept import DRAWINGS

    return sorted(DRAWINGS.glob("*.png"))
