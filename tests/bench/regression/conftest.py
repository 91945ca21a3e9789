"""Two libraries of one network, as two commits would have made them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mobilebench.bench.build.artifact import Artifact
from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.schedules.objective import MEMORY
from mobilebench.targets.catalog.target import find_target

VARIANT = "mobilenet_v2_0.35_32_t1"


@pytest.fixture(scope="session")
def libraries(cache_dir: Path) -> Iterator[tuple[Artifact, Artifact]]:
    with BuildService(cache_dir, 300) as service:
        variant, target = parse_variant(VARIANT), find_target("native")
        exported = service.to_onnx(variant, Weights())
        yield (
            service.build(exported, BuildOptions(target)),
            service.build(exported, BuildOptions(target, optimize_for=MEMORY)),
        )
