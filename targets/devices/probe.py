"""The helper library that travels with every session, built once for a target's toolchain."""

from pathlib import Path

from mobilebench.targets.emulated.counter import HEADER
from mobilebench.targets.toolchains.shared_library import build_once
from mobilebench.targets.toolchains.toolchain import Toolchain

SETTLE = "mobilebench.settle"
AWAIT_FRAME = "mobilebench.await_frame"
"""What time_evaluator's `f_preproc` may be wherever the probe is loaded."""

PROBE = Path(__file__).with_name("probe.cc")
VALUES, *_OTHERS = (
    PROBE.with_name(f"{name}.h") for name in ("values", "frames", "machine_speed", "watch")
)


def build_probe(toolchain: Toolchain, cache_dir: Path) -> Path:
    """Return the probe's shared library, compiled into `cache_dir` if it is not there yet."""
    import tvm_ffi

    include = [Path(tvm_ffi.libinfo.find_include_path()), HEADER.parent]
    sources = [PROBE, VALUES, *_OTHERS, HEADER]
    return build_once(toolchain, cache_dir / "probe", sources, include, tvm_ffi.__version__)
