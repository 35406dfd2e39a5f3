"""The tokens DECIMER writes, and how they become SMILES."""

import io
import json
import pickle
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from worker.decimer.errors import ModelError

PAD, START, END = 0, 13, 14

# Upstream writes the digits after R, X, Y and Z as these signs, so that they are tokens of their own.
_SIGNS = str.maketrans("!$^<>?£¢€§", "1234567890")


class _Tokenizer:
    """Stands in for keras.preprocessing.text.Tokenizer: only its attributes are wanted."""

    index_word: dict[int, str]


class _TokenizerReader(pickle.Unpickler):
    """Unpickles the tokenizer and nothing else: any other class or function is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if name == "Tokenizer" and module in ("keras.preprocessing.text", "keras_preprocessing.text"):
            return _Tokenizer
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("collections", "defaultdict"):
            return _plain_dict
        if (module, name) == ("builtins", "int"):
            return int
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a tokenizer")


def _plain_dict(*_factory: object) -> dict[Any, Any]:
    return {}


def read_tokenizer(pickled: bytes) -> tuple[str, ...]:
    """The word of every token id, from upstream's `tokenizer_SMILES.pkl`."""
    try:
        tokenizer = _TokenizerReader(io.BytesIO(pickled)).load()
        words = tokenizer.index_word
        listed = tuple(words[number] for number in range(len(words)))
    except Exception as error:
        raise ModelError(f"the tokenizer cannot be read ({error}); fetch the model again") from error
    if not all(isinstance(word, str) for word in listed) or listed[START : END + 1] != ("<start>", "<end>"):
        raise ModelError("the tokenizer is not DECIMER's: <start> and <end> are not its tokens 13 and 14")
    return listed


class Vocabulary:
    """Token ids to texts, as upstream prints them."""

    def __init__(self, words: Sequence[str]) -> None:
        self._texts = tuple("" if word in ("<start>", "<end>") else word.translate(_SIGNS) for word in words)

    @classmethod
    def read(cls, path: Path) -> "Vocabulary":
        return cls(json.loads(path.read_text(encoding="utf-8")))

    def texts(self, tokens: Sequence[int]) -> tuple[str, ...]:
        return tuple(self._texts[token] for token in tokens)
