"""The grammar of SMILES, as far as it takes no chemistry: http://opensmiles.org/opensmiles.html. It is for
saying cheaply that an answer is not a SMILES at all; what its atoms may be bonded to is chemistry.py's.
"""

from __future__ import annotations

import re

# What DECIMER writes for groups; argon and yttrium are in no drawing of a molecule
LABELS = frozenset(("R", "X", "Y", "Z", "Ar"))
AROMATIC = frozenset(("b", "c", "n", "o", "p", "s", "se", "as"))
_PERIODIC_TABLE = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb "
    "Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu "
    "Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db "
    "Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og "
)
ELEMENTS = frozenset(_PERIODIC_TABLE.split()) | AROMATIC | LABELS | {"*"}
_PARTS = re.compile(
    r"(?P<atom>\[[^\[\]]*\]|Br|Cl|[BCNOPSFI]|[bcnops*])"
    r"|(?P<ring>%\d\d|\d)|(?P<bond>[-=#$:/\\])|(?P<open>\()|(?P<close>\))|(?P<dot>\.)"
)
_BRACKET = re.compile(
    r"\[\d{0,3}(?P<element>[A-Z][a-z]?|[a-z]{1,2}|\*)(?P<label>(?:\d+[a-f]?)?'?)"
    r"(@{0,2}|@(TH|AL|SP|TB|OH)\d+)(H\d?)?(\+{1,3}|-{1,3}|[+-]\d{1,2})?(:\d+)?\]"
)


def grammar_fault(smiles: str) -> str | None:
    """The first thing that no SMILES has, in words; None for one that is sound by its grammar. Labels of
    groups (`[R1]`) count as atoms.
    """
    position, expects_atom, may_branch = 0, True, False
    depths: list[int] = []
    rings: set[str] = set()
    while position < len(smiles):
        found = _PARTS.match(smiles, position)
        if found is None:
            return f"{smiles[position : position + 10]!r} at {position} is no part of a SMILES"
        part, kind, at = found[0], found.lastgroup, position
        position = found.end()
        if kind == "atom":
            if part.startswith("[") and not is_atom(part):
                return f"{part[:12]} is no atom"
            expects_atom, may_branch = False, True
        elif not may_branch and kind != "bond":
            return f"{part!r} at {at} follows no atom"
        elif kind == "ring":
            if expects_atom and smiles[at - 1] not in "-=#$:/\\":
                return f"{part!r} at {at} follows no atom"
            rings ^= {part.removeprefix("%").lstrip("0") or "0"}
            expects_atom = False
        elif kind == "bond":
            if expects_atom and smiles[at - 1 : at] != "(":
                return f"{part!r} at {at} follows no atom"
            expects_atom = True
        elif kind == "open":
            if expects_atom:
                return f"'(' at {at} follows no atom"
            depths.append(at)
            expects_atom = True
        elif expects_atom:
            return f"{part!r} at {at} follows no atom"
        elif kind == "close":
            if not depths:
                return f"')' at {at} closes nothing"
            depths.pop()
        else:
            if depths:
                return f"'(' at {depths[-1]} is not closed"
            expects_atom, may_branch = True, False
    if depths:
        return f"'(' at {depths[-1]} is not closed"
    if rings:
        return f"ring bond {min(rings)} is not closed"
    return "it ends where an atom must follow" if expects_atom and smiles else None


def is_atom(bracket: str) -> bool:
    found = _BRACKET.fullmatch(bracket)
    if found is None:
        return False
    is_label = found["element"] in LABELS
    return found["element"] in ELEMENTS and (is_label or not found["label"])


LABEL = rf"\[(?:{'|'.join(sorted(LABELS))})(?:\d+[a-f]?)?'?\]"  # the page's scripts read it too
_GROUP = re.compile(rf"{LABEL}|\[\*\]|(?<![\[\d])\*")


def group_labels(smiles: str) -> list[str]:
    """`[R1]`, `[X]`, `*`, in order of appearance, each as often as it stands."""
    return _GROUP.findall(smiles)


def without_labels(smiles: str) -> str:
    """The same with each label as `*`, which is SMILES."""
    return _GROUP.sub("*", smiles)
