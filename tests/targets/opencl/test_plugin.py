import ctypes.util
import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distributions
from pathlib import Path

import pytest

from mobilebench.targets.errors import BenchError
from mobilebench.targets.opencl import plugin as module
from mobilebench.targets.opencl.plugin import (
    OPENCL_VARIABLE,
    build_plugin,
    find_wheel,
    opencl_environment,
)
from mobilebench.targets.rpc.local_server import LocalServer
from mobilebench.targets.toolchains.toolchain import AARCH64_LINUX, Toolchain, find_toolchain


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the folder of packages of a machine without OpenCL."""
    for name in (OPENCL_VARIABLE, "OCL_ICD_VENDORS", "OCL_ICD_FILENAMES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ctypes.util, "find_library", lambda _name: None)
    monkeypatch.setattr(module, "_VENDORS", tmp_path / "vendors")
    packages = tmp_path / "lib" / "python3" / "site-packages"
    packages.mkdir(parents=True)
    monkeypatch.setattr(
        module, "distribution", lambda name: next(iter(distributions(name=name, path=[packages])))
    )
    return packages


def install_wheel(packages: Path) -> Path:
    """Put the library of Intel's wheel there, as pip does; return its path."""
    library = packages.parents[1] / "libintelocl.so"
    library.touch()
    metadata = packages / "intel_opencl_rt-2026.2.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: intel-opencl-rt\nVersion: 2026.2.0\n")
    (metadata / "RECORD").write_text("../../cl.cfg,,\n../../libintelocl.so,,\n")
    return library


def test_the_plug_in_is_compiled_once(plugin: Path, cache_dir: Path) -> None:
    before = plugin.stat().st_mtime_ns
    assert build_plugin(find_toolchain("host"), cache_dir) == plugin
    assert plugin.stat().st_mtime_ns == before


@pytest.mark.slow
def test_it_is_compiled_by_hand_as_its_first_lines_say(tmp_path: Path) -> None:
    source = Path(module.__file__).with_name("runtime.cc")
    head = source.read_text().partition("#include")[0]
    lines = [line.removeprefix("//   ") for line in head.splitlines() if line.startswith("//   ")]
    assert "python -m tvm.exec.rpc_server" in lines.pop()
    (tmp_path / source.name).symlink_to(source)
    tools = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    command = ["sh", "-e", "-c", "\n".join(lines)]
    subprocess.run(command, cwd=tmp_path, env=os.environ | {"PATH": tools}, check=True)
    assert (tmp_path / "opencl.so").stat().st_size > 10_000


def test_a_compiler_with_another_c_plus_plus_library_is_refused(tmp_path: Path) -> None:
    zig = Toolchain(AARCH64_LINUX, (sys.executable, "-m", "ziglang", "c++"))
    with pytest.raises(BenchError, match=r"needs GNU's C\+\+ library"):
        build_plugin(zig, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("aarch64-linux-gnu-g++"), reason="no cross compiler")
def test_it_is_compiled_for_arm_too(tmp_path: Path) -> None:
    library = build_plugin(find_toolchain(AARCH64_LINUX), tmp_path)
    assert int.from_bytes(library.read_bytes()[18:20], "little") == 183  # ELF's number of AArch64


def test_the_suite_s_own_process_has_no_opencl(plugin: Path) -> None:
    import tvm

    assert plugin.exists()
    assert tvm.get_global_func("device_api.opencl", allow_missing=True) is None


def test_loading_the_plug_in_opens_no_opencl(plugin: Path) -> None:
    code = (
        "import ctypes, sys, tvm; ctypes.CDLL(sys.argv[1], ctypes.RTLD_GLOBAL);"
        "print('OpenCL' in open('/proc/self/maps').read())"
    )
    command = [sys.executable, "-c", code, str(plugin)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"


def test_a_library_that_cannot_be_loaded_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"did not start: OSError: .*nosuch.so: cannot open"):
        LocalServer(libraries=[tmp_path / "nosuch.so"])


@pytest.fixture
def no_wheel(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "distribution", missing)


def test_without_opencl_the_environment_is_unchanged(no_wheel: None) -> None:
    assert find_wheel() is None
    assert opencl_environment() == {}


def test_the_wheel_s_opencl_is_found_where_pip_put_it(bare: Path) -> None:
    library = install_wheel(bare)
    assert find_wheel() == library
    assert opencl_environment() == {OPENCL_VARIABLE: str(library)}


def test_a_wheel_without_its_library_is_ignored(bare: Path) -> None:
    install_wheel(bare).unlink()
    assert opencl_environment() == {}


def test_a_loader_without_a_driver_is_no_opencl(
    bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library = install_wheel(bare)
    monkeypatch.setattr(ctypes.util, "find_library", lambda _name: "libOpenCL.so.1")
    assert opencl_environment() == {OPENCL_VARIABLE: str(library)}
    (tmp_path / "vendors").mkdir()
    assert opencl_environment() == {OPENCL_VARIABLE: str(library)}
    (tmp_path / "vendors" / "mesa.icd").touch()
    assert opencl_environment() == {}


@pytest.mark.parametrize("name", [OPENCL_VARIABLE, "OCL_ICD_VENDORS", "OCL_ICD_FILENAMES"])
def test_the_environment_variable_has_precedence(
    bare: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    install_wheel(bare)
    monkeypatch.setattr(ctypes.util, "find_library", lambda _name: "libOpenCL.so.1")
    monkeypatch.setenv(name, "/opt/libmali.so")
    assert opencl_environment() == {}


def test_a_session_that_used_opencl_exits_cleanly(
    plugin: Path, environment: dict[str, str]
) -> None:
    from tvm import rpc

    from mobilebench.targets.rpc.local_server import HOST
    from tests.targets.opencl.conftest import on

    with LocalServer(1, [plugin], environment) as server:
        for _ in range(3):  # a session that begins follows the last one's end, however that was
            session = rpc.connect(HOST, server.port, server.key)
            assert on(session.device("opencl"), [1.0]).numpy() == [1.0]
            assert server.session_end() is None
            del session
