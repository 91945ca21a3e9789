"""Networks as libraries for every GPU target, and their OpenCL as clang reads it."""

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mobilebench.bench.build.artifact import Artifact
from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.catalog.target import Target, all_targets
from tests.waiting import HANG_S

GPUS = [target for target in all_targets() if target.device_type == "opencl" and target.tracker_key]
_SPREAD = (  # every published width multiplier and resolution
    *("mobilenet_v2_0.5_128", "mobilenet_v2_0.75_160", "mobilenet_v2_1.0_192"),
    *("mobilenet_v2_1.3_224", "mobilenet_v2_1.4_224"),
)
_SPREAD_ON = ("adreno",)  # the families differ in tiles, which few variants show
_FLOAT32_ON = ("adreno", "mali-linux")  # one of each family, and of each toolchain
_FEW = (
    "mobilenet_v2_0.35_96",
    "mobilenet_v2_1.0_224",
    "ssdlite_mobilenet_v2_1.0_320",
    "deeplabv3_mobilenet_v2_1.0_513",
)
_AT_ONCE = 2  # builds
_AARCH64 = 183  # EM_AARCH64, elf.h
_KERNELS = re.compile(rb"// Function: [\n -~]*\}")
_MACRO = re.compile(r"^#define (\w+)", re.MULTILINE)
_CLANG = ["clang", "-x", "cl", "-cl-std=CL1.2", "-target", "spir64-unknown-unknown"]
_CLANG += ["-Xclang", "-finclude-default-header", "-Dcl_khr_fp16", "-Werror", "-fsyntax-only", "-"]

pytestmark = pytest.mark.slow


def cells(target: Target) -> list[tuple[str, str]]:
    """Return the variants and precisions that are built for a target."""
    names = (*_FEW, *(_SPREAD if target.name in _SPREAD_ON else ()))
    whole = _FEW if target.name in _FLOAT32_ON else ()
    return [(name, "float16") for name in names] + [(name, "float32") for name in whole]


def opencl_of(library: Path) -> str:
    """Return the code of all kernels, which lies in the library as text.

    Each is compiled by itself on a device, so its macros end with it.
    """
    (found,) = _KERNELS.findall(library.read_bytes())
    kernels = re.split(r"(?=// Function: )", found.decode())
    return "\n".join(
        "\n".join([one, *(f"#undef {name}" for name in _MACRO.findall(one))]) for one in kernels
    )


@pytest.fixture(scope="module")
def artifacts(cache_dir: Path) -> dict[tuple[str, str, str], Artifact]:
    """Return the artifact of every variant, precision and target."""
    wanted = [(target, *cell) for target in GPUS for cell in cells(target)]
    with BuildService(cache_dir, HANG_S, _AT_ONCE) as service, ThreadPoolExecutor(_AT_ONCE) as pool:
        networks = {name: parse_variant(name) for _, name, _ in wanted}
        exported = {name: service.to_onnx(one, Weights()) for name, one in networks.items()}

        def build(cell: tuple[Target, str, str]) -> Artifact:
            target, name, precision = cell
            return service.build(exported[name], BuildOptions(target, precision=precision))

        artifacts = list(pool.map(build, wanted))
    for artifact, (_, _, precision) in zip(artifacts, wanted, strict=True):
        assert len(artifact.manifest.kernels) == artifact.manifest.kernel_count
        assert artifact.manifest.precision == precision
    cells_built = ((target.name, name, precision) for target, name, precision in wanted)
    return dict(zip(cells_built, artifacts, strict=True))


@pytest.fixture(scope="module")
def libraries(artifacts: dict[tuple[str, str, str], Artifact]) -> dict[tuple[str, str, str], Path]:
    """Return their libraries."""
    return {cell: artifact.library for cell, artifact in artifacts.items()}


def test_artifacts_without_weights_are_small(
    artifacts: dict[tuple[str, str, str], Artifact],
) -> None:
    for cell, artifact in artifacts.items():
        code_bytes = artifact.manifest.artifact_bytes - artifact.manifest.params_bytes
        assert 0 < code_bytes < 1_000_000, cell


def test_artifacts_are_libraries_for_arm(libraries: dict[tuple[str, str, str], Path]) -> None:
    for library in libraries.values():
        header = library.read_bytes()[:20]
        assert header[:4] == b"\x7fELF"
        assert int.from_bytes(header[18:20], "little") == _AARCH64


def test_float16_artifacts_are_half_as_large(libraries: dict[tuple[str, str, str], Path]) -> None:
    for target in _FLOAT32_ON:
        for name in _FEW:
            half, whole = (
                libraries[target, name, precision].stat().st_size
                for precision in ("float16", "float32")
            )
            assert half < 0.75 * whole


@pytest.mark.skipif(not shutil.which("clang"), reason="no clang, whose front end reads OpenCL C")
def test_clang_accepts_the_opencl_source(libraries: dict[tuple[str, str, str], Path]) -> None:
    for cell, library in libraries.items():
        source = opencl_of(library)
        assert source.count("// Function: ") >= 32, cell
        assert ("half" in source) == (cell[2] == "float16"), cell
        done = subprocess.run(_CLANG, input=source, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (cell, done.stderr[:2000])


@pytest.mark.skipif(not shutil.which("clang"), reason="no clang, whose front end reads OpenCL C")
def test_clang_refuses_text_that_is_not_opencl() -> None:
    source = "__kernel void one(__global half4* at) { at[0] = at[0] + nothing; }"
    done = subprocess.run(_CLANG, input=source, capture_output=True, text=True, check=False)
    assert "undeclared identifier 'nothing'" in done.stderr
