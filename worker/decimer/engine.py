"""The recogniser on ONNX Runtime: a model's sessions, shared by threads that each have their own slots."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from cloud_monitor.system.process import give_back_memory
from worker.answers.notes import REPEATS, Note, notes_on_answer
from worker.decimer.decode import Decoded, Decoder
from worker.decimer.encode import Encoder, Run, Stage, encode_white
from worker.decimer.errors import ImageRefused
from worker.decimer.images.image_file import ImageLimits
from worker.decimer.images.preprocess import AS_UPSTREAM, Corrections, read_page
from worker.decimer.model.architecture import EARLY_GRAPHS, list_early
from worker.decimer.sessions import Session, open_session, write_prepared
from worker.decimer.vocabulary import Vocabulary
from worker.recognition import GreyThumbnail, Recognition, SourceImage

Floats = npt.NDArray[np.float32]

_TRIM_EVERY = 16  # images after which the heap, grown with the largest of them, is given back


@dataclass(frozen=True, slots=True)
class Sessions:
    encoder: Encoder
    cross: Session
    step: Session


def prepare(model: Path, target: Path, graphs: Sequence[str]) -> None:
    """Lay the graphs out for this machine, with the early blocks' results on a white page beside them."""
    from worker.decimer.model.gates import keep_gates_blocked

    for name in graphs:
        write_prepared(model / f"{name}.onnx", target / f"{name}.onnx")
    keep_gates_blocked(target / "late.onnx")
    runs = [run_of(open_session(target / f"{name}.onnx")) for name in EARLY_GRAPHS]
    results = encode_white(list(zip(list_early(), runs, strict=True)))
    for name, white in zip(EARLY_GRAPHS, results, strict=True):
        np.save(target / f"{name}.npy", white)


def open_sessions(prepared: Path) -> Sessions:
    early = [
        Stage(
            block,
            run_of(open_session(prepared / f"{name}.onnx")),
            np.asarray(np.load(prepared / f"{name}.npy", mmap_mode="r")),  # slices of np.memmap are slow
        )
        for name, block in zip(EARLY_GRAPHS, list_early(), strict=True)
    ]
    encoder = Encoder(early, run_of(open_session(prepared / "late.onnx")))
    return Sessions(encoder, open_session(prepared / "cross.onnx"), open_session(prepared / "step.onnx"))


def run_of(session: Session) -> Run:
    def run(array: Floats) -> Floats:
        return session.run(["output"], {"input": array})[0]

    return run


class Encodes(Protocol):
    """What turns the (512, 512) grey levels of a drawing into (1, FEATURES, FEATURE_WIDTH)."""

    def encode(self, grey: Floats) -> Floats: ...


@dataclass(frozen=True, slots=True)
class FastMode:
    """A quicker encoder for each thread; what gets a confidence below `threshold` is read again in full."""

    open_encoder: Callable[[], Encodes]
    threshold: float


@dataclass(frozen=True, slots=True)
class _Reading:
    image: SourceImage
    precision: str
    notes: tuple[Note, ...]
    thumbnail: GreyThumbnail | None


class OnnxRecogniser:
    """For one `recognise` at a time; see worker.recognition.Recogniser. `is_endless` is asked about answers
    as they grow: one that is ends there.
    """

    engine = "onnx"

    def __init__(
        self,
        sessions: Sessions,
        vocabulary: Vocabulary,
        model: str,
        *,
        limits: ImageLimits,
        slots: int,
        threads: int,
        fast: FastMode | None = None,
        corrections: Corrections = AS_UPSTREAM,
        is_endless: Callable[[Sequence[str]], bool] | None = None,
        thumbnails: bool = False,
    ) -> None:
        self._thumbnails = thumbnails
        self.model, self.precision = model, "fast" if fast else "full"
        self._sessions, self._vocabulary, self._fast = sessions, vocabulary, fast
        self._limits, self._slots, self._threads = limits, slots, threads
        self._corrections, self._is_endless = corrections, is_endless

    def recognise(self, images: Iterable[SourceImage]) -> Iterator[Recognition]:
        if self._threads == 1:
            return self._recognise(iter(images))
        return run_threads(self._recognise, images, self._threads)

    def _recognise(self, images: Iterator[SourceImage]) -> Iterator[Recognition]:
        decoder: Decoder[_Reading] = Decoder(
            self._sessions.cross, self._sessions.step, self._slots, self._stops if self._is_endless else None
        )
        encoder = self._fast.open_encoder() if self._fast else self._sessions.encoder
        for number, image in enumerate(images):
            if number % _TRIM_EVERY == 0:
                give_back_memory()
            yield from self._begin(decoder, encoder, image, self.precision)
            while decoder.full:
                yield from self._step(decoder)
        while not decoder.idle:
            yield from self._step(decoder)

    def _begin(
        self, decoder: Decoder[_Reading], encoder: Encodes, image: SourceImage, precision: str
    ) -> Iterator[Recognition]:
        """Give an image a slot, or answer why it cannot be read."""
        try:
            drawing = read_page(image.path, self._limits, image.page, self._corrections, self._thumbnails)
        except ImageRefused as refusal:
            yield Recognition(image.key, None, error=refusal.describe(), thumbnail=refusal.thumbnail)
        else:
            reading = _Reading(image, precision, drawing.notes, drawing.thumbnail)
            decoder.add(reading, encoder.encode(drawing.grey))

    def _stops(self, tokens: Sequence[int]) -> bool:
        return self._is_endless is not None and self._is_endless(self._vocabulary.texts(tokens))

    def _step(self, decoder: Decoder[_Reading]) -> Iterator[Recognition]:
        """One token further; an image the fast mode is in doubt about takes its slot again, in full."""
        for decoded in decoder.step():
            reading = decoded.key
            if self._fast and reading.precision == "fast" and decoded.least < self._fast.threshold:
                yield from self._begin(decoder, self._sessions.encoder, reading.image, "full")
            else:
                yield self._describe(decoded)

    def _describe(self, decoded: Decoded[_Reading]) -> Recognition:
        texts = self._vocabulary.texts(decoded.tokens)
        return Recognition(
            decoded.key.image.key,
            "".join(texts),
            texts,
            decoded.confidences,
            decoded.truncated,
            precision=decoded.key.precision,
            notes=(*self._notes(decoded, texts), *decoded.key.notes),
            thumbnail=decoded.key.thumbnail,
        )

    def _notes(self, decoded: Decoded[_Reading], texts: Sequence[str]) -> tuple[Note, ...]:
        notes = notes_on_answer("".join(texts), texts, decoded.truncated)
        if not decoded.was_stopped:
            return notes
        return tuple(
            replace(note, evidence=f"{note.evidence}, stopped there") if note.name == REPEATS else note
            for note in notes
        )


Input = TypeVar("Input")
Result = TypeVar("Result")


def run_threads(
    work: Callable[[Iterator[Input]], Iterator[Result]], inputs: Iterable[Input], threads: int
) -> Iterator[Result]:
    """Yield what each thread's `work` yields, in no order; what one raises ends all and is raised here.

    Results wait in a queue of bounded length; closing the generator stops the threads after the input they
    are at.
    """
    shared = _SharedStream(inputs)
    results: queue.Queue[Result | BaseException | None] = queue.Queue(maxsize=4 * threads)

    def run() -> None:
        try:
            for result in work(iter(shared)):
                results.put(result)
        except BaseException as error:  # noqa: BLE001 - raised again by the consumer
            results.put(error)
        finally:
            results.put(None)

    for number in range(threads):
        threading.Thread(target=run, name=f"recogniser-{number}", daemon=True).start()
    running = threads
    failure: BaseException | None = None
    try:
        while running:
            result = results.get()
            if result is None:
                running -= 1
            elif isinstance(result, BaseException):
                failure = failure or result
                shared.stop()
            elif failure is None:
                yield result
    finally:
        shared.stop()
        while running:  # the threads may be waiting to put
            running -= results.get() is None
    if failure:
        raise failure


class _SharedStream(Iterator[Input]):
    """One iterator for many threads; `stop` ends it for all."""

    def __init__(self, inputs: Iterable[Input]) -> None:
        self._inputs = iter(inputs)
        self._lock = threading.Lock()
        self._stopped = False

    def __next__(self) -> Input:
        with self._lock:
            if self._stopped:
                raise StopIteration
            return next(self._inputs)

    def stop(self) -> None:
        self._stopped = True
