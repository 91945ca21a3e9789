"""What is wrong with a target is told before anything is compiled for it."""

import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mobilebench.targets.catalog.target import Target, all_targets, find_target
from mobilebench.targets.devices.farm import find_farm
from mobilebench.targets.devices.target_check import check_platform, require_device
from mobilebench.targets.errors import BenchError

X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="about a host of x86-64")
ARM_TRIPLE = "aarch64-linux-gnu"


def board(triple: str = ARM_TRIPLE, **keys: Any) -> Target:
    tvm = {"kind": "llvm", "mcpu": "generic"} | ({"mtriple": triple} if triple else {})
    given = {"toolchain": "aarch64-linux", "tracker_key": "x"} | keys
    return Target(**{"name": "b", "description": "", "device_type": "cpu", "tvm": tvm} | given)


@pytest.mark.parametrize("target", all_targets(), ids=lambda target: target.name)
def test_the_targets_of_the_catalogue_are_good(target: Target) -> None:
    check_platform(target)


@X86
@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (board("riscv64-linux-gnu", toolchain="host"), "which no toolchain serves: host links for"),
        (board("aarch64-linux-musl"), "which no toolchain serves"),
        (board("arm64-apple-darwin"), "which no toolchain serves"),
        (board("arm64-linux-gnu", toolchain="host"), 'set toolchain = "aarch64-linux"'),
        (board("aarch64-linux-android"), 'set toolchain = "aarch64-android"'),
        (board(""), 'without mtriple .* add mtriple = "aarch64-linux-gnu"'),
        (replace(board(), tvm={"kind": "c"}), r"kind in \[tvm\] is 'c'; a CPU's is \"llvm\""),
        (
            replace(find_target("mali-linux"), host={"kind": "opencl"}),
            r"kind in \[host\] is 'opencl'",
        ),
    ],
)
def test_a_platform_that_nobody_links_for_is_refused(target: Target, reason: str) -> None:
    with pytest.raises(BenchError, match=reason):
        check_platform(target)


def test_a_platform_may_have_its_other_names() -> None:
    for triple in ("arm64-linux-gnu", "aarch64-unknown-linux-gnu", "aarch64-linux"):
        check_platform(board(triple))
    check_platform(board("aarch64-unknown-linux-android24", toolchain="aarch64-android"))


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        ("neon", "which no aarch64 processor lists in /proc/cpuinfo; Linux calls it asimd"),
        ("dotprod", "Linux calls it asimddp"),
        ("asimdd", "did you mean asimd"),
        ("avx2", "it is one of x86_64"),
        ("frobnicate", "correct it or leave it out"),
    ],
)
def test_flags_that_no_processor_lists_are_refused(flag: str, reason: str) -> None:
    with pytest.raises(BenchError, match=f"cpu_flags has '{flag}'.*{reason}"):
        check_platform(board(cpu_flags=("asimd", flag)))


@X86
def test_every_flag_of_this_machine_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from mobilebench.targets.devices import target_check

    cpuinfo = "processor : 0\nflags : avx2 brand_new\n"
    monkeypatch.setattr(target_check, "local_cpuinfo", lambda: cpuinfo)
    own = replace(find_target("native"), cpu_flags=("avx2", "brand_new"))
    check_platform(own)
    with pytest.raises(BenchError, match="Linux calls it avx512_vnni"):
        check_platform(replace(own, cpu_flags=("avx512vnni",)))
    with pytest.raises(BenchError, match="'brand_new', which no aarch64 processor"):
        check_platform(board(cpu_flags=("brand_new",)))  # but not by code for others


@X86
def test_code_for_boards_without_their_key_is_told_as_that(tmp_path: Path) -> None:
    forgotten = board(tracker_key="")
    check_platform(forgotten)  # it can be exported
    for refuse in (require_device, lambda target: find_farm(target, None, tmp_path)):
        with pytest.raises(BenchError, match=r"its code is for aarch64-linux-gnu.*tracker_key ="):
            refuse(forgotten)
    require_device(find_target("native"))
    require_device(board())
