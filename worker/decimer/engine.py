"""The recogniser on ONNX Runtime: a model's sessions, shared by threads that each have their own slots."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from worker.decimer.architecture import EARLY_PARTS, LATE_PART
from worker.decimer.decode import Decoded, Decoder
from worker.decimer.encode import Encoder, Run, encode_white
from worker.decimer.errors import ImageRefused
from worker.decimer.image_file import Limits
from worker.decimer.preprocess import read_drawing
from worker.decimer.sessions import Session, open_session, write_prepared
from worker.decimer.threads import run_threads
from worker.decimer.vocabulary import Vocabulary
from worker.recognition import Recognition, SourceImage

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sessions:
    encoder: Encoder
    cross: Session
    step: Session


def prepare(model: Path, target: Path, graphs: Sequence[str]) -> None:
    """Lay the graphs out for this machine, with the early encoder's results on a white page beside them."""
    for name in graphs:
        write_prepared(model / f"{name}.onnx", target / f"{name}.onnx")
    runs = [run_of(open_session(target / f"{part.name}.onnx")) for part in EARLY_PARTS]
    for part, background in zip(EARLY_PARTS, encode_white(runs), strict=True):
        np.save(target / f"{part.name}.npy", background)


def open_sessions(prepared: Path) -> Sessions:
    early = [
        (
            part,
            run_of(open_session(prepared / f"{part.name}.onnx")),
            np.load(prepared / f"{part.name}.npy", mmap_mode="r"),
        )
        for part in EARLY_PARTS
    ]
    encoder = Encoder(early, run_of(open_session(prepared / f"{LATE_PART.name}.onnx")))
    return Sessions(encoder, open_session(prepared / "cross.onnx"), open_session(prepared / "step.onnx"))


def run_of(session: Session) -> Run:
    def run(array: Floats) -> Floats:
        return session.run(["output"], {"input": array})[0]

    return run


class OnnxRecogniser:
    """Thread-safe for one `recognise` at a time; see worker.recognition.Recogniser."""

    engine = "onnx"
    precision = "full"

    def __init__(
        self,
        sessions: Sessions,
        vocabulary: Vocabulary,
        model: str,
        *,
        limits: Limits,
        slots: int,
        threads: int,
    ) -> None:
        self.model = model
        self._sessions, self._vocabulary = sessions, vocabulary
        self._limits, self._slots, self._threads = limits, slots, threads

    def recognise(self, images: Iterable[SourceImage]) -> Iterator[Recognition]:
        if self._threads == 1:
            return self._recognise(iter(images))
        return run_threads(self._recognise, images, self._threads)

    def _recognise(self, images: Iterator[SourceImage]) -> Iterator[Recognition]:
        decoder: Decoder[str] = Decoder(self._sessions.cross, self._sessions.step, self._slots)
        for image in images:
            try:
                grey = read_drawing(image.path, self._limits)
            except ImageRefused as refusal:
                yield Recognition(image.key, None, error=refusal.describe())
                continue
            decoder.add(image.key, self._sessions.encoder.encode(grey))
            while decoder.full:
                yield from map(self._describe, decoder.step())
        while not decoder.idle:
            yield from map(self._describe, decoder.step())

    def _describe(self, decoded: Decoded[str]) -> Recognition:
        texts = self._vocabulary.texts(decoded.tokens)
        return Recognition(
            decoded.key,
            "".join(texts),
            texts,
            decoded.confidences,
            decoded.truncated,
            precision=self.precision,
        )
