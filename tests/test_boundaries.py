"""Who may import whom: arrows between the parts, and the one home of each outside client."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GROUND_FLOOR = "cloud_monitor"
PARTS = (GROUND_FLOOR, "collector", "webapp", "worker")

# importing module -> modules of another part that it may import; the ground floor is for all and imports none
CROSSINGS = {
    "webapp.views.fleet": {"worker.queue.statistics"},
    "collector.sources.fleet": {"worker.queue.statistics"},
}


def modules() -> list[Path]:
    return sorted(path for part in PARTS for path in (ROOT / part).rglob("*.py"))


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def imported_modules(path: Path) -> set[str]:
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (prefix, node.module) if part)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return found


def allowed(importer: str, imported: str) -> bool:
    return any(
        (importer == source or importer.startswith(source + "."))
        and any(imported == target or imported.startswith(target + ".") for target in targets)
        for source, targets in CROSSINGS.items()
    )


@pytest.mark.parametrize("path", modules(), ids=module_name)
def test_part_imports_only_what_it_may_of_another_part(path: Path) -> None:
    importer = module_name(path)
    own = importer.split(".")[0]
    crossings = {
        name for name in imported_modules(path) if name.split(".")[0] in set(PARTS) - {own, GROUND_FLOOR}
    }
    assert {name for name in crossings if not allowed(importer, name)} == set()


def test_psutil_has_one_home() -> None:
    homes = {
        module_name(path)
        for path in modules()
        if any(n.split(".")[0] == "psutil" for n in imported_modules(path))
    }
    assert homes <= {"cloud_monitor.system.usage", "webapp.views.metrics"}


def test_pickle_has_two_homes() -> None:
    homes = {
        module_name(path)
        for path in modules()
        if any(n.split(".")[0] == "pickle" for n in imported_modules(path))
    }
    assert homes <= {"collector.delivery.frames", "worker.decimer.vocabulary"}
