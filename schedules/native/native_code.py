"""What is linked beside a network: C++ of our own, compiled for its target."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mobilebench.schedules.params_pool import EMBEDDED, PARAMS_FILE, ParamsPool
from mobilebench.schedules.precision import FLOAT16
from mobilebench.targets.emulated.counter import HEADER
from mobilebench.targets.toolchains.toolchain import Toolchain

TEAM = "team"  # launches the network on several threads
INSTRUMENTATION = "instrumentation"  # notes when each kernel was done
_PARAMS = "params"  # gives the network its weights

_SOURCES = Path(__file__).parent


def build_object(name: str, toolchain: Toolchain, directory: Path, *defines: str) -> Path:
    """Compile one of the sources into a directory; returns the object."""
    import tvm
    import tvm_ffi

    ours = HEADER.parent
    includes = [tvm_ffi.libinfo.find_include_path(), Path(tvm.__path__[0]) / "include", ours]
    output = directory / f"{name}.o"
    flags = [*(f"-I{path}" for path in includes), *(f"-D{define}" for define in defines)]
    toolchain.compile_object(output, _SOURCES / f"{name}.cc", flags)
    return output


def link_library(
    executable: Any,
    library: Path,
    toolchain: Toolchain,
    names: Sequence[str] = (),
    objects: Sequence[Path] = (),
    pool: ParamsPool | None = None,
) -> None:
    """Link what TVM has built into a shared library, with code of our own beside it.

    `names` are TEAM and INSTRUMENTATION, to be compiled; `objects` have been already. A pool that
    is external is written beside the library.
    """
    with TemporaryDirectory(prefix="mobilebench-") as directory:
        compiled = [build_object(name, toolchain, Path(directory)) for name in names]
        if pool:
            compiled.append(_build_pool(pool, library.parent, toolchain, Path(directory)))
        executable.export_library(
            str(library),
            fcompile=toolchain.link_with([*objects, *compiled]),
            workspace_dir=directory,
        )


def _build_pool(pool: ParamsPool, beside: Path, toolchain: Toolchain, scratch: Path) -> Path:
    """Write a pool's file, and compile what gives it to the network; returns the object."""
    stored = pool.stored_bytes()
    defines = [f"MOBILEBENCH_POOL_BYTES={len(pool.content)}"]
    if pool.place == EMBEDDED:
        (scratch / PARAMS_FILE).write_bytes(stored)
        defines.append(f'MOBILEBENCH_POOL="{scratch / PARAMS_FILE}"')
    else:
        name = hashlib.sha256(stored).hexdigest()
        (beside / PARAMS_FILE).write_bytes(name.encode() + stored)
        defines.append(f'MOBILEBENCH_POOL_NAME="{name}"')
    if pool.stored == FLOAT16:
        defines.append("MOBILEBENCH_POOL_HALF")
    return build_object(_PARAMS, toolchain, scratch, *defines)
