"""Every published variant as a library for every Arm target."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mobilebench.bench.build.artifact import Artifact
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.build.options import BuildOptions
from mobilebench.bench.models.variant import Variant, published_grid
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.catalog.target import Target, all_targets
from mobilebench.targets.toolchains.toolchain import AARCH64_ANDROID, AARCH64_LINUX

ARM = [target for target in all_targets() if target.toolchain in (AARCH64_LINUX, AARCH64_ANDROID)]
_AARCH64 = 183  # EM_AARCH64, elf.h
_LIMIT_S = 300.0
_AT_ONCE = 2


def build(cache_dir: Path, target: Target, variants: list[Variant]) -> list[Artifact]:
    with BuildService(cache_dir, _LIMIT_S) as service:
        exported = [service.to_onnx(variant, Weights()) for variant in variants]
        return [
            service.build(one, BuildOptions(target, threads))
            for variant, one in zip(variants, exported, strict=True)
            for threads in (1, 4)[: 2 if variant == variants[0] else 1]
        ]


@pytest.mark.slow
@pytest.mark.parametrize("target", ARM, ids=lambda target: target.name)
def test_all_published_variants_compile_and_link(target: Target, cache_dir: Path) -> None:
    variants = published_grid()
    shares = [variants[start::_AT_ONCE] for start in range(_AT_ONCE)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        built = [
            one
            for share in pool.map(lambda s: build(cache_dir, target, s), shares)
            for one in share
        ]
    assert {artifact.manifest.variant for artifact in built} == {one.name for one in variants}
    assert len(built) == len(variants) + _AT_ONCE  # the first of each share for four threads too
    for artifact in built:
        header = artifact.library.read_bytes()[:20]
        assert header[:4] == b"\x7fELF"
        assert int.from_bytes(header[18:20], "little") == _AARCH64
        code_bytes = artifact.manifest.artifact_bytes - artifact.manifest.params_bytes
        assert 0 < code_bytes < 1_000_000
