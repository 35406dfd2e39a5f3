"""The modules that a page names are those that its script imports, each once."""

from __future__ import annotations

import re

from webapp.serving.assets import FOLDER, modules


def imported_by(name: str) -> set[str]:
    return set(re.findall(r"""from ["']\./(\w+\.js)["']""", (FOLDER / "js" / name).read_text()))


def test_the_modules_named_are_those_that_the_script_imports() -> None:
    reached, waiting = set(), ["main.js"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += imported_by(name)
    assert modules()[0] == "main.js"
    assert sorted(modules()) == sorted(reached)
