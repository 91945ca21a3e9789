from dataclasses import replace

import pytest

from targets.errors import BenchError
from targets.target import all_targets, find_target
from targets.tvm_target import resolve

NATIVE = find_target("native")


@pytest.mark.parametrize("target", all_targets(), ids=lambda target: target.name)
def test_tvm_knows_every_target_of_the_catalogue(target: object) -> None:
    assert resolve(target)["kind"]  # type: ignore[arg-type]


def test_native_is_resolved_to_this_machine_s_cpu() -> None:
    assert resolve(NATIVE)["mcpu"] != "native"


def test_code_is_made_for_a_number_of_threads() -> None:
    assert resolve(NATIVE)["num-cores"] == 1
    assert resolve(NATIVE, threads=4)["num-cores"] == 4


@pytest.mark.parametrize(
    ("tvm", "reason"),
    [
        ({"kind": "llvm", "mcpu": "pentium99"}, "LLVM knows no CPU 'pentium99'"),
        ({"kind": "abacus"}, "TVM refuses it"),
    ],
)
def test_what_tvm_does_not_know_is_refused(tvm: dict[str, str], reason: str) -> None:
    with pytest.raises(BenchError, match=reason):
        resolve(replace(NATIVE, tvm=tvm))
