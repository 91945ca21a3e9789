"""The search on real kernels: built in processes, timed over RPC."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import pytest

from mobilebench.bench.models.onnx_export import to_onnx
from mobilebench.bench.models.outputs import INPUT_NAME
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.schedules.tuning.candidates import BUILDER
from mobilebench.schedules.tuning.search_settings import SearchSettings
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import WITHOUT_TORCH
from mobilebench.targets.processes.worker_pool import LocalWorkerPool

NODES = 16  # of the ONNX file: the stem and three blocks

open_pool = partial(LocalWorkerPool, 2, {BUILDER: WITHOUT_TORCH})

pytestmark = pytest.mark.usefixtures("without_intrinsics")


@pytest.fixture(scope="module")
def network(cache_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the beginning of a network."""
    whole = to_onnx(parse_variant("mobilenet_v2_0.35_32"), Weights(), cache_dir).onnx_path
    last = onnx.load(whole).graph.node[NODES - 1]
    beginning = tmp_path_factory.mktemp("network") / "beginning.onnx"
    onnx.utils.extract_model(whole, beginning, [INPUT_NAME], list(last.output))
    return beginning


def settings(cache_dir: Path, history: Path, threads: int = 1) -> SearchSettings:
    return SearchSettings(find_target("native"), threads, "float32", cache_dir, history, 60)


@pytest.fixture
def tuner(cache_dir: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    from mobilebench.schedules.tuning.tuner import Tuner

    threads = getattr(request, "param", 1)
    made = Tuner(settings(cache_dir, tmp_path / "history", threads), open_pool)
    yield made
    made.close()


def steps(tuner: Any) -> list[Any]:
    return list(iter(tuner.step, None))


@pytest.mark.parametrize("tuner", [pytest.param(1, marks=pytest.mark.slow), 2], indirect=True)
def test_every_kernel_gets_a_measured_tile(tuner: Any, network: Path) -> None:
    kernels = tuner.add(network)
    assert tuner.add(network) == kernels  # the same network has nothing new
    assert tuner.begin(2) == 0
    made = steps(tuner)
    assert made[-1].done == made[-1].total > kernels
    entries = tuner.entries()
    assert len({entry.kernel for entry in entries}) == kernels
    for entry in entries:
        assert 0 < entry.microseconds <= entry.default_microseconds
        assert 1 <= entry.trials <= 2
    assert not list(Path(tuner._builder._directory).glob("*.so"))


@pytest.mark.slow
def test_an_interrupted_search_resumes(tuner: Any, network: Path, cache_dir: Path) -> None:
    from mobilebench.schedules.tuning.tuner import Tuner

    tuner.add(network)
    tuner.begin(1)
    done = [tuner.step() for _ in range(5)][-1].done
    again = Tuner(settings(cache_dir, tuner._builder._directory.parent), open_pool)
    try:
        again.add(network)
        assert again.begin(1) == done
        assert steps(again)[0].done > done
    finally:
        again.close()


def test_a_crashing_candidate_does_not_spoil_its_batch(tuner: Any, network: Path) -> None:
    """The batch is measured again one by one, on servers that are still alive."""
    import tvm
    from tvm.s_tir import meta_schedule as ms

    tuner.add(network)
    tuner.begin(1)
    task = next(iter(tuner._searches.values())).task
    context = tuner._context(task)
    (space, *_) = context.generate_design_space()
    module, target = map(tvm.ir.save_json, (space.mod, tuner._tvm_target))
    paths = tuner._builder.build([module] * 2, target)
    paths[1].write_bytes(b"not a library")
    arguments = ms.arg_info.ArgInfo.from_entry_func(context.mod, remove_preproc=False)
    inputs = [ms.runner.RunnerInput(str(path), "llvm", arguments) for path in paths]
    good, bad = (future.result() for future in tuner._runner().run(inputs))
    assert len(good.run_secs) > 10
    assert bad.run_secs is None
    assert bad.error_msg


def test_search_fails_with_the_reason_if_nothing_can_be_measured(
    tuner: Any, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deaf() -> Any:
        raise OSError("nobody answers")

    tuner.add(network)
    tuner.begin(1)
    monkeypatch.setattr(tuner, "_connect", deaf)
    with pytest.raises(BenchError, match=r"nothing can be measured; .*: nobody answers"):
        tuner.step()
