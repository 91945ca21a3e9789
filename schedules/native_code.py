"""What is linked beside a network: C++ of our own, compiled for its target."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from targets.toolchain import Toolchain

TEAM = "team"  # launches the network on several threads
MARKS = "marks"  # notes when each kernel was done

_SOURCES = Path(__file__).parent / "native"


def build_object(name: str, toolchain: Toolchain, directory: Path) -> Path:
    """Compile TEAM or MARKS into a directory; returns the object."""
    import tvm
    import tvm_ffi

    includes = [tvm_ffi.libinfo.find_include_path(), Path(tvm.__file__).parent / "include"]
    output = directory / f"{name}.o"
    flags = [f"-I{path}" for path in includes]
    toolchain.compile_object(output, _SOURCES / f"{name}.cc", flags)
    return output


def link_library(
    executable: Any,
    library: Path,
    toolchain: Toolchain,
    names: Sequence[str] = (),
    objects: Sequence[Path] = (),
) -> None:
    """Link what TVM has built into a shared library, with code of our own beside it.

    `names` are TEAM and MARKS, to be compiled; `objects` have been already.
    """
    with TemporaryDirectory(prefix="mobilebench-") as directory:
        compiled = [build_object(name, toolchain, Path(directory)) for name in names]
        executable.export_library(
            str(library),
            fcompile=toolchain.link_with([*objects, *compiled]),
            workspace_dir=directory,
        )
