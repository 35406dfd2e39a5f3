"""What RDKit (extra `chemistry`) makes of an answer, beside its SMILES, which stays as it is: canonical
SMILES, InChI and InChIKey, formula, mass, CXSMILES and a molfile. Labels of groups (`[R1]`) are read as R
groups. For exports: no worker imports this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from cloud_monitor.system.text import one_line
from worker.answers.smiles import grammar_fault, group_labels, without_labels
from worker.errors import WorkerError

LONGEST_SMILES = 5_000  # characters; the longest answers have some 700
MOST_ATOMS = 500  # the longest answers have 302; a drawing of 1,000 takes seconds, one of 5,000 minutes
_REASON_MAX = 200
_NUMBER = re.compile(r"\d+")


class ChemistryMissing(WorkerError):
    """RDKit is not installed; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Chemistry:
    """`refused` is why RDKit cannot read the SMILES; then all else is "" or None. What has R groups has no
    InChI, no mass and a formula with `*` or R in it.
    """

    canonical_smiles: str = ""
    cxsmiles: str = ""  # with the groups' labels
    inchi: str = ""
    inchikey: str = ""
    formula: str = ""
    mass: float | None = None  # average, in g/mol
    molfile: str = ""
    refused: str = ""


class Chemist:
    """RDKit, loaded once."""

    def __init__(self) -> None:
        """Raises ChemistryMissing."""
        try:
            from rdkit import Chem, RDLogger
            from rdkit.Chem import Descriptors, rdDepictor, rdMolDescriptors
        except ImportError as error:
            raise ChemistryMissing(
                f"this needs RDKit ({error}): pip install 'cloud-monitor[chemistry]'"
            ) from error
        RDLogger.DisableLog("rdApp.*")  # type: ignore[attr-defined] # its words come with each answer instead
        self._chem: Any = Chem
        self._descriptors: Any = Descriptors
        self._depictor: Any = rdDepictor
        self._formulas: Any = rdMolDescriptors

    def describe(self, smiles: str, molfile: bool = False) -> Chemistry:
        """A molfile, drawn anew, on request: it costs more than all else."""
        if not smiles.strip():
            return Chemistry(refused="nothing was read")
        if len(smiles) > LONGEST_SMILES:
            return Chemistry(refused=f"{len(smiles)} characters; at most {LONGEST_SMILES} are read")
        try:
            molecule = self._read(smiles)
            return molecule if isinstance(molecule, Chemistry) else self._describe(molecule, molfile)
        except Exception as error:  # noqa: BLE001 - RDKit fails in many ways on what no chemist wrote
            return Chemistry(refused=one_line(str(error), _REASON_MAX) or type(error).__name__)

    def _read(self, smiles: str) -> Any:
        """The molecule, labels of groups as R groups; or why there is none."""
        molecule = self._chem.MolFromSmiles(without_labels(smiles), sanitize=False)
        if molecule is None:
            return Chemistry(refused=grammar_fault(smiles) or "not a SMILES")
        if (atoms := molecule.GetNumAtoms()) > MOST_ATOMS:
            return Chemistry(refused=f"{atoms:,} atoms; at most {MOST_ATOMS} are read")
        problems = self._chem.DetectChemistryProblems(molecule)
        if problems:
            return Chemistry(
                refused="; ".join(one_line(problem.Message(), _REASON_MAX) for problem in problems[:3])
            )
        self._chem.SanitizeMol(molecule)
        self._chem.AssignStereochemistry(molecule, cleanIt=True, force=True)
        groups = [atom for atom in molecule.GetAtoms() if atom.GetAtomicNum() == 0]
        for atom, label in zip(groups, group_labels(smiles), strict=True):
            name = label.strip("[]")
            if name != "*":
                atom.SetProp("atomLabel", name)
            if name[0] == "R" and (number := _NUMBER.search(name)) is not None:
                atom.SetUnsignedProp("_MolFileRLabel", int(number[0]))
        return molecule

    def _describe(self, molecule: Any, molfile: bool) -> Chemistry:
        chem = self._chem
        has_groups = any(atom.GetAtomicNum() == 0 for atom in molecule.GetAtoms())
        inchi = "" if has_groups else chem.MolToInchi(molecule)
        block = ""
        if molfile:
            self._depictor.Compute2DCoords(molecule)
            block = chem.MolToMolBlock(molecule)
        return Chemistry(
            canonical_smiles=chem.MolToSmiles(molecule),
            cxsmiles=chem.MolToCXSmiles(self._without_drawing(molecule)),
            inchi=inchi,
            inchikey=chem.InchiToInchiKey(inchi) if inchi else "",
            formula=self._formulas.CalcMolFormula(molecule),
            mass=None if has_groups else round(self._descriptors.MolWt(molecule), 3),
            molfile=block,
        )

    def _without_drawing(self, molecule: Any) -> Any:
        bare = self._chem.Mol(molecule)
        bare.RemoveAllConformers()
        return bare
