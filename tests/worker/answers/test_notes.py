"""The notes on an answer: each rule with what it holds for, and what is close to it and no case of it."""

from __future__ import annotations

import pytest

from worker.answers.notes import NOTES, Note, notes_on_answer


def notes(smiles: str, tokens: list[str] | None = None, truncated: bool = False) -> dict[str, str]:
    found = notes_on_answer(smiles, tokens or [], truncated)
    return {note.name: note.evidence for note in found}


@pytest.mark.parametrize(
    "smiles",
    [
        "CC(=O)OC1=CC=CC=C1C(=O)O",
        "C[N+](C)(C)C.[Cl-].[Na+].[OH-]",
        "[13CH3][C@@H]([NH3+])C(=O)[O-]",
        "F/C=C\\F",
        "C%12CCCC%12",
        "CC[Pt](Cl)Cl",
        "[nH]1cccc1",
        "[B-](F)(F)(F)F",
        "",
    ],
)
def test_an_ordinary_answer_has_none(smiles: str) -> None:
    assert notes(smiles) == {}


def test_an_error_has_none() -> None:
    assert notes_on_answer(None, (), False) == ()


def test_lead_is_said_to_be_phenyl() -> None:
    assert notes("C[Pb].[Pb]C") == {"lead_for_phenyl": "2 x [Pb], which `Ph` is read as"}
    assert notes("C[Pd]") == {}


@pytest.mark.parametrize(
    ("smiles", "evidence"),
    [
        ("C[R1]", "1 x [R1]"),
        ("C[Ar]C[Ar2]", "1 x [Ar], 1 x [Ar2]"),
        ("[R]C([R'])[X]", "1 x [R], 1 x [R'], 1 x [X]"),
        ("C[Z]C[Z]C[Y2a]", "2 x [Z], 1 x [Y2a]"),
        ("*C[*]", "1 x *, 1 x [*]"),
    ],
)
def test_labels_of_groups_are_counted_and_no_fault_of_grammar(smiles: str, evidence: str) -> None:
    assert notes(smiles) == {"r_labels": evidence}


@pytest.mark.parametrize("smiles", ["C[Zn]C", "C[Rb]", "[Xe]", "C[Yb]", "C[Ru]"])
def test_an_element_that_begins_like_a_label_is_none(smiles: str) -> None:
    assert notes(smiles) == {}


@pytest.mark.parametrize(
    ("smiles", "evidence"),
    [
        ("C1CC", "ring bond 1 is not closed"),
        ("C(C(=O)O", "'(' at 1 is not closed"),
        ("CC)C", "')' at 2 closes nothing"),
        ("C(.C)", "'.' at 2 follows no atom"),
        ("C()C", "')' at 2 follows no atom"),
        ("CC=", "it ends where an atom must follow"),
        ("C==C", "'=' at 2 follows no atom"),
        ("=C", "'=' at 0 follows no atom"),
        ("(C)", "'(' at 0 follows no atom"),
        ("1CC1", "'1' at 0 follows no atom"),
        ("C..C", "'.' at 2 follows no atom"),
        ("CC.", "it ends where an atom must follow"),
        ("C[Qq]", "[Qq] is no atom"),
        ("C[C", "'[C' at 1 is no part of a SMILES"),
        ("C[Pb", "'[Pb' at 1 is no part of a SMILES"),
        ("C<C", "'<C' at 1 is no part of a SMILES"),
    ],
)
def test_what_is_no_smiles_by_its_grammar_is_said(smiles: str, evidence: str) -> None:
    assert notes(smiles) == {"unparsable": evidence}


def test_a_pattern_without_end_is_said() -> None:
    assert notes("C" * 302, ["C"] * 302, True) == {
        "repeats": "302 x C at the end",
        "truncated": "no end within 302 tokens",
    }
    ring = ["C", "1", "=", "C", "O", "1"], ["C", "2", "=", "C", "O", "2"]
    tokens = [*"NNO", *(token for n in range(20) for token in ring[n % 2])]
    assert notes("C", tokens) == {"repeats": "20 x C=CO at the end"}


def test_a_long_chain_and_a_pattern_that_ended_are_no_repetition() -> None:
    assert notes("C" * 59, ["C"] * 59) == {}
    assert notes("C", [*["C"] * 100, "O"]) == {}


def test_many_fragments_are_probably_a_page() -> None:
    assert notes("C.C.C.C") == {}
    assert notes("C.C.C.C.C") == {"many_fragments": "5 fragments: probably a page or a scheme"}


def test_notes_are_of_the_closed_list_and_in_its_order() -> None:
    names = [note.name for note in notes_on_answer("[Pb][R1](.C.C.C.C", ["C"] * 70, True)]
    assert names == [name for name in NOTES if name in names]
    assert names == list(NOTES[:6])
    assert Note("a", "b") == Note("a", "b")
