"""What goes into a recogniser and what comes out: the types the queue, the runner and the engines share."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from worker.answers.notes import Note


@dataclass(frozen=True, slots=True)
class SourceImage:
    """An image file to read, or a page of it from 1 on (None: the first, and told if there are more). `key`
    names it in the answer and is unique within one call.
    """

    key: str
    path: Path
    page: int | None = None


@dataclass(frozen=True, slots=True)
class GreyThumbnail:
    """A small picture: grey levels 0..255 by rows, a byte each."""

    width: int
    height: int
    levels: bytes


@dataclass(frozen=True, slots=True)
class Recognition:
    """What was read in one image.

    `confidences` is parallel to `tokens`, each within 0..1. `truncated` says that the output reached its
    longest length without an end. `error` is a short named error ("TruncatedImage: ..."); then `smiles` is
    None and `tokens` is empty. `precision` is what the answer was made with: "full" or "fast". `notes` say
    what is odd about the answer and its image. `thumbnail`: where they are asked for and it could be decoded,
    also of an image that was refused.
    """

    key: str
    smiles: str | None
    tokens: tuple[str, ...] = ()
    confidences: tuple[float, ...] = ()
    truncated: bool = False
    error: str | None = None
    precision: str = "full"
    notes: tuple[Note, ...] = ()
    thumbnail: GreyThumbnail | None = None


class Recogniser(Protocol):
    """An engine that reads drawings. `model` names the weights, so that results can be told apart."""

    engine: str
    model: str
    precision: str

    def recognise(self, images: Iterable[SourceImage]) -> Iterator[Recognition]:
        """Yield one answer for each image as it is ready; the order may differ, memory stays bounded.

        A bad image is an answer with `error` set, never an exception. Raises HostFault where no image can be
        read now: those without an answer are to be given again.
        """
        ...
