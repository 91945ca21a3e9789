"""Two ground floors, one above `targets`, and `bench` on top; no arrow runs back up."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "targets": {"targets"},
    "reports": {"reports"},
    "schedules": {"schedules", "targets"},
    "bench": {"bench", "schedules", "targets", "reports"},
}
FILES = [path for folder in MAY_IMPORT for path in sorted((ROOT / folder).rglob("*.py"))]


def module_name(path: Path) -> str:
    return ".".join(("mobilebench", *path.relative_to(ROOT).with_suffix("").parts))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_file_imports_only_from_floors_below(path: Path) -> None:
    names = [name.split(".") for name in imported(ast.parse(path.read_text()))]
    ours = {parts[1] for parts in names if parts[0] == "mobilebench" and len(parts) > 1}
    assert ours <= MAY_IMPORT[path.relative_to(ROOT).parts[0]]


def graph_of(files: Sequence[Path]) -> dict[str, set[str]]:
    """Return which of the modules each of them imports."""
    known = {module_name(path) for path in files}
    return {
        module_name(path): set(imported(ast.parse(path.read_text()))) & known - {module_name(path)}
        for path in files
    }


def assert_no_cycles(graph: Mapping[str, set[str]]) -> None:
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, f"cycle: {' -> '.join((*above, module))}"
        if module not in done:
            for below in sorted(graph[module]):
                visit(below, (*above, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_no_file_imports_itself_through_others() -> None:
    assert_no_cycles(graph_of(FILES))


def test_the_folders_of_reports_lie_one_above_the_other() -> None:
    files = [path for path in (ROOT / "reports").rglob("*.py") if path.stem != "__init__"]
    folders: dict[str, set[str]] = {path.parent.name: set() for path in files}
    for module, others in graph_of(files).items():
        mine = module.split(".")[-2]
        folders[mine] |= {other.split(".")[-2] for other in others} - {mine}
    assert len(folders) > 5
    assert_no_cycles(folders)


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
