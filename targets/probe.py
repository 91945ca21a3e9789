"""The helper library that travels with every session, built once for a target's toolchain."""

import hashlib
import os
import tempfile
from pathlib import Path

from targets.errors import BenchError
from targets.toolchain import Toolchain

SETTLE = "mobilebench.settle"
"""What time_evaluator's `f_preproc` may be wherever the probe is loaded."""

PROBE = Path(__file__).with_name("probe.cc")


def build_probe(toolchain: Toolchain, cache_dir: Path) -> Path:
    """Return the probe's shared library, compiled into `cache_dir` if it is not there yet.

    The file's name carries a hash of the source, the compiler and the version of tvm-ffi.
    """
    import tvm_ffi

    parts = (PROBE.read_text(), toolchain.version(), toolchain.name, tvm_ffi.__version__)
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    library = cache_dir / "probe" / f"probe-{digest}.so"
    if library.exists():
        return library
    library.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(suffix=".so", dir=library.parent)
    os.close(handle)
    try:
        include = str(tvm_ffi.libinfo.find_include_path())
        toolchain.compile_shared(Path(scratch), PROBE, ["-I", include])
        Path(scratch).replace(library)
    except BenchError:
        Path(scratch).unlink()
        raise
    return library
