"""Which of LLVM's models stands for a CPU."""

import pytest

from mobilebench.targets.catalog.cpu_models import check_has_model, model_of
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.errors import BenchError


@pytest.mark.parametrize(
    ("target", "model"),
    [
        ("raspberry-pi-5", "neoverse-n1"),
        ("raspberry-pi-4", "cortex-a72"),
        ("neoverse-v1", "neoverse-v1"),
        ("x86-64-v3", "x86-64-v3"),
    ],
)
def test_a_processor_has_its_own_model_or_that_of_one_like_it(target: str, model: str) -> None:
    assert model_of(find_target(target).tvm, target) == model


def test_a_target_that_names_no_processor_is_refused() -> None:
    with pytest.raises(BenchError, match="target mine: it has no mcpu; name a CPU with --cpu"):
        model_of({"kind": "llvm"}, "mine")


def test_only_processors_have_models() -> None:
    check_has_model(find_target("raspberry-pi-5"))
    with pytest.raises(BenchError, match="target opencl: LLVM has models of CPUs alone"):
        check_has_model(find_target("opencl"))
