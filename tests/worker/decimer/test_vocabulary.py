"""The tokenizer is the only pickle that is read, and only as a tokenizer."""

import os
import pickle
from collections import OrderedDict

import pytest

from worker.decimer.errors import ModelError
from worker.decimer.vocabulary import Vocabulary, read_tokenizer


class Hostile:
    def __init__(self, function: object, *arguments: object) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[object, ...]:
        return self._call


@pytest.mark.parametrize(
    "pickled",
    [
        pickle.dumps(Hostile(os.system, "true")),
        pickle.dumps(Hostile(eval, "1")),
        pickle.dumps(Hostile(getattr, "text", "upper")),
        pickle.dumps(OrderedDict(index_word=1)),
        pickle.dumps({}),
        b"",
        b"cos\nsystem\n(S'true'\ntR.",
        b"ckeras.preprocessing.text\nTokenizer\n.",
    ],
)
def test_other_pickles_are_refused_and_run_nothing(pickled: bytes) -> None:
    with pytest.raises(ModelError, match="tokenizer"):
        read_tokenizer(pickled)


def test_what_is_refused_is_named() -> None:
    with pytest.raises(ModelError, match=r"posix\.system has no place in a tokenizer"):
        read_tokenizer(pickle.dumps(Hostile(os.system, "true")))


def test_signs_stand_for_digits_and_marks_for_nothing() -> None:
    words = Vocabulary(["<pad>", "R", "!", "£", "C", "<start>", "<end>", "¢", "§"])
    assert words.texts([5, 1, 2, 3, 4, 7, 8, 6]) == ("", "R", "1", "7", "C", "8", "0", "")
    assert words.texts([0]) == ("4pad5",)  # as upstream prints it


def test_the_models_tokens_are_upstreams(vocabulary: Vocabulary) -> None:
    assert vocabulary.texts(range(2, 12)) == ("C", "=", "(", ")", "O", "N", "1", "2", "[", "]")
