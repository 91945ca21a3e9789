"""Sessions on a stock board, and the end of one."""

import dataclasses
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.devices.connection import Connector
from mobilebench.targets.devices.device import Device, cool_down
from mobilebench.targets.devices.farm import Farm
from mobilebench.targets.devices.probe import build_probe
from mobilebench.targets.errors import DeviceLostError, NoDeviceError
from mobilebench.targets.toolchains.toolchain import find_toolchain
from tests.farm import KEY, Board, RealFarm
from tests.waiting import HANG_S

TARGET = dataclasses.replace(find_target("native"), tracker_key=KEY)


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealFarm]:
    """Return a tracker without boards."""
    with RealFarm(tmp_path_factory.mktemp("farm")) as farm:
        yield farm


@pytest.fixture(scope="module")
def board(farm: RealFarm) -> Board:
    """Return its one board."""
    return farm.add_board()


@pytest.fixture
def line(farm: RealFarm, board: Board) -> Connector:
    """Return the way to the board."""
    return Connector(TARGET, 1, Farm(farm.tracker, wait_s=HANG_S), Path())


def library_that_dies(directory: Path) -> Path:
    import tvm_ffi

    source, library = directory / "die.cc", directory / "die.so"
    source.write_text(
        "#include <tvm/ffi/tvm_ffi.h>\n#include <csignal>\n"
        "static void Die(int number) { raise(number); }\n"
        "TVM_FFI_DLL_EXPORT_TYPED_FUNC(die, Die);\n"
    )
    include = str(tvm_ffi.libinfo.find_include_path())
    find_toolchain("host").compile_shared(library, source, ["-I", include])
    return library


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGILL])
def test_a_model_that_crashes_ends_its_session_and_not_the_board(
    line: Connector, cache_dir: Path, tmp_path: Path, number: signal.Signals
) -> None:
    probe = build_probe(find_toolchain("host"), cache_dir)
    line.wait()
    connection = line.connect()
    device = Device(connection, probe)
    assert connection.ended() is None
    library = library_that_dies(tmp_path)
    device.session.upload(str(library))
    with pytest.raises(Exception, match=r".+"):
        device.session.load_module(library.name).get_function("die")(int(number))
    assert "the model crashed there, or the board went away" in (connection.ended() or "")

    line.wait()  # the stock server would not listen any more without the probe's help
    again = line.connect()
    assert Device(again, probe).resident_bytes()[0] > 0
    again.close()


def test_a_board_that_went_away_after_it_was_granted_is_lost(
    farm: RealFarm, line: Connector, board: Board
) -> None:
    other = dataclasses.replace(TARGET, tracker_key="short-lived")
    short_lived = farm.add_board(other.tracker_key)
    line = Connector(other, 1, Farm(farm.tracker, wait_s=HANG_S), Path())
    line.wait()
    short_lived.kill()
    with pytest.raises(DeviceLostError, match=f"board {short_lived.address} does not accept"):
        line.connect()
    with pytest.raises(NoDeviceError, match="no board with key short-lived"):
        Connector(other, 1, Farm(farm.tracker, wait_s=1), Path()).wait()


def test_a_hot_device_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []
    monkeypatch.setattr("time.sleep", naps.append)
    target = dataclasses.replace(TARGET, cool_below_c=60.0)
    readings = iter([80.0, 61.0, 60.0, 59.9, 90.0])
    cool_down(target, lambda: next(readings))
    assert len(naps) == 3
    assert next(readings) == 90.0  # it was cool enough before


def test_devices_without_temperature_or_limit_are_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: pytest.fail("it waits"))
    cool_down(dataclasses.replace(TARGET, cool_below_c=60.0), lambda: None)
    cool_down(TARGET, lambda: 1000.0)


def test_a_device_that_stays_hot_is_waited_for_three_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr("time.sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    cool_down(dataclasses.replace(TARGET, cool_below_c=60.0), lambda: 99.0)
    assert clock[0] == 180.0
