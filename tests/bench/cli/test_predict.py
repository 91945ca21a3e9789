"""`mobilebench predict`: what it prints and what it refuses."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mobilebench.bench.prediction.llvm_tools import find_llvm_tools
from mobilebench.targets.errors import BenchError
from mobilebench.targets.toolchains.toolchain import AARCH64_LINUX, find_toolchain
from tests.bench.cli.test_refusals import TINY, assert_refused

PI_5 = ("predict", *TINY, "--target", "raspberry-pi-5")


@pytest.fixture
def needed() -> None:
    pytest.importorskip("unicorn")
    try:
        find_toolchain(AARCH64_LINUX)
        find_llvm_tools()
    except BenchError as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("needed")
def test_a_prediction_is_called_one_and_names_its_model(mobilebench: Any) -> None:
    done = mobilebench(*PI_5)
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    assert "PREDICTED, not measured" in told
    assert "model of neoverse-n1" in told
    assert " ms" not in told and "latency" not in told
    assert done.stdout.count("\npointwise ") > 10


@pytest.mark.usefixtures("needed")
def test_json_has_every_kernel_and_the_sum(mobilebench: Any, tmp_path: Path) -> None:
    done = mobilebench(*PI_5, "--cpu", "cortex-a55", "--format", "json")
    answer = json.loads(done.stdout)
    assert answer["predicted"] is True
    assert (answer["variant"], answer["target"]) == (TINY[1], "raspberry-pi-5")
    assert (answer["precision"], answer["cpu"]) == ("float32", "cortex-a55")
    assert answer["cycles"] == pytest.approx(sum(one["cycles"] for one in answer["kernels"]))
    assert not list(tmp_path.glob("*.sqlite"))


@pytest.mark.usefixtures("needed")
def test_a_processor_that_llvm_does_not_know_is_refused(mobilebench: Any) -> None:
    done = mobilebench(*PI_5, "--cpu", "cortex-a55x")
    refusal = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 2
    assert "knows no CPU 'cortex-a55x' of aarch64; did you mean cortex-a55" in refusal


def test_without_llvms_programs_what_installs_them_is_said(
    mobilebench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobilebench.bench.prediction.llvm_tools.shutil.which", lambda _name: None)
    assert_refused(mobilebench(*PI_5), "no llvm-mca and llvm-objdump", "apt-get install llvm-19")


def test_without_the_emulator_what_installs_it_is_said(
    mobilebench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = "mobilebench.bench.cli.predict.find_llvm_tools"
    monkeypatch.setattr(programs, lambda _version: None)
    monkeypatch.setitem(sys.modules, "unicorn", None)
    assert_refused(mobilebench(*PI_5), "unicorn", "pip install 'mobilebench[predict]'")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--target", "opencl"], "target opencl: LLVM has models of CPUs alone"),
        (["--target", "raspberry-pi-5", "--llvm", "14"], "LLVM 19 or newer is needed"),
        (["--target", "raspberry-pi-6"], "unknown target 'raspberry-pi-6'"),
        (["--target", "raspberry-pi-5", "--precision", "int4"], "unknown precision 'int4'"),
    ],
)
def test_what_cannot_be_predicted_is_refused(
    mobilebench: Any, arguments: list[str], part: str
) -> None:
    assert_refused(mobilebench("predict", *TINY, *arguments), part)
