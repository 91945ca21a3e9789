"""Memory: nothing out of bounds is touched, nothing grows, and threads keep to their own."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from mobilebench.targets.opencl.plugin import OPENCL_VARIABLE
from mobilebench.targets.toolchains.toolchain import find_toolchain
from tests.targets.opencl.conftest import ROOT, run
from tests.targets.opencl.kernels import export, scale, shares

SOURCE = ROOT / "targets" / "opencl" / "runtime.cc"

# Four threads, with a timer among them and half of it recorded. It prints how many launches were.
_STRESS = """
import ctypes, gc, sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np, tvm
plugin, shares, scale = sys.argv[1:]
ctypes.CDLL(plugin, ctypes.RTLD_GLOBAL)
record, take, describe = (tvm.get_global_func(f"mobilebench.opencl.{name}")
                          for name in ("record_kernels", "kernel_times", "describe"))
device = tvm.opencl(0)
describe(0)
shares, scale = (tvm.runtime.load_module(library) for library in (shares, scale))
def tensor(values):
    return tvm.runtime.tensor(np.asarray(values, np.float32), device)
def work(number):
    random = np.random.default_rng(number)
    for turn in range(20):
        data = random.random((70, 30), np.float32)
        x, out, y = tensor(data), tensor(np.zeros((70, 30))), tensor(np.arange(300))
        shares["main"](x, out)
        scale["main"](y, float(number), y)
        assert np.array_equal(y.numpy(), number * np.arange(300, dtype=np.float32))
        np.testing.assert_allclose(out.numpy(), data / data.sum(1, keepdims=True), rtol=1e-5)
        if turn % 5 == number % 5:
            scale.time_evaluator("main", device, number=3, repeat=2)(y, 1.0, y)
def every_thread():
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(1, 5)))
every_thread()
record(1)
every_thread()
record(0)
every_thread()
print(len(take().splitlines()))
del shares, scale
gc.collect()
"""


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return a library of two kernels with memory between them, and one of a single kernel."""
    folder = tmp_path_factory.mktemp("kernels")
    return [
        str(export(shares(70, 30), folder / "shares.so")),
        str(export(scale(300), folder / "scale.so")),
    ]


@pytest.mark.slow
def test_concurrent_launches_get_their_own_arguments(
    plugin: Path, environment: dict[str, str], libraries: list[str]
) -> None:
    (launches,) = run(_STRESS, environment, plugin, *libraries)
    # Each of 4 threads: 20 times three kernels, and 4 times an evaluator's 1 + 3 * 2.
    assert int(launches) == 4 * (20 * 3 + 4 * 7)


def sanitized(
    source: Path, environment: dict[str, str], libraries: list[str], folder: Path, options: str
) -> list[str]:
    """Return the sanitizers' reports in which the plug-in has a part; it has to have run."""
    import tvm_ffi

    compiler, *_ = find_toolchain("host").compiler
    plugin, log = folder / "sanitized.so", folder / "log"
    tvm = Path(str(find_spec("tvm").origin)).parent / "include"  # type: ignore[union-attr]
    flags = ["-std=c++17", "-O1", "-g", "-fno-omit-frame-pointer", "-shared", "-fPIC"]
    flags += ["-fsanitize=address,undefined", "-fno-sanitize=vptr"]
    include = ["-I", str(tvm), "-I", tvm_ffi.libinfo.find_include_path()]
    subprocess.run([compiler, *flags, *include, "-o", str(plugin), str(source)], check=True)
    # Python is not instrumented; AddressSanitizer has to be loaded before all, and finds C++'s
    # exceptions if their library is there too.
    names = ("libasan.so", "libstdc++.so")
    preload = [
        subprocess.check_output([compiler, f"-print-file-name={name}"], text=True).strip()
        for name in names
    ]
    if not all(Path(path).is_absolute() for path in preload):
        pytest.skip(f"{compiler} is without {' or '.join(names)}")
    run_in = environment | {
        "LD_PRELOAD": " ".join(str(Path(path).resolve()) for path in preload),
        "ASAN_OPTIONS": f"log_path={log}:{options}",
        "UBSAN_OPTIONS": f"log_path={log}",
    }
    command = [sys.executable, "-c", _STRESS, str(plugin), *libraries]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | run_in, capture_output=True, text=True, check=False
    )
    told = "".join(path.read_text() for path in folder.glob("log.*"))
    assert done.stdout or "ERROR: " in told, done.stderr
    # Python, TVM and PoCL leave memory behind at their end; their reports are none of ours.
    reports = re.split(r"\n\s*\n", told)
    return [report for report in reports if str(plugin) in report or str(source) in report]


@pytest.mark.slow
def test_sanitizers_find_nothing_in_the_plug_in(
    environment: dict[str, str], libraries: list[str], tmp_path: Path
) -> None:
    # The search for leaks takes a minute.
    assert sanitized(SOURCE, environment, libraries, tmp_path, "detect_leaks=1:symbolize=0") == []


@pytest.mark.slow
def test_sanitizers_find_a_deliberate_overflow(
    environment: dict[str, str], libraries: list[str], tmp_path: Path
) -> None:
    fault = "volatile char* bytes = new char[7]; bytes[current_device + 7] = 0;"
    source, before = (
        tmp_path / "faulty.cc",
        "void StreamSync(Device device, TVMStreamHandle) final {",
    )
    text = SOURCE.read_text()
    assert text.count(before) == 1
    source.write_text(text.replace(before, before + fault))
    told = sanitized(source, environment, libraries, tmp_path, "detect_leaks=0")
    assert "heap-buffer-overflow" in told[0]


_LAUNCHES = """
import ctypes, json, os, sys
import numpy as np, tvm, tvm_ffi
plugin, library, fake = sys.argv[1:]
ctypes.CDLL(plugin, ctypes.RTLD_GLOBAL)
device = tvm.opencl(0)
module = tvm_ffi.load_module(library, keep_module_alive=False)
def launch(times):
    for turn in range(times):
        if turn % 100 == 0:
            x, out = (tvm.runtime.tensor(np.ones((70, 30), np.float32), device) for _ in range(2))
        module["main"](x, out)
        if turn % 100 == 99:
            device.sync()
            module.time_evaluator("main", device, number=1, repeat=1)(x, out)
def count():
    if fake:
        return [ctypes.CDLL(fake).fake_live(ord(kind)) for kind in "cqmpke"]
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
launch(2_000)
before = count()
launch(10_000)
print(json.dumps([before, count()]))
del module
if fake:
    print(json.dumps(count()))
"""


@pytest.mark.slow
def test_ten_thousand_launches_take_no_more_memory(
    plugin: Path, environment: dict[str, str], libraries: list[str]
) -> None:
    (told,) = run(_LAUNCHES, environment, plugin, libraries[0], "")
    before, after = json.loads(told)
    assert after - before < 4 << 20  # an event or a buffer left for each were more than that


def test_ten_thousand_launches_leave_nothing_unreleased(
    plugin: Path, fake: Path, libraries: list[str]
) -> None:
    told = run(_LAUNCHES, {OPENCL_VARIABLE: str(fake)}, plugin, libraries[0], fake)
    (before, after), at_end = map(json.loads, told)
    assert after == before == [1, 2, 0, 1, 2, 0]  # kernels and their program stay
    assert at_end == [1, 2, 0, 0, 0, 0]
