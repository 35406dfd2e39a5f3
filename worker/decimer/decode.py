"""Decode many images at once, each in a slot of its own that takes the next image as soon as it is free.

A step writes one token in every slot, so the weights are read once for all of them. The keys and values of
earlier tokens stay where they are: a slot appends its own at its own length, and the mask hides what is
beyond. Buffers are as long as the longest running row needs, in steps of ROOM; their size is bounded by
slots, never by images.
"""

import math
import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from worker.decimer.model.architecture import HEAD_WIDTH, HEADS, LAYERS, MOST_STEPS, cross_shape
from worker.decimer.sessions import Binding, Session
from worker.decimer.vocabulary import END, PAD, START

Floats = npt.NDArray[np.float32]
Key = TypeVar("Key")

ROOM = 32
ASK_EVERY = 30  # tokens, whether an answer goes on for ever
HIDDEN = np.float32(-1e9)
_KINDS = ("key", "value")
_CROSS = [f"cross_{kind}_{layer}" for layer in range(LAYERS) for kind in _KINDS]
_OWN = [f"{kind}_{layer}" for layer in range(LAYERS) for kind in _KINDS]


@dataclass(frozen=True, slots=True)
class Decoded(Generic[Key]):
    """Token ids of one image without START and END, and their confidences; `end` is END's own, if it came;
    `was_stopped`: it would not have come.
    """

    key: Key
    tokens: tuple[int, ...]
    confidences: tuple[float, ...]
    end: float | None
    was_stopped: bool = False

    @property
    def truncated(self) -> bool:
        return self.end is None

    @property
    def least(self) -> float:
        """The smallest confidence, that of the end included."""
        return min((*self.confidences, 1.0 if self.end is None else self.end))


@dataclass(slots=True)
class _Row(Generic[Key]):
    key: Key
    tokens: list[int] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)


class Decoder(Generic[Key]):
    """Slots over the shared sessions, for one thread: `add` while not `full`, then `step`. `is_endless` is
    asked now and then about an answer so far; one that is ends there.
    """

    def __init__(
        self,
        cross: Session,
        step: Session,
        slots: int,
        is_endless: Callable[[Sequence[int]], bool] | None = None,
    ) -> None:
        self._is_endless = is_endless
        self._rows: list[_Row[Key] | None] = [None] * slots
        self._memory = _Memory(cross, step, slots)

    @property
    def full(self) -> bool:
        return None not in self._rows

    @property
    def idle(self) -> bool:
        return not any(self._rows)

    def add(self, key: Key, features: Floats) -> None:
        """Begin an image, of (1, FEATURES, FEATURE_WIDTH), in a free slot."""
        slot = self._rows.index(None)
        self._rows[slot] = _Row(key)
        self._memory.fill(slot, features)

    def step(self) -> list[Decoded[Key]]:
        """Write one token of every image; return those that ended. Free slots are given up for good."""
        self._drop_free_slots()
        tokens, confidences = self._memory.step()
        ended = []
        for slot, row in enumerate(self._rows):
            assert row is not None
            token, confidence = int(tokens[slot]), float(confidences[slot])
            if token != END:
                row.tokens.append(token)
                row.confidences.append(confidence)
            was_stopped = token != END and self._stops(row.tokens)
            if token == END or was_stopped or len(row.tokens) == MOST_STEPS:
                end = confidence if token == END else None
                ended.append(Decoded(row.key, tuple(row.tokens), tuple(row.confidences), end, was_stopped))
                self._rows[slot] = None
        return ended

    def _stops(self, tokens: Sequence[int]) -> bool:
        asked = self._is_endless is not None and len(tokens) < MOST_STEPS and len(tokens) % ASK_EVERY == 0
        return asked and self._is_endless is not None and self._is_endless(tokens)

    def _drop_free_slots(self) -> None:
        taken = [slot for slot, row in enumerate(self._rows) if row is not None]
        if len(taken) < len(self._rows):
            self._memory.keep(taken)
            self._rows = [self._rows[slot] for slot in taken]


class _Memory:
    """What the step reads and writes for every slot, bound to the sessions without copies."""

    def __init__(self, cross: Session, step: Session, slots: int) -> None:
        self._cross, self._step, self._slots = cross, step, slots
        self._binding = step.io_binding()
        self._token = np.full(slots, START, np.int64)
        self._length = np.zeros(slots, np.int64)
        self._image = {name: map_zeros(cross_shape(name.split("_")[1], slots)) for name in _CROSS}
        self._text = {name: map_zeros((slots, HEADS, 0, HEAD_WIDTH)) for name in _OWN}
        self._new = {name: np.zeros((slots, HEADS, 1, HEAD_WIDTH), np.float32) for name in _OWN}
        self._next = np.zeros(slots, np.int64)
        self._confidence = np.zeros(slots, np.float32)
        self._mask = np.zeros((slots, 1, 1, 1), np.float32)
        self._resize(ROOM)

    @property
    def _room(self) -> int:
        return self._mask.shape[3] - 1

    def fill(self, slot: int, features: Floats) -> None:
        """Begin an image: its keys and values are computed straight into the slot."""
        binding = self._cross.io_binding()
        _bind_input(binding, "features", features)
        for name, values in self._image.items():
            _bind_output(binding, name, values[slot : slot + 1])
        self._cross.run_with_iobinding(binding)
        self._token[slot], self._length[slot] = START, 0
        self._mask[slot] = HIDDEN

    def step(self) -> tuple[npt.NDArray[np.int64], Floats]:
        """One token further: the chosen ids and their confidences, valid until the next call."""
        longest = int(self._length.max())
        wanted = -(-max(longest, 1) // ROOM) * ROOM
        if wanted > self._room or wanted < self._room - ROOM:
            self._resize(wanted)
        self._mask[:, 0, 0, -1] = np.where(self._token == PAD, HIDDEN, np.float32(0))
        self._step.run_with_iobinding(self._binding)
        at = np.arange(self._slots)
        slots_full = self._length >= self._room
        if slots_full.any():
            self._resize(self._room + ROOM)
        for name, kept in self._text.items():
            kept[at, :, self._length] = self._new[name][:, :, 0]
        self._mask[at, 0, 0, self._length] = self._mask[:, 0, 0, -1]
        self._length += 1
        self._token[:] = self._next
        return self._next, self._confidence

    def keep(self, slots: list[int]) -> None:
        """Move the rows of these slots, in rising order, to the front, and give up the rest."""

        def compact(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            for place, slot in enumerate(slots):
                if place != slot:
                    values[place] = values[slot]
            return values[: len(slots)]

        self._slots = len(slots)
        self._token, self._next = compact(self._token), compact(self._next)
        self._length, self._mask = compact(self._length), compact(self._mask)
        self._confidence = compact(self._confidence)
        for arrays in (self._image, self._text, self._new):
            for name, values in arrays.items():
                arrays[name] = compact(values)
        self._bind()

    def _resize(self, room: int) -> None:
        kept = min(room, self._room)
        mask = np.full((self._slots, 1, 1, room + 1), HIDDEN, np.float32)
        mask[..., :kept] = self._mask[..., :kept]
        mask[..., -1] = self._mask[..., -1]
        self._mask = mask
        for name, values in self._text.items():
            wider = map_zeros((self._slots, HEADS, room, HEAD_WIDTH))
            wider[:, :, :kept] = values[:, :, :kept]
            self._text[name] = wider
        self._bind()

    def _bind(self) -> None:
        inputs: dict[str, npt.NDArray[Any]] = {
            "token": self._token,
            "position": self._length,
            "mask": self._mask,
            **self._image,
            **self._text,
        }
        for name, array in inputs.items():
            _bind_input(self._binding, name, array)
        _bind_output(self._binding, "next", self._next)
        _bind_output(self._binding, "confidence", self._confidence)
        for name, array in self._new.items():
            _bind_output(self._binding, f"new_{name}", array)


def _bind_input(binding: Binding, name: str, array: npt.NDArray[Any]) -> None:
    binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)


def _bind_output(binding: Binding, name: str, array: npt.NDArray[Any]) -> None:
    binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)


def map_zeros(shape: Sequence[int]) -> npt.NDArray[np.float32]:
    """An array outside the heap: long-lived buffers of many sizes would leave gaps in it."""
    size = math.prod(shape)
    if size == 0:
        return np.zeros(shape, np.float32)
    return np.frombuffer(mmap.mmap(-1, 4 * size), np.float32).reshape(shape)
