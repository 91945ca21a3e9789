"""Small libraries of the suite's own, each compiled once for a toolchain and kept."""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mobilebench.targets.errors import BenchError
from mobilebench.targets.toolchains.toolchain import Toolchain


def build_once(
    toolchain: Toolchain,
    directory: Path,
    sources: Sequence[Path],
    include: Sequence[Path],
    *of: str,
) -> Path:
    """Return the shared library of the first source, compiled if it is not in `directory` yet.

    The file's name carries a hash of the sources, the compiler, and what else it is made `of`.
    """
    texts = (source.read_text() for source in sources)
    linked = (*toolchain.link_flags, *toolchain.needed)
    parts = (*texts, toolchain.version(), toolchain.name, *linked, *of)
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    library = directory / f"{directory.name}-{digest}.so"
    if library.exists():
        return library
    directory.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(suffix=".so", dir=directory)
    os.close(handle)
    try:
        flags = [part for path in include for part in ("-I", str(path))]
        toolchain.compile_shared(Path(scratch), sources[0], flags)
        Path(scratch).replace(library)
    except BenchError:
        Path(scratch).unlink()
        raise
    return library
