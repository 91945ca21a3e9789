"""Networks as libraries for every Arm processor; GPUs have a file of their own."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mobilebench.bench.build.artifact import Artifact
from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.quantization.calibration import Calibration
from mobilebench.schedules.precision import FLOAT32, PRECISIONS
from mobilebench.targets.catalog.target import Target, all_targets
from mobilebench.targets.toolchains.toolchain import AARCH64_ANDROID, AARCH64_LINUX
from tests.waiting import HANG_S

TARGETS = [
    target
    for target in all_targets()
    if target.toolchain in (AARCH64_LINUX, AARCH64_ANDROID)
    and target.device_type == "cpu"
    and not target.emulated  # their code is run
]
_SMALL = "mobilenet_v2_0.35_96"
# Every published width multiplier and resolution, and a detector; on one target, since kernels of
# the others are alike.
_SPREAD_ON = "raspberry-pi-4"
_SPREAD = (
    *("mobilenet_v2_0.5_128", "mobilenet_v2_0.75_160", "mobilenet_v2_1.0_192"),
    *("mobilenet_v2_1.3_224", "mobilenet_v2_1.4_224", "ssdlite_mobilenet_v2_1.0_320"),
)
_AARCH64 = 183  # EM_AARCH64, elf.h
_AT_ONCE = 2  # builds


def build(
    service: BuildService, target: Target, name: str, precision: str = FLOAT32, threads: int = 1
) -> Artifact:
    model = service.network(parse_variant(name), Weights(), precision, Calibration())
    return service.build(model, BuildOptions(target, threads, precision=precision))


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_networks_compile_and_link(target: Target, cache_dir: Path) -> None:
    with BuildService(cache_dir, HANG_S, _AT_ONCE) as service, ThreadPoolExecutor(_AT_ONCE) as pool:
        wanted = [(_SMALL, precision, 1) for precision in PRECISIONS]
        if target.name == _SPREAD_ON:
            wanted += [(_SMALL, FLOAT32, 4), *((name, FLOAT32, 1) for name in _SPREAD)]
        built = list(pool.map(lambda one: build(service, target, *one), wanted))
    for artifact, (name, precision, _) in zip(built, wanted, strict=True):
        assert (artifact.manifest.variant, artifact.manifest.precision) == (name, precision)
        header = artifact.library.read_bytes()[:20]
        assert header[:4] == b"\x7fELF"
        assert int.from_bytes(header[18:20], "little") == _AARCH64
        assert artifact.manifest.artifact_bytes < artifact.manifest.params_bytes + 1_000_000
