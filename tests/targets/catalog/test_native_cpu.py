"""`native` is what the CPU has, not what LLVM knows of CPUs of its name."""

import platform
import re
from pathlib import Path
from typing import Any

import pytest

from mobilebench.targets.catalog import tvm_target
from mobilebench.targets.catalog.instruction_sets import cpu_flags, local_cpuinfo
from mobilebench.targets.catalog.native_cpu import corrections
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.catalog.tvm_target import resolve

NATIVE = find_target("native")
ZEN3 = """processor\t: 0
vendor_id\t: AuthenticAMD
model name\t: AMD EPYC
flags\t\t: fpu cx8 cmov mmx fxsr sse sse2 pni pclmulqdq ssse3 fma cx16 sse4_1 sse4_2 movbe popcnt \
aes xsave avx f16c rdrand lahf_lm abm sse4a 3dnowprefetch fsgsbase bmi1 avx2 bmi2 adx sha_ni vaes \
vpclmulqdq
vmx flags\t: none of these
"""
x86_only = pytest.mark.skipif(platform.machine() != "x86_64", reason="about x86 processors")


def without(cpuinfo: str, *flags: str) -> str:
    return re.sub(rf"\b({'|'.join(flags)})\b", "", cpuinfo)


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that resolves `native` on a machine that LLVM and Linux describe so."""
    from tvm.target import codegen

    def resolved(llvm_name: str, cpuinfo: str) -> dict[str, Any]:
        monkeypatch.setattr(codegen, "llvm_get_system_cpu", lambda: llvm_name)
        monkeypatch.setattr(tvm_target, "local_cpuinfo", lambda: cpuinfo)
        return resolve(NATIVE)

    return resolved


def features(config: dict[str, Any]) -> set[str]:
    import tvm
    from tvm.target import codegen

    return set(map(str, codegen.llvm_get_cpu_features(tvm.target.Target(config))))


def vector_floats(config: dict[str, Any]) -> int:
    import tvm

    from mobilebench.schedules.machine import Machine, machine_of

    machine = machine_of(tvm.target.Target(config))
    assert isinstance(machine, Machine)
    return machine.vector_floats


@x86_only
def test_a_cpu_that_has_what_its_name_says_is_left_as_it_is(on: Any) -> None:
    assert "mattr" not in on("znver3", ZEN3)


@x86_only
@pytest.mark.parametrize("name", ["znver4", "znver5", "sapphirerapids", "skylake-avx512"])
def test_avx_512_that_a_hypervisor_hides_is_not_used(on: Any, name: str) -> None:
    config = on(name, ZEN3)
    used = features(config)
    assert not [one for one in used if one.startswith(("avx512", "amx", "avxvnni", "gfni"))]
    assert {"avx2", "fma", "bmi2"} <= used
    assert (config["mcpu"], vector_floats(config)) == (name, 8)


@x86_only
@pytest.mark.parametrize("name", ["generic", "x86-64"])
def test_a_cpu_that_llvm_does_not_know_gets_all_that_it_has(on: Any, name: str) -> None:
    config = on(name, ZEN3)
    assert {"avx2", "fma", "f16c", "bmi2", "sse4.2", "popcnt"} <= features(config)
    assert vector_floats(config) == 8
    more = ZEN3.replace("avx2", "avx2 avx512f avx512bw avx512cd avx512dq avx512vl avx512_vnni")
    config = on(name, more)
    assert {"avx512f", "avx512vl", "avx512vnni"} <= features(config)
    assert vector_floats(config) == 16


@x86_only
def test_without_avx2_code_is_made_for_what_there_is(on: Any) -> None:
    config = on("znver3", without(ZEN3, "avx", "avx2", "fma", "f16c", "vaes", "vpclmulqdq"))
    assert not [one for one in features(config) if one.startswith(("avx", "fma", "f16c"))]
    assert vector_floats(config) == 4


@x86_only
def test_one_missing_feature_takes_with_it_what_builds_on_it(on: Any) -> None:
    config = on("znver5", ZEN3.replace("avx2 ", "") + " avx512f")
    assert not [one for one in features(config) if one.startswith(("avx2", "avx512"))]


@x86_only
def test_a_target_s_own_attributes_come_last(on: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NATIVE.tvm, "mattr", ["-avx2"])
    assert on("generic", ZEN3)["mattr"][-1] == "-avx2"


def test_arm_cores_are_corrected_too() -> None:
    implied = frozenset({"neon", "fullfp16", "dotprod", "sve", "lse"})
    assert corrections(implied, frozenset({"asimd", "asimdhp", "atomics", "i8mm"}), "aarch64") == [
        "+i8mm",
        "-dotprod",
        "-sve",
    ]


def test_nothing_is_corrected_where_linux_lists_nothing() -> None:
    assert corrections(frozenset({"avx512f"}), frozenset(), "x86_64") == []
    assert corrections(frozenset({"avx512f"}), frozenset({"avx2"}), "riscv64") == []


def test_flags_are_those_of_the_first_processor() -> None:
    assert "avx2" in cpu_flags(ZEN3)
    assert "none" not in cpu_flags(ZEN3)
    assert cpu_flags("Features\t: fp asimd\n") == {"fp", "asimd"}
    assert cpu_flags("processor: 0\n") == frozenset()


@pytest.mark.slow
@x86_only
def test_a_network_without_avx_computes_what_pytorch_computes(
    on: Any, cache_dir: Path, tmp_path: Path
) -> None:
    """Its library has no instruction of AVX, so that a processor without it does not trap."""
    import subprocess

    from mobilebench.bench.build.artifact import build_artifact
    from mobilebench.bench.build.build_options import BuildOptions
    from mobilebench.bench.measure.config import MeasurementConfig
    from mobilebench.bench.measure.fidelity import compare
    from mobilebench.bench.measure.inference import infer_on_device
    from mobilebench.bench.models.onnx_export import to_onnx
    from mobilebench.bench.models.variant import parse_variant
    from mobilebench.bench.models.weights import Weights
    from mobilebench.bench.runtimes.runtime import Workload

    on("znver3", without(local_cpuinfo(), "avx", "avx2", "fma", "f16c", "vaes", "vpclmulqdq"))
    variant = parse_variant("mobilenet_v2_0.35_32")
    model = to_onnx(variant, Weights(), cache_dir)
    artifact = build_artifact(model, BuildOptions(NATIVE), tmp_path)
    code = subprocess.run(
        ["objdump", "-d", str(artifact.library)], capture_output=True, text=True, check=True
    ).stdout
    assert not re.findall(r"%ymm|%zmm|\tv\w+ .*%xmm", code)
    workload = Workload(variant, Weights(), model.onnx_path, artifact.library, artifact.params_path)
    inputs, reference = model.reference()
    outputs = infer_on_device(MeasurementConfig(NATIVE, 1, 300, cache_dir), workload, inputs)
    assert compare(outputs, reference).relative_l2_error < 3e-5
