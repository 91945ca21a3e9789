from dataclasses import replace

import pytest

from mobilebench.targets.catalog.target import Limits, all_targets, find_target
from mobilebench.targets.catalog.tvm_target import resolve
from mobilebench.targets.errors import BenchError

NATIVE = find_target("native")
ARM = "aarch64-linux-gnu"


@pytest.mark.parametrize("target", all_targets(), ids=lambda target: target.name)
def test_tvm_knows_every_target_of_the_catalogue(target: object) -> None:
    assert resolve(target)["kind"]  # type: ignore[arg-type]


def test_native_is_resolved_to_this_machine_s_cpu() -> None:
    assert resolve(NATIVE)["mcpu"] != "native"


def test_code_is_made_for_a_number_of_threads() -> None:
    assert resolve(NATIVE)["num-cores"] == 1
    assert resolve(NATIVE, threads=4)["num-cores"] == 4


def test_limits_of_a_gpu_are_what_its_schedules_know_of_it() -> None:
    import tvm

    from mobilebench.schedules.machine import Gpu, machine_of

    limits = Limits(work_group=128, local_bytes=4096, subgroup=8, vector_floats=4, compute_units=3)
    config = resolve(replace(find_target("mali-linux"), limits=limits))
    assert config["host"]["mtriple"] == "aarch64-linux-gnu"
    machine = machine_of(tvm.target.Target(config))
    assert isinstance(machine, Gpu)
    assert (machine.work_group, machine.local_bytes) == (128, 4096)
    assert (machine.subgroup, machine.vector_floats, machine.compute_units) == (8, 4, 3)
    # TVM's own schedules, of what no template knows, read these.
    assert config["max_num_threads"] == config["max_threads_per_block"] == 128


def test_a_gpu_without_limits_has_those_of_any() -> None:
    config = resolve(find_target("opencl"))
    assert config == resolve(replace(find_target("opencl"), limits=Limits()))
    assert config["host"]["mcpu"] != "native"


@pytest.mark.parametrize(
    ("tvm", "reason"),
    [
        ({"kind": "llvm", "mcpu": "pentium99"}, "LLVM knows no CPU 'pentium99'"),
        ({"kind": "llvm", "mcpu": "cortex-a777", "mtriple": ARM}, "did you mean cortex-a77"),
        ({"kind": "llvm", "mattr": ["+dotprot"], "mtriple": ARM}, "mattr has '\\+dotprot'"),
        ({"kind": "llvm", "mattr": ["dotprod"], "mtriple": ARM}, "mattr has 'dotprod'"),
        ({"kind": "abacus"}, "TVM refuses it"),
    ],
)
def test_unknown_tvm_targets_are_refused(tvm: dict[str, object], reason: str) -> None:
    with pytest.raises(BenchError, match=reason):
        resolve(replace(NATIVE, tvm=tvm))


def test_instruction_sets_are_switched_on_and_off_by_llvm_s_names() -> None:
    tvm = {"kind": "llvm", "mtriple": ARM, "mcpu": "cortex-a76", "mattr": ["+i8mm", "-dotprod"]}
    assert resolve(replace(NATIVE, tvm=tvm))["mattr"] == ["+i8mm", "-dotprod"]
