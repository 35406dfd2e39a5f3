"""Slots: what an image gets does not depend on its neighbours; nothing grows with the number of images."""

import ctypes
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from tests.worker.decimer.conftest import LIMITS
from tests.worker.decimer.kept import DATA, DRAWINGS
from worker.decimer.decode import Decoder
from worker.decimer.engine import OnnxRecogniser, Sessions
from worker.decimer.images.preprocess import read_drawing
from worker.decimer.sessions import Session
from worker.decimer.vocabulary import END, PAD
from worker.recognition import SourceImage

pytestmark = pytest.mark.timeout(600)  # real weights; a loaded machine


@pytest.fixture(scope="module")
def features(sessions: Sessions, drawings: list[Path]) -> list[np.ndarray]:
    return [sessions.encoder.encode(read_drawing(path, LIMITS)) for path in drawings[:6]]


def decode(sessions: Sessions, features: list[np.ndarray], slots: int) -> dict[int, tuple[int, ...]]:
    decoder: Decoder[int] = Decoder(sessions.cross, sessions.step, slots)
    answers = {}
    for number, feature in enumerate(features):
        decoder.add(number, feature)
        while decoder.full:
            answers |= {ended.key: ended.tokens for ended in decoder.step()}
    while not decoder.idle:
        answers |= {ended.key: ended.tokens for ended in decoder.step()}
    return answers


def test_tokens_do_not_depend_on_slots_or_order(sessions: Sessions, features: list[np.ndarray]) -> None:
    alone = decode(sessions, features, slots=1)
    assert sorted(alone) == list(range(len(features)))
    assert decode(sessions, features, slots=3) == alone
    backwards = decode(sessions, features[::-1], slots=4)
    assert {len(features) - 1 - number: tokens for number, tokens in backwards.items()} == alone


class ForcedStep:
    """The step's session, whose choices are noted and replaced by given tokens."""

    def __init__(self, session: Session, tokens: list[int]) -> None:
        self._session, self._tokens = session, iter(tokens)
        self._chosen: Any = None
        self._confidence: Any = None
        self.noted: list[tuple[int, float]] = []

    def io_binding(self) -> "ForcedStep":
        self._binding = self._session.io_binding()
        return self

    def bind_input(self, *values: Any) -> None:
        self._binding.bind_input(*values)

    def bind_output(self, name: str, *values: Any) -> None:
        self._binding.bind_output(name, *values)
        if name == "next":
            self._chosen = ctypes.c_int64.from_address(values[-1])
        if name == "confidence":
            self._confidence = ctypes.c_float.from_address(values[-1])

    def run_with_iobinding(self, binding: object) -> None:
        self._session.run_with_iobinding(self._binding)
        self.noted.append((self._chosen.value, self._confidence.value))
        self._chosen.value = next(self._tokens, END)


def test_the_cache_agrees_with_a_decoder_over_the_whole_prefix(sessions: Sessions) -> None:
    """Some forced tokens are <pad>, which upstream masks as keys from their own step on."""
    reference = json.loads((DATA / "whole_prefix.json").read_text(encoding="utf-8"))
    assert reference["forced"].count(PAD) == 3
    step = ForcedStep(sessions.step, reference["forced"][1:])
    decoder: Decoder[int] = Decoder(sessions.cross, cast(Session, step), 1)
    decoder.add(0, sessions.encoder.encode(read_drawing(DRAWINGS / reference["drawing"], LIMITS)))
    while not decoder.idle:
        decoder.step()
    assert [chosen for chosen, _ in step.noted] == reference["chosen"]
    assert [confidence for _, confidence in step.noted] == pytest.approx(reference["confidences"], abs=2e-5)


def test_recognition_streams_and_asks_for_no_more_than_its_slots(
    open_engine: Callable[..., OnnxRecogniser], drawings: list[Path]
) -> None:
    taken = 0

    def endless() -> Iterator[SourceImage]:
        nonlocal taken
        while True:
            taken += 1
            yield SourceImage(str(taken), drawings[taken % 5])

    answers = open_engine(slots=3).recognise(endless())
    for answered in range(1, 6):
        next(answers)
        assert taken <= answered + 3
    answers.close()


@pytest.mark.parametrize("threads", [1, 3])
def test_every_image_is_answered_once(
    open_engine: Callable[..., OnnxRecogniser], drawings: list[Path], threads: int
) -> None:
    images = [SourceImage(path.name, path) for path in drawings[:8]]
    answers = list(open_engine(slots=2, threads=threads).recognise(images))
    assert sorted(answer.key for answer in answers) == sorted(image.key for image in images)
    assert all(answer.smiles for answer in answers)


def test_no_images_no_answers(open_engine: Callable[..., OnnxRecogniser]) -> None:
    assert list(open_engine().recognise([])) == []
