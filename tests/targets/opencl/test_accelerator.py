"""What a session tells of its OpenCL device, and what becomes of it."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from mobilebench.targets.catalog.target import Limits, find_target
from mobilebench.targets.devices.device import DeviceState, require_half, with_limits
from mobilebench.targets.errors import BenchError
from mobilebench.targets.opencl.accelerator import Accelerator, accelerator_of

OPENCL = find_target("opencl")
MALI = find_target("mali")
FACTS = {
    "name": "Mali-G610",
    "vendor": "ARM",
    "version": "OpenCL 3.0 v1.g13p0",
    "driver": "3.0: g13p0",
    "type": "gpu",
    "compute_units": "4",
    "work_group": "1024",
    "local_bytes": "32768",
    "subgroup": "16",
    "vector_floats": "1",
    "buffer_bytes": "1000",
    "extensions": "cl_khr_icd cl_khr_fp16",
}


@dataclass
class Session:
    """A session as far as it is asked: TVM's handle of a device, and the plug-in's function."""

    device_of_tvm: Any = None
    describe: Any = None
    asked: list[tuple[str, int]] = field(default_factory=list)

    def device(self, kind: str, index: int) -> Any:
        self.asked.append((kind, index))
        return self.device_of_tvm

    def get_function(self, name: str) -> Any:
        if self.describe is None:
            raise AttributeError(f"Function {name} does not exist")
        return self.describe


def telling(**others: str) -> Session:
    text = "\n".join(f"{name}: {value}" for name, value in (FACTS | others).items())
    return Session(describe=lambda _index: text)


def of_tvm(exist: bool = True, **told: Any) -> Session:
    """Return a session with a TVM that has OpenCL of its own, and no plug-in."""
    names = ("max_threads_per_block", "max_shared_memory_per_block", "warp_size")
    nothing = dict.fromkeys((*names, "multi_processor_count", "device_name"))
    return Session(SimpleNamespace(exist=exist, **(nothing | told)))


def state_with(accelerator: Accelerator | None) -> DeviceState:
    return DeviceState(
        address="", host="board", os="6.1", architecture="aarch64", emulated=False, tvm_version="",
        cpu_model="", cpu_cores=8, cpu_flags=frozenset(), cpu_governor="", cpu_mhz=None,
        temperature_c=None, load_1m=None, memory_total_bytes=None, calibration_ms=1.0,
        accelerator=accelerator,
    )  # fmt: skip


def test_a_gpu_s_work_items_run_in_step_and_load_four_floats() -> None:
    told = accelerator_of(telling(), MALI, "board x")
    limits = Limits(256, 32768, subgroup=16, vector_floats=4, compute_units=4)
    assert told == Accelerator("Mali-G610", "3.0: g13p0", limits, stores_half=True)


@pytest.mark.parametrize(
    ("kind", "told", "used"), [("gpu", "1024", 256), ("gpu", "64", 64), ("cpu", "4096", 4096)]
)
def test_gpu_work_groups_are_smaller_than_the_reported_limit(
    kind: str, told: str, used: int
) -> None:
    found = accelerator_of(telling(type=kind, work_group=told), OPENCL, "this machine")
    assert found.limits.work_group == used


@pytest.mark.parametrize(("told", "used"), [("1", 4), ("8", 8), ("64", 16)])
def test_a_cpu_s_work_items_run_one_by_one_in_its_own_vectors(told: str, used: int) -> None:
    session = telling(type="cpu", vector_floats=told, extensions="cl_khr_icd cl_khr_fp16_more")
    found = accelerator_of(session, OPENCL, "this machine")
    assert (found.limits.subgroup, found.limits.vector_floats) == (1, used)
    assert found.stores_half is False


def test_the_device_that_the_target_names_is_asked() -> None:
    session = telling()
    asked: list[int] = []
    describe, session.describe = session.describe, lambda index: asked.append(index) or describe(0)
    accelerator_of(session, replace(OPENCL, device_index=2), "this machine")
    assert (session.asked, asked) == ([("opencl", 2)], [2])


def test_limits_missing_from_a_phone_s_tvm_come_from_the_target() -> None:
    session = of_tvm(max_threads_per_block=192, warp_size=1, device_name="Mali-G78")
    told = accelerator_of(session, MALI, "board x")
    assert MALI.limits is not None
    assert told.limits == replace(MALI.limits, work_group=192)
    assert (told.name, told.driver, told.stores_half) == ("Mali-G78", "", None)


def test_a_missing_device_is_reported_in_one_line() -> None:
    with pytest.raises(BenchError, match=r"^board x: its TVM has no OpenCL device 0; ") as refusal:
        accelerator_of(of_tvm(exist=False), MALI, "board x")
    assert "USE_OPENCL" in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


def test_plug_in_errors_are_reported_in_one_line() -> None:
    def fail(_index: int) -> str:
        raise RuntimeError("RPCError: trace\n  0: a.cc\nOpenCL: no library; install one\n")

    with pytest.raises(BenchError) as refusal:
        accelerator_of(Session(describe=fail), OPENCL, "this machine")
    assert str(refusal.value) == "this machine: OpenCL: no library; install one"


def test_code_is_made_for_the_limits_of_the_live_device() -> None:
    accelerator = accelerator_of(telling(work_group="64"), MALI, "board x")
    live = with_limits(MALI, state_with(accelerator))
    assert live == replace(MALI, limits=accelerator.limits, processor="Mali-G610")
    assert with_limits(OPENCL, state_with(None)) == OPENCL


def test_float16_is_refused_only_if_the_device_reports_no_support() -> None:
    without = accelerator_of(telling(extensions="cl_khr_icd"), OPENCL, "this machine")
    with pytest.raises(BenchError, match="target opencl: Mali-G610 has no cl_khr_fp16; leave out"):
        require_half(OPENCL, state_with(without))
    for stores_half in (True, None):
        require_half(OPENCL, state_with(replace(without, stores_half=stores_half)))
