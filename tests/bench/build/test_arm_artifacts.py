"""Networks as libraries for every Arm processor; GPUs have a file of their own."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mobilebench.bench.build.artifact import Artifact
from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.models.variant import Variant, parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.catalog.target import Target, all_targets
from mobilebench.targets.toolchains.toolchain import AARCH64_ANDROID, AARCH64_LINUX
from tests.waiting import HANG_S

TARGETS = [
    target
    for target in all_targets()
    if target.toolchain in (AARCH64_LINUX, AARCH64_ANDROID) and target.device_type == "cpu"
]
_SPREAD = (  # every published width multiplier and resolution
    *("mobilenet_v2_0.5_128", "mobilenet_v2_0.75_160", "mobilenet_v2_1.0_192"),
    *("mobilenet_v2_1.3_224", "mobilenet_v2_1.4_224"),
)
_SPREAD_ON = ("raspberry-pi-4",)  # kernels of the others are alike
_FEW = ("mobilenet_v2_0.35_96", "mobilenet_v2_1.0_224", "ssdlite_mobilenet_v2_1.0_320")
_AARCH64 = 183  # EM_AARCH64, elf.h
_AT_ONCE = 2  # builds


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_networks_compile_and_link(target: Target, cache_dir: Path) -> None:
    names = (*_FEW, *(_SPREAD if target.name in _SPREAD_ON else ()))
    variants = [parse_variant(name) for name in names]
    with BuildService(cache_dir, HANG_S, _AT_ONCE) as service, ThreadPoolExecutor(_AT_ONCE) as pool:

        def build(variant: Variant, threads: int = 1) -> Artifact:
            exported = service.to_onnx(variant, Weights())
            return service.build(exported, BuildOptions(target, threads))

        built = [*pool.map(build, variants), build(variants[0], 4)]
    assert [artifact.manifest.variant for artifact in built[:-1]] == [one.name for one in variants]
    for artifact in built:
        header = artifact.library.read_bytes()[:20]
        assert header[:4] == b"\x7fELF"
        assert int.from_bytes(header[18:20], "little") == _AARCH64
        code_bytes = artifact.manifest.artifact_bytes - artifact.manifest.params_bytes
        assert 0 < code_bytes < 1_000_000
