"""A network's cycles, held against what is known of its loops."""

from pathlib import Path

import pytest

from mobilebench.bench.build.artifact import Artifact
from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.prediction import prediction
from mobilebench.bench.prediction.blocks import blocks_of
from mobilebench.bench.prediction.executions import count_executions
from mobilebench.bench.prediction.llvm_tools import LlvmTools
from mobilebench.bench.prediction.machine_code import MachineCode, read_machine_code
from mobilebench.bench.prediction.multiply_adds import macs_of
from mobilebench.bench.prediction.prediction import Prediction, predict
from mobilebench.bench.quantization.calibration import Calibration
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.errors import BenchError
from mobilebench.targets.toolchains.toolchain import AARCH64_LINUX, find_toolchain
from tests.bench.prediction.conftest import listed_code
from tests.waiting import HANG_S

pytest.importorskip("unicorn")

TINY = "mobilenet_v2_0.35_32"


@pytest.fixture(scope="module")
def artifact(cache_dir: Path) -> Artifact:
    """Return a small network for a Raspberry Pi 5, with what tells its kernels apart."""
    try:
        find_toolchain(AARCH64_LINUX)
    except BenchError as error:
        pytest.skip(str(error))
    with BuildService(cache_dir, HANG_S) as service:
        model = service.network(parse_variant(TINY), Weights(), "float32", Calibration())
        return service.build(model, BuildOptions(find_target("raspberry-pi-5"), instrumented=True))


@pytest.fixture
def predicted(artifact: Artifact, tools: LlvmTools) -> Prediction:
    return predict(artifact, "neoverse-n1", tools)


def test_pointwise_kernels_multiply_and_add_as_often_as_their_layers(
    artifact: Artifact, tools: LlvmTools
) -> None:
    code = read_machine_code(artifact.object, tools)
    for number, counts in count_executions(code).items():
        kernel = artifact.manifest.kernels[number]
        if kernel["name"].startswith("pointwise"):
            blocks = blocks_of(code, counts)
            done = sum(block.executions * macs_of(line) for block in blocks for line in block.lines)
            assert done == kernel["macs"] * kernel["calls"], kernel["name"]


def test_kernels_are_those_of_the_artifact_and_none_beats_its_floor(
    artifact: Artifact, predicted: Prediction
) -> None:
    names = [kernel["name"] for kernel in artifact.manifest.kernels]
    assert [kernel.name for kernel in predicted.kernels] == names
    assert predicted.multiply_add.startswith("fmla\t")
    assert predicted.macs_per_cycle == 8  # two vectors of four floats
    for kernel in predicted.kernels:
        if kernel.name.startswith("pointwise"):
            assert kernel.ratio is not None and kernel.ratio >= 1, kernel.name
            assert kernel.floor_cycles == kernel.macs / 8
        assert 0 < kernel.busiest_share <= 1.01, kernel.name


def test_the_networks_figures_are_the_sums_of_its_kernels(predicted: Prediction) -> None:
    assert predicted.cycles == pytest.approx(sum(one.cycles for one in predicted.kernels))
    assert predicted.ratio == pytest.approx(predicted.cycles / predicted.floor_cycles)


def test_a_loop_of_known_length_takes_the_cycles_that_one_counts_by_hand(
    artifact: Artifact, tools: LlvmTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = listed_code("aarch64")

    def read(_path: Path, _tools: LlvmTools) -> MachineCode:
        return code

    monkeypatch.setattr(prediction, "read_machine_code", read)
    multiplies, loads = predict(artifact, "neoverse-n1", tools).kernels[:2]
    # Ten times eight multiply-adds, two a cycle. Beside them two instructions run once.
    assert 40 <= multiplies.cycles <= 42
    assert multiplies.instructions == 102
    # Fifteen jumps, one a cycle, twelve of them beside a load that moves its address: that is two
    # operations, of four that three are begun of a cycle at least.
    assert 15 <= loads.cycles <= 25
    assert loads.instructions == 47
