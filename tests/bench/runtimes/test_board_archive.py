"""What goes to a board is enough there: Python, NumPy, and the runtime's own package."""

import ast
import io
import sys
import zipfile

import pytest

from mobilebench.bench.runtimes.board_archive import program_archive
from mobilebench.bench.runtimes.runtime import RUNTIMES

OWN = {"onnxruntime": "onnxruntime", "ncnn": "ncnn", "mnn": "MNN", "litert": "ai_edge_litert"}
ON_BOARDS = [name for name, entry in RUNTIMES.items() if entry.on_boards]


@pytest.mark.parametrize("name", ON_BOARDS)
def test_nothing_else_is_imported_on_a_board(name: str) -> None:
    archive = zipfile.ZipFile(io.BytesIO(program_archive(RUNTIMES[name].factory)))
    sources = {path: archive.read(path).decode() for path in archive.namelist()}
    imported = set()
    for source in sources.values():
        for node in ast.parse(source).body:
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module)
    ours = {module for module in imported if module.startswith("mobilebench.")}
    assert {f"{module.replace('.', '/')}.py" for module in ours} <= sources.keys()
    foreign = {module.split(".")[0] for module in imported - ours} - sys.stdlib_module_names
    assert foreign == {"numpy", OWN[name]}
    assert sum(map(len, sources.values())) < 50_000
