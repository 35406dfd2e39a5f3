"""Who may import whom: arrows between the parts, the one home of each outside client; how they are cut."""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GROUND_FLOOR = "cloud_monitor"
PARTS = (GROUND_FLOOR, "collector", "webapp", "worker")

# importing module -> modules of another part that it may import; the ground floor is for all and imports none
CROSSINGS = {
    "webapp.views.wishing": {"worker.queue.machines.wishes"},
    "webapp.views.batches": {"worker.queue.statistics", "worker.queue.batch_wishes.wishes"},
    "webapp.views.machines": {"worker.queue.statistics", "worker.queue.machines.wishes"},
    "webapp.views.fleet": {"worker.queue.statistics", "worker.review"},
    "collector.sources": {"worker.queue.statistics"},
}

# Names that several classes may have, and why
SHARED_NAMES = {
    "Settings": "each part's own fields, as users know them",
}
FILES_IN_A_ROOT = dict.fromkeys(PARTS, 12)  # beside __init__
FILES_IN_A_FOLDER = 15  # beside __init__, below a root
LINES = 300
# may be longer: they are read by looking something up
TABLES = {
    *(f"{part}/settings.py" for part in PARTS),
    "cloud_monitor/metrics/catalog.py",
    "worker/queue/schema.py",
}


_IMPORTERS = ("import_module", "__import__")
# Of the repository, but no part: neither installed with one nor there where it runs
OTHERS = {path.parent.name for path in ROOT.glob("*/*.py")} - set(PARTS)


@cache
def modules() -> list[Path]:
    return sorted(path for part in PARTS for path in (ROOT / part).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


@cache
def imported_modules(path: Path) -> frozenset[str]:
    package = module_name(path).split(".")
    return imports_of(parsed(path), package if path.name == "__init__.py" else package[:-1])


def imports_of(tree: ast.Module, package: list[str]) -> frozenset[str]:
    """What a module of the package imports, wherever in it and however that is written."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (prefix, node.module) if part)
            found.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) in _IMPORTERS and node.args:
            found.add(_beginning_of(node.args[0]))
    return frozenset(found - {""})


def _called(call: ast.Call) -> str:
    """The last part of its name."""
    called = call.func
    return (
        called.attr
        if isinstance(called, ast.Attribute)
        else called.id
        if isinstance(called, ast.Name)
        else ""
    )


def _beginning_of(text: ast.expr) -> str:
    """The name that an import asks for as a program runs; of one that is put together, what is certain."""
    first = text.values[0] if isinstance(text, ast.JoinedStr) else text
    known = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
    return known if first is text else known.rpartition(".")[0]


def allowed(importer: str, imported: str) -> bool:
    return any(
        (importer == source or importer.startswith(source + "."))
        and any(imported == target or imported.startswith(target + ".") for target in targets)
        for source, targets in CROSSINGS.items()
    )


def test_parts_import_only_what_they_may_of_another() -> None:
    crossings = {
        f"{module_name(path)} imports {name}"
        for path in modules()
        for name in imported_modules(path)
        if name.split(".")[0] in {*PARTS, *OTHERS} - {module_name(path).split(".")[0], GROUND_FLOOR}
        and not allowed(module_name(path), name)
    }
    assert crossings == set()


# What reaches outside, or is heavy, or dangerous -> the modules and rooms that may import it
HOMES = {
    "psutil": {"cloud_monitor.system.usage"},
    "pickle": {"collector.delivery.frames", "worker.decimer.vocabulary"},
    # Locks that are had at once or not at all have one home. The others lock what is no file of a lock's own,
    # wait, or must not share with a child: each says why.
    "fcntl": {
        "cloud_monitor.system.locks",
        "cloud_monitor.system.sqlite_file",  # waits for who sets aside
        "collector.lock",  # a record lock
        "webapp.metrics.counters",  # looks whether another holds one
        "worker.decimer.model.store",  # waits for who downloads
        "worker.gate.temporary",  # locks folders
    },
    "htcondor": {"cloud_monitor.htcondor.bindings"},
    "htcondor2": {"cloud_monitor.htcondor.bindings"},
    "classad": {"cloud_monitor.htcondor"},
    "classad2": {"cloud_monitor.htcondor"},
    "flask": {"webapp"},
    "waitress": {"webapp.__main__"},
    "prometheus_client": {"webapp.metrics.exposition"},
    "apprise": {"webapp.alerts.sending.channel"},
    "sqlalchemy": {"worker"},
    "alembic": {"worker.queue.database.migrate", "worker.queue.migrations"},
    "psycopg": {"worker.queue.database.postgresql"},
    "click": {"worker.__main__", "worker.commands", "worker.review.command_options"},
    "onnx": {"worker.decimer.model"},
    "onnxruntime": {"worker.decimer.sessions"},
    "openvino": {"worker.decimer.open_onnx"},
    "tensorflow": {"worker.decimer.upstream"},
    "numpy": {"worker"},
    "PIL": {"worker.decimer.images"},
    "pypdfium2": {"worker.decimer.images.pdf_process"},
    "rdkit": {"worker.answers.chemistry"},
    "pyarrow": {"worker.exports.parquet"},
    "boto3": {"worker.machines.providers.ec2"},
    "openstack": {"worker.machines.providers.openstack"},
    "azure.mgmt.compute": {"worker.machines.providers.azure"},
    "azure.mgmt.monitor": {"worker.azure_rules"},
    "azure.monitor.querymetrics": {"collector.sources.azure.client"},
    "azure.storage.blob": {"worker.storage"},
}


def is_within(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


@pytest.mark.parametrize("client", HOMES)
def test_an_outside_client_has_its_home(client: str) -> None:
    importers = {
        module_name(path)
        for path in modules()
        if any(is_within(name, client) for name in imported_modules(path))
    }
    assert {name for name in importers if not any(is_within(name, home) for home in HOMES[client])} == set()
    empty = {home for home in HOMES[client] if not any(is_within(name, home) for name in importers)}
    assert empty == set(), "a home that imports it no more leaves the list"


@pytest.mark.parametrize(
    "text",
    [
        "import worker.queue",
        "from ..queue import thing",
        "def late():\n    from worker import queue",
        "if TYPE_CHECKING:\n    from worker import queue",
        "importlib.import_module('worker.queue')",
        "import_module(f'worker.queue.{kind}')",
        "__import__('worker.queue')",
    ],
)
def test_an_import_is_found_however_it_is_written(text: str) -> None:
    (found,) = imports_of(ast.parse(text), ["worker", "gate"])
    assert is_within(found, "worker.queue")


def test_every_folder_of_a_part_is_a_package() -> None:
    """A wheel has packages alone: one without __init__ would work in a clone and nowhere else."""
    assert {path.parent for path in modules() if not (path.parent / "__init__.py").exists()} == set()


# Rooms of a wing (its folders, the modules of its root) from the ground up: each may use those in the rows
# below its own, and itself.
COLLECTOR_FLOORS = (
    {"collector.model"},
    {"collector.isolate", "collector.delivery", "collector.azure"},
    {"collector.settings"},
    {"collector.sources"},
    {"collector.tasks"},
    {"collector.clouds", "collector.zerofill"},
    {"collector.compose", "collector.inventory"},
    {"collector.run", "collector.lock", "collector.loop"},
    {"collector.check"},
    {"collector.__main__"},
)
WEBAPP_FLOORS = (
    {"webapp.errors"},
    {"webapp.model"},
    {"webapp.settings"},
    {"webapp.graphite", "webapp.inventory", "webapp.metrics", "webapp.annotations", "webapp.reviews"},
    {"webapp.poll"},
    {"webapp.alerts"},
    {"webapp.pages"},
    {"webapp.serving"},
    {"webapp.views"},
    {"webapp.app"},
    {"webapp"},
    {"webapp.__main__", "webapp.wsgi"},
)
FLOORS = {"collector": COLLECTOR_FLOORS, "webapp": WEBAPP_FLOORS}


def floors_of(wing: str) -> dict[str, int]:
    return {room: floor for floor, rooms in enumerate(FLOORS[wing]) for room in rooms}


@pytest.mark.parametrize("wing", FLOORS)
def test_no_arrow_of_a_wing_points_upward(wing: str) -> None:
    floors = floors_of(wing)

    def room(name: str) -> str:
        """Of a module or of what is imported from one; names of the package itself are its own."""
        return room_of(name) if room_of(name) in floors else wing

    refused = {}
    for path in modules():
        own = room(module_name(path))
        if module_name(path) != wing and not path.is_relative_to(ROOT / wing):
            continue
        names = {name for name in imported_modules(path) if name.split(".")[0] == wing}
        others = {name for name in names if room(name) != own}
        if upward := {name for name in others if floors.get(room(name), 99) >= floors.get(own, -1)}:
            refused[module_name(path)] = upward
    assert refused == {}


@pytest.mark.parametrize("wing", FLOORS)
def test_every_room_of_a_wing_has_its_floor(wing: str) -> None:
    rooms = {room_of(module_name(path)) for path in modules() if path.is_relative_to(ROOT / wing)}
    is_bare = len(parsed(ROOT / wing / "__init__.py").body) == 1  # what it is, in a docstring
    assert rooms - ({wing} if is_bare else set()) == set(floors_of(wing))


def test_the_wsgi_file_imports_the_webapp_alone() -> None:
    for path in (ROOT / "wsgi").iterdir():
        parts = {name.split(".")[0] for name in imported_modules(path)} & {*PARTS, "tests", "tools"}
        assert parts == {"webapp"}, path


def test_no_rooms_of_the_worker_import_each_other_in_a_circle() -> None:
    """A room is a folder, or a module of the root."""
    imports: defaultdict[str, set[str]] = defaultdict(set)
    for path in modules():
        if path.is_relative_to(ROOT / "worker"):
            own = room_of(module_name(path))
            others = {room_of(name) for name in imported_modules(path) if name.startswith("worker.")}
            imports[own] |= others - {own}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as circle:
        pytest.fail(" <- ".join(circle.args[1]))


def room_of(name: str) -> str:
    return ".".join(name.split(".")[:2])


def test_no_modules_import_each_other_in_a_circle() -> None:
    known = {module_name(path): path for path in modules()}
    imports = {
        name: {found if found in known else found.rpartition(".")[0] for found in imported_modules(path)}
        & (known.keys() - {name})
        for name, path in known.items()
    }
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as circle:
        pytest.fail(" <- ".join(circle.args[1]))


def test_no_class_name_is_defined_twice() -> None:
    homes: defaultdict[str, list[str]] = defaultdict(list)
    for path in modules():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(module_name(path))
    twice = {name: where for name, where in homes.items() if len(where) > 1}
    assert {name: where for name, where in twice.items() if name not in SHARED_NAMES} == {}
    assert SHARED_NAMES.keys() <= twice.keys(), "a name that is not shared any more leaves the list"


def test_the_root_of_a_wing_can_be_taken_in_at_a_glance() -> None:
    counts = {part: len(list((ROOT / part).glob("*.py"))) - 1 for part in PARTS}
    assert {part: count for part, count in counts.items() if count > FILES_IN_A_ROOT[part]} == {}


def test_no_folder_is_crowded_and_each_says_what_it_is() -> None:
    packages = {path.parent for path in modules() if path.name == "__init__.py"}
    counts = {folder: len(list(folder.glob("*.py"))) - 1 for folder in packages}
    crowded = {folder: count for folder, count in counts.items() if count > FILES_IN_A_FOLDER}
    assert {module_name(folder / "__init__.py"): count for folder, count in crowded.items()} == {}
    silent = {folder for folder in packages if not ast.get_docstring(parsed(folder / "__init__.py"))}
    assert {module_name(folder / "__init__.py") for folder in silent} == set()


def test_no_file_is_long() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules()}
    assert {path: lines for path, lines in lengths.items() if lines > LINES and path not in TABLES} == {}


def test_only_entries_commands_and_the_apps_rim_take_all_settings_of_a_part() -> None:
    """The others ask for the group that they use, so that one sees what a function depends on."""
    rim = {
        "collector.__main__", "collector.check", "collector.run", "collector.tasks",
        "webapp", "webapp.app", "webapp.__main__", "webapp.serving.context",
        "worker.commands", "worker.condor",
    }  # fmt: skip
    takers = {
        module_name(path)
        for path in modules()
        if any(name.endswith(".settings.Settings") for name in imported_modules(path))
    }
    assert {
        name for name in takers if name not in rim and name.rpartition(".")[0] not in rim - {"webapp"}
    } == set()
