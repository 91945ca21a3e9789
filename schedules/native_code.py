"""What is linked beside a network: C++ of our own, compiled for its target."""

from pathlib import Path

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
