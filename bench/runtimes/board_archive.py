"""What is shipped to a board so that a runtime runs there: a program and a model, each a zip."""

import ast
import importlib.util
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from mobilebench.bench.runtimes.board_program import CONVERTED, ONNX
from mobilebench.bench.runtimes.model_files import ModelFiles

_PROGRAM = "mobilebench.bench.runtimes.board_program"
_MAIN = f"from {_PROGRAM} import main\n\nmain()\n"
_OURS = "mobilebench."


def program_archive(factory: str) -> bytes:
    """Return the program that serves a runtime's class, and what of this project it imports."""
    modules = _imported(_PROGRAM, factory.partition(":")[0])
    folders = {str(folder) for name in modules for folder in _path_of(name).parents} - {"."}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__main__.py", _MAIN)
        for folder in sorted(folders):
            archive.writestr(f"{folder}/__init__.py", "")
        for name, source in sorted(modules.items()):
            archive.writestr(str(_path_of(name)), source)
    return buffer.getvalue()


def model_archive(files: ModelFiles) -> bytes:
    """Return a network's files; the ONNX file is left out where the runtime has its own form."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        own = sorted(files.converted.iterdir()) if files.converted else []
        for path in own:
            archive.write(path, f"{CONVERTED}/{path.name}")
        if not own:
            archive.write(files.onnx_path, ONNX)
    return buffer.getvalue()


def _imported(*names: str) -> dict[str, str]:
    """Return the sources of modules and of all of ours that they import where they are imported."""
    found: dict[str, str] = {}
    left = list(names)
    while left:
        name = left.pop()
        if name not in found:
            found[name] = _source(name)
            left += _imports(found[name])
    return found


def _imports(source: str) -> Iterator[str]:
    for node in ast.parse(source).body:  # what stands in functions or conditions is not for boards
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(_OURS):
            yield node.module


def _source(name: str) -> str:
    spec = importlib.util.find_spec(name)
    assert spec and spec.origin, name
    return Path(spec.origin).read_text()


def _path_of(name: str) -> Path:
    return Path(*name.split(".")).with_suffix(".py")
