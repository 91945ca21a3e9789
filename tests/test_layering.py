"""Two ground floors, one above `targets`, and `bench` on top; no arrow runs back up, anywhere."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAME = "mobilebench"
MAY_IMPORT = {
    "targets": {"targets"},
    "reports": {"reports"},
    "schedules": {"schedules", "targets"},
    "bench": {"bench", "schedules", "targets", "reports"},
}
FILES = [path for folder in MAY_IMPORT for path in sorted((ROOT / folder).rglob("*.py"))]
Graph = Mapping[str, set[str]]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join((NAME, *(parts[:-1] if parts[-1] == "__init__" else parts)))


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield every name that is imported, and where it is imported from, at any depth of a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def imports_of_modules() -> Graph:
    """Return which of our modules each of our modules imports.

    Of `from a.b import c` it is a.b.c, if that is a module, and else a.b.
    """
    known = {module_name(path) for path in FILES}

    def modules(tree: ast.AST) -> Iterator[str]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    yield whole if whole in known else node.module

    graph: dict[str, set[str]] = {}
    for path in FILES:
        found = set(modules(ast.parse(path.read_text())))
        graph[module_name(path)] = found & known - {module_name(path)}
    return graph


def imports_of_rooms(folder: str) -> Graph:
    """Return which rooms of a folder each of its rooms imports.

    A room is a folder in it, with all that it holds, or a module that lies in no such folder.
    """
    above = f"{NAME}.{folder}."

    def room(module: str) -> str:
        return module.removeprefix(above).split(".")[0]

    rooms: dict[str, set[str]] = {}
    for module, others in imports_of_modules().items():
        if module.startswith(above):
            mine = room(module)
            inside = {room(other) for other in others if other.startswith(above)}
            rooms.setdefault(mine, set()).update(inside - {mine})
    return rooms


def assert_no_cycle(graph: Graph) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_file_imports_only_from_layers_below(path: Path) -> None:
    names = [name.split(".") for name in imported(ast.parse(path.read_text()))]
    assert not [parts for parts in names if parts[0] in MAY_IMPORT], "without mobilebench before it"
    ours = {parts[1] for parts in names if parts[0] == NAME and len(parts) > 1}
    assert ours <= MAY_IMPORT[path.relative_to(ROOT).parts[0]]


def test_files_have_no_import_cycle() -> None:
    graph = imports_of_modules()
    assert sum(map(len, graph.values())) > len(FILES)
    assert_no_cycle(graph)


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_packages_inside_a_folder_have_no_import_cycle(folder: str) -> None:
    rooms = imports_of_rooms(folder)
    assert len(rooms) > 5
    assert any(rooms.values())
    assert_no_cycle(rooms)


def test_an_import_cycle_is_detected() -> None:
    with pytest.raises(pytest.fail.Exception, match="a circle of imports"):
        assert_no_cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}})


def test_tests_name_our_modules_in_full() -> None:
    """A patch of `reports.…` would change a second copy of the module, which nobody uses."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "setattr":
                named = node.args[0] if node.args else None
                if isinstance(named, ast.Constant) and isinstance(named.value, str):
                    assert named.value.split(".")[0] not in MAY_IMPORT, f"{path}: {named.value}"


HEAVY = {"tvm", "torch", "onnx", "onnxruntime", "pandas", "matplotlib", "scipy"}


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("bench.cli.app", HEAVY | {"pydantic", "sqlalchemy", "numpy"}),
        ("bench.cli.run", HEAVY),
        ("bench.cli.variants", HEAVY),
        ("bench.config.commands", HEAVY),
        ("bench.measure.runner", HEAVY),
    ],
)
def test_heavy_packages_are_imported_only_where_they_are_used(
    module: str, absent: set[str]
) -> None:
    code = f"import sys, mobilebench.{module}; print(*sorted({absent} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_help_is_shown_without_pydantic() -> None:
    code = (
        "import sys; from mobilebench.bench.cli.app import app; "
        "app(['--help'], standalone_mode=False); "
        "sys.exit('pydantic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "--version" in done.stdout


def test_pytest_finds_every_test_file(pytestconfig: pytest.Config) -> None:
    passed_over = pytestconfig.getini("norecursedirs")
    for path in (ROOT / "tests").rglob("test_*.py"):
        folders = path.relative_to(ROOT).parts[:-1]
        assert not any(fnmatch(name, one) for name in folders for one in passed_over), path
