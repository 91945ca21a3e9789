"""What is accounted for, and what it costs if something cannot be: nothing is built here."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.measure import memory_analysis
from mobilebench.bench.measure.memory_analysis import analyse_memory
from mobilebench.reports.records.activations import (
    ARENA,
    LATENCY_PLAN,
    MEMORY_PLAN,
    PATTERN_PLAN,
    Activations,
)
from mobilebench.targets.errors import BenchError

NEEDS = Activations(4, 10, 10, (), (), 1000, 500, {})


class FakeBuildService:
    """Knows what everything needs, unless it is told to fail."""

    def __init__(self, failing: str = "") -> None:
        self.failing = failing
        self.built: list[str] = []

    def activations(self, _path: Path, _precision: str) -> Activations:
        self._fail("activations")
        return NEEDS

    def arena_use(self, _context: Any, _cell: Any, _path: Path) -> Any:
        self._fail("arena_use")
        return SimpleNamespace(pattern_bytes=600, arena_bytes=2048)

    def build(self, _model: Any, options: BuildOptions) -> Any:
        self._fail("build")
        self.built.append(options.optimize_for)
        return artifact(300 if options.optimize_for == "latency" else 100)

    def _fail(self, name: str) -> None:
        if self.failing == name:
            raise BenchError(f"no {name} today")


class FakeProgress:
    """Remembers its warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def stage(self, _cell: str, _stage: str) -> None:
        """Say nothing."""

    def warn(self, warning: str) -> None:
        self.warnings.append(warning)


def artifact(arena_bytes: int) -> Any:
    return SimpleNamespace(manifest=SimpleNamespace(arena_bytes=arena_bytes))


def analyse_with(
    service: FakeBuildService, *, device: str = "cpu", built: Any = None, **suite: Any
) -> tuple[dict[str, Activations], list[str]]:
    asked: dict[str, Any] = {"memory": True, "optimize_for": "latency"} | suite
    target: Any = SimpleNamespace(device_type=device, tracker_key="")
    options = BuildOptions(target, optimize_for=asked["optimize_for"])
    context: Any = SimpleNamespace(
        suite=SimpleNamespace(**asked), build_options=lambda _cell: options
    )
    cell: Any = SimpleNamespace(
        title="network on target",
        variant=None,
        target=target,
        threads=1,
        precision="float32",
        runtimes=("tvm", "onnxruntime", "torch"),
    )
    exported: Any = SimpleNamespace(onnx_path=Path("model.onnx"), quantization=None)
    progress: Any = FakeProgress()
    simulated: Any = service
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory_analysis, "arena_use", service.arena_use)
        return analyse_memory(
            context, simulated, cell, exported, built, progress
        ), progress.warnings


def test_memory_is_not_analysed_unless_asked_for() -> None:
    assert analyse_with(FakeBuildService("activations"), memory=False) == ({}, [])


def test_every_runtime_has_the_graph_s_needs_and_its_own_plans() -> None:
    found, warnings = analyse_with(FakeBuildService(), built=artifact(300))
    assert {name: one.plans for name, one in found.items()} == {
        "tvm": {LATENCY_PLAN: 300, MEMORY_PLAN: 100},
        "onnxruntime": {PATTERN_PLAN: 600, ARENA: 2048},
        "torch": {},
    }
    assert all(one.total_bytes == NEEDS.total_bytes for one in found.values())
    assert warnings == []


@pytest.mark.parametrize(("asked", "other"), [("latency", "memory"), ("memory", "latency")])
def test_only_the_other_objective_is_built_for_its_plan(asked: str, other: str) -> None:
    service = FakeBuildService()
    analyse_with(service, built=artifact(300), optimize_for=asked)
    assert service.built == [other]


def test_a_gpu_has_one_plan() -> None:
    service = FakeBuildService()
    found, _ = analyse_with(service, device="opencl", built=artifact(800))
    assert found["tvm"].plans == {LATENCY_PLAN: 800}
    assert service.built == []


def test_a_library_that_could_not_be_built_has_no_plan() -> None:
    found, warnings = analyse_with(FakeBuildService("build"), built=None)
    assert found["tvm"].plans == {}
    assert warnings == []


@pytest.mark.parametrize(("failing", "runtime"), [("build", "tvm"), ("arena_use", "onnxruntime")])
def test_an_unknown_plan_is_left_out_with_a_warning(failing: str, runtime: str) -> None:
    found, (warning,) = analyse_with(FakeBuildService(failing), built=artifact(300))
    assert found[runtime].plans == {}
    assert runtime in warning
    assert f"no {failing} today" in warning
    assert len(found) == 3


def test_an_unreadable_graph_gives_a_warning_and_no_plans() -> None:
    found, (warning,) = analyse_with(FakeBuildService("activations"), built=artifact(300))
    assert found == {}
    assert "no activations today" in warning
