"""What RDKit makes of answers: figures of known compounds, groups, and what it refuses in its own words."""

from __future__ import annotations

import pytest

from worker.answers.chemistry import Chemist


@pytest.fixture(scope="module")
def chemist() -> Chemist:
    return Chemist()


def test_aspirin_is_described(chemist: Chemist) -> None:
    found = chemist.describe("CC(=O)OC1=CC=CC=C1C(=O)O", molfile=True)
    assert found.canonical_smiles == found.cxsmiles == "CC(=O)Oc1ccccc1C(=O)O"
    assert found.inchi == "InChI=1S/C9H8O4/c1-6(10)13-8-5-3-2-4-7(8)9(11)12/h2-5H,1H3,(H,11,12)"
    assert found.inchikey == "BSYNRYMUTXBXSQ-UHFFFAOYSA-N"
    assert (found.formula, found.mass, found.refused) == ("C9H8O4", 180.159, "")
    assert " 13 13  0  0" in found.molfile
    assert chemist.describe("C").molfile == ""


@pytest.mark.parametrize(
    ("smiles", "other"), [("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"), ("F/C=C/F", "F/C=C\\F")]
)
def test_stereo_is_told_apart(chemist: Chemist, smiles: str, other: str) -> None:
    one, two = chemist.describe(smiles).inchikey, chemist.describe(other).inchikey
    assert one != two
    assert one[:14] == two[:14]


def test_groups_keep_their_labels(chemist: Chemist) -> None:
    found = chemist.describe("[R1]C([X])C*", molfile=True)
    assert found.canonical_smiles == "*CC(*)*"
    assert found.cxsmiles.startswith("*CC(*)* |$")
    assert {"R1", "X"} <= set(found.cxsmiles.partition("$")[2].partition("$")[0].split(";"))
    assert (found.inchi, found.inchikey, found.mass, found.refused) == ("", "", None, "")
    assert "M  RGP  1   1   1" in found.molfile


@pytest.mark.parametrize(
    ("smiles", "why"),
    [
        ("C12CC1", "ring bond 2 is not closed"),
        ("CC(C)(C)(C)C", "Explicit valence for atom # 1 C, 5, is greater than permitted"),
        ("c1cccc1", "Can't kekulize mol."),
        ("", "nothing was read"),
        (" ", "nothing was read"),
        ("C" * 6_000, "6000 characters; at most 5000 are read"),
        ("C" * 5_000, "5,000 atoms; at most 500 are read"),
        ("C(" * 1_600 + "C" + ")" * 1_600, "1,601 atoms; at most 500 are read"),
        ("C\0C", "'\\x00C' at 1 is no part of a SMILES"),
        ("C\ud800", "'utf-8' codec can't encode"),
    ],
)
def test_what_is_refused_is_said(chemist: Chemist, smiles: str, why: str) -> None:
    found = chemist.describe(smiles, molfile=True)
    assert found.refused.startswith(why)
    assert (found.canonical_smiles, found.inchikey, found.molfile, found.mass) == ("", "", "", None)
