"""What the plug-in tells by global functions: facts of a device, and the times of kernels."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilebench.targets.opencl.plugin import OPENCL_VARIABLE
from tests.targets.opencl.conftest import on, run
from tests.targets.opencl.kernels import export, scale, shares

FACTS = [
    "name", "vendor", "version", "driver", "type", "compute_units", "work_group", "local_bytes",
    "subgroup", "vector_floats", "buffer_bytes", "extensions",
]  # fmt: skip


def facts(text: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in text.splitlines())


def times(text: str) -> list[tuple[str, int]]:
    return [(name, int(nanoseconds)) for name, nanoseconds in map(str.split, text.splitlines())]


def test_device_properties_match_the_driver(plugin: Path, fake: Path) -> None:
    code = """
import ctypes, json, sys, tvm
ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL)
fake = ctypes.CDLL(sys.argv[2])
text = tvm.get_global_func("mobilebench.opencl.describe")(0)
print(json.dumps([text, [fake.fake_live(ord(kind)) for kind in "pke"]]))
"""
    text, live = json.loads(run(code, {OPENCL_VARIABLE: str(fake)}, plugin, fake)[-1])
    assert live == [0, 0, 0]
    assert facts(text) == {
        "name": "Fake GPU",
        "vendor": "Nobody",
        "version": "OpenCL 1.2 of nobody",
        "driver": "0.1",
        "type": "gpu",
        "compute_units": "4",
        "work_group": "256",
        "local_bytes": "16777216",
        "subgroup": "16",
        "vector_floats": "8",
        "buffer_bytes": "1048576",
        "extensions": "cl_khr_fp16 cl_khr_icd",
    }


@pytest.mark.slow
def test_device_properties_are_read_over_rpc(session: Any) -> None:
    told = facts(session.get_function("mobilebench.opencl.describe")(0))
    assert list(told) == FACTS
    assert told["version"].startswith("OpenCL ")
    assert told["type"] in {"gpu", "cpu", "accelerator", "other"}
    for name in ("compute_units", "work_group", "local_bytes", "subgroup", "buffer_bytes"):
        assert int(told[name]) >= 1
    with pytest.raises(Exception, match="OpenCL: there is no device 99"):
        session.get_function("mobilebench.opencl.describe")(99)


@pytest.mark.slow
def test_kernel_times_are_read_over_rpc(session: Any, device: Any, tmp_path: Path) -> None:
    record = session.get_function("mobilebench.opencl.record_kernels")
    take = session.get_function("mobilebench.opencl.kernel_times")
    session.upload(str(export(shares(256, 256), tmp_path / "kernels.so")))
    main = session.load_module("kernels.so")["main"]
    data = np.random.default_rng(0).random((256, 256), np.float32)
    x, out = on(device, data), on(device, np.zeros((256, 256)))
    main(x, out)
    record(1)
    for _ in range(3):
        main(x, out)
    record(0)
    main(x, out)
    told = times(take())
    assert [name for name, _ in told] == ["main_kernel", "main_kernel_1"] * 3
    assert all(0 < nanoseconds < 60 * 10**9 for _, nanoseconds in told)
    np.testing.assert_allclose(out.numpy(), data / data.sum(1, keepdims=True), rtol=1e-5)
    assert take() == ""


@pytest.mark.slow
def test_a_timer_and_a_recording_may_run_together(
    session: Any, device: Any, tmp_path: Path
) -> None:
    session.get_function("mobilebench.opencl.record_kernels")(1)
    session.upload(str(export(scale(10_000), tmp_path / "kernel.so")))
    module = session.load_module("kernel.so")
    x = on(device, np.ones(10_000))
    whole = module.time_evaluator("main", device, number=4, repeat=1)(x, 1.0, x).mean * 4
    told = times(session.get_function("mobilebench.opencl.kernel_times")())
    assert len(told) == 4 + 1  # the evaluator warms up
    assert 0 < sum(nanoseconds for _, nanoseconds in told[-4:]) <= whole * 1e9 + 1


def test_a_recording_keeps_every_time_and_few_events(
    plugin: Path, fake: Path, tmp_path: Path
) -> None:
    code = """
import ctypes, json, sys
import numpy as np, tvm
ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL)
fake = ctypes.CDLL(sys.argv[2])
record, take = (tvm.get_global_func(f"mobilebench.opencl.{name}")
                for name in ("record_kernels", "kernel_times"))
x = tvm.runtime.tensor(np.ones(8, np.float32), tvm.opencl(0))
main = tvm.runtime.load_module(sys.argv[3])["main"]
record(1)
for _ in range(10_000):
    main(x, 2.0, x)
assert x.numpy().shape == (8,)  # a copy is no kernel
peak = fake.fake_peak(ord("e"))
first = take().splitlines()
main(x, 2.0, x)
second = take().splitlines()
main(x, 2.0, x)
record(1)
print(json.dumps([peak, len(first), sorted(set(first)), second, take(), fake.fake_live(ord("e"))]))
"""
    library = export(scale(8), tmp_path / "kernel.so")
    *told, live = json.loads(run(code, {OPENCL_VARIABLE: str(fake)}, plugin, fake, library)[-1])
    assert told == [4096, 10_000, ["main_kernel 1000"], ["main_kernel 1000"], ""]
    assert live == 0
