"""What launches the network on several threads, compiled for a target."""

from pathlib import Path

from targets.toolchain import Toolchain

_SOURCE = Path(__file__).with_name("team.cc")


def build_team(toolchain: Toolchain, directory: Path) -> Path:
    """Compile `team.cc` into a directory; returns the object, to be linked beside the network."""
    import tvm
    import tvm_ffi

    includes = [tvm_ffi.libinfo.find_include_path(), Path(tvm.__file__).parent / "include"]
    output = directory / "team.o"
    toolchain.compile_object(output, _SOURCE, [f"-I{path}" for path in includes])
    return output
