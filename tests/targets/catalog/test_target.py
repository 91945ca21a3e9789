from pathlib import Path
from typing import Any

import pytest

from mobilebench.targets.catalog.target import (
    CATALOG,
    SEARCH_PATH_VARIABLE,
    Limits,
    all_targets,
    find_target,
    read_target,
)
from mobilebench.targets.errors import BenchError
from mobilebench.targets.toolchains.toolchain import AARCH64_ANDROID, AARCH64_LINUX, HOST

GOOD = 'description = "a board"\ndevice_type = "cpu"\n'
TVM = '[tvm]\nkind = "llvm"\n'
GPU = (
    'description = "a GPU"\ndevice_type = "opencl"\n'
    '[tvm]\nkind = "opencl"\n[host]\nkind = "llvm"\nmcpu = "native"\n'
)


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(text: str, name: str = "board.toml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_every_target_of_the_catalogue_is_good_and_described() -> None:
    names = {target.name for target in all_targets()}
    assert {"native", "x86-64-v3", "x86-64-v4"} <= names
    assert all(target.description for target in all_targets())


def test_a_file_of_one_s_own_is_named_by_its_path(write: Any) -> None:
    target = find_target(str(write(GOOD + 'cpu_flags = ["neon"]\n' + TVM)))
    assert (target.name, target.layout, target.cpu_flags) == ("board", "NHWC", ("neon",))


def test_a_board_s_keys_are_read(write: Any) -> None:
    keys = 'tracker_key = "pi-4"\ncores = [3, 0]\ncool_below_c = 62.5\nemulated = true\n'
    target = read_target(write(GOOD + keys + TVM))
    assert (target.tracker_key, target.cores, target.cool_below_c) == ("pi-4", (3, 0), 62.5)
    assert target.emulated


def test_a_target_is_this_machine_unless_its_file_says_otherwise(write: Any) -> None:
    target = read_target(write(GOOD + TVM))
    assert (target.tracker_key, target.cores, target.cool_below_c) == ("", (), None)
    assert not target.emulated


def test_a_gpu_has_a_host_and_limits_and_no_peers(write: Any) -> None:
    target = read_target(write(GPU + "[limits]\nwork_group = 128\nsubgroup = 8\n"))
    assert (target.device_type, target.host["kind"], target.has_peers) == ("opencl", "llvm", False)
    assert target.limits == Limits(work_group=128, subgroup=8)
    assert read_target(write(GPU)).limits is None


@pytest.mark.parametrize("keys", ["cores = []", "cores = [0]", "cool_below_c = 65"])
def test_unusual_but_valid_files_are_read(write: Any, keys: str) -> None:
    target = read_target(write(f"{GOOD}{keys}\n{TVM}"))
    assert target.cores in {(), (0,)}
    assert target.cool_below_c in {None, 65}


def test_boards_of_the_catalogue_have_code_of_their_own() -> None:
    boards = [target for target in map(read_target, CATALOG.glob("*.toml")) if target.tracker_key]
    assert boards
    assert len({target.tracker_key for target in boards}) == len(boards)
    triples = {AARCH64_LINUX: "aarch64-linux-gnu", AARCH64_ANDROID: "aarch64-linux-android"}
    for target in boards:
        assert target.toolchain != HOST
        cpu = target.host or target.tvm
        assert cpu["mtriple"] == triples[target.toolchain]
        assert cpu["mcpu"] != "native"


def test_emulated_targets_of_the_catalogue_are_boards() -> None:
    emulated = [target for target in map(read_target, CATALOG.glob("*.toml")) if target.emulated]
    assert emulated
    assert all(target.tracker_key for target in emulated)


def test_a_directory_of_one_s_own_wins_over_the_catalogue(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(GOOD + TVM, "native.toml")
    monkeypatch.setenv(SEARCH_PATH_VARIABLE, str(tmp_path))
    assert find_target("native").description == "a board"
    assert "x86-64-v3" in {target.name for target in all_targets()}


def test_a_missing_directory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SEARCH_PATH_VARIABLE, "/nosuch")
    with pytest.raises(BenchError, match=f"{SEARCH_PATH_VARIABLE}: /nosuch"):
        find_target("native")


def test_an_unknown_target_names_the_nearest() -> None:
    with pytest.raises(BenchError, match="unknown target 'nativ'; did you mean native"):
        find_target("nativ")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[tvm", "board.toml"),
        (GOOD + 'colour = "red"\n' + TVM, "unknown key 'colour'; allowed are description"),
        (
            GOOD + 'trackerkey = "pi"\n' + TVM,
            "unknown key 'trackerkey'.*; did you mean tracker_key",
        ),
        (GOOD + 'name = "pi"\n' + TVM, "unknown key 'name'"),
        (GOOD.replace("device_type", "device") + TVM, "device is called device_type now"),
        (GOOD + 'key = "pi"\n' + TVM, "key is called tracker_key now"),
        (GOOD, "tvm is missing"),
        (TVM, "description is missing"),
        (GOOD + "[tvm]\n", r"kind is missing in \[tvm\]"),
        (GOOD + TVM + 'cpu = "a72"', r"unknown key 'cpu' in \[tvm\]; allowed are .*mcpu"),
        (GOOD + 'layout = "CHWN"\n' + TVM, "layout is 'CHWN'; allowed are NHWC, NCHW"),
        (GOOD + "device_index = true\n" + TVM, "device_index must be of type int, not True"),
        (GOOD + 'cpu_flags = "neon"\n' + TVM, "cpu_flags must be of type list"),
        (GOOD + 'toolchain = "gcc"\n' + TVM, "toolchain is 'gcc'; allowed are host"),
        (GOOD + "tvm = 3", "tvm must be of type dict"),
        (GOOD + "cpu_flags = [3]\n" + TVM, "cpu_flags"),
        (GOOD + "device_index = -1\n" + TVM, "device_index must be 0 or more"),
        (GOOD + "tracker_key = 4\n" + TVM, "tracker_key must be of type str, not 4"),
        (GOOD + 'tracker_key = ""\n' + TVM, "tracker_key must be one word, not ''"),
        (GOOD + 'tracker_key = "pi 4"\n' + TVM, "tracker_key must be one word, not 'pi 4'"),
        (GOOD + 'tracker_key = " pi"\n' + TVM, "tracker_key must be one word, not ' pi'"),
        (GOOD + "cores = 3\n" + TVM, "cores must be of type list, not 3"),
        (GOOD + "cores = [0, -1]\n" + TVM, "cores must be numbers of processors, not -1"),
        (GOOD + 'cores = ["0"]\n' + TVM, "cores must be numbers of processors, not '0'"),
        (GOOD + "cores = [true]\n" + TVM, "cores must be numbers of processors, not True"),
        (GOOD + 'cool_below_c = "65"\n' + TVM, "cool_below_c must be of type int or float"),
        (GOOD + "cool_below_c = true\n" + TVM, "cool_below_c must be of type int or float"),
        (GOOD + 'emulated = "yes"\n' + TVM, "emulated must be of type bool, not 'yes'"),
        (GOOD + "emulated = 1\n" + TVM, "emulated must be of type bool, not 1"),
        (GOOD.replace("cpu", "cuda") + TVM, "device_type is 'cuda'; allowed are cpu, opencl"),
        (GPU.replace('kind = "llvm"', ""), r"kind is missing in \[host\]"),
        (GPU + 'cpu = "a72"\n', r"unknown key 'cpu' in \[host\]; allowed are kind"),
        (GPU + "[limits]\nregisters = 8\n", r"'registers' in \[limits\]; allowed are work_group"),
        (GPU + "[limits]\nsubgroup = 0\n", r"subgroup in \[limits\] must be a whole number"),
        (GPU + "[limits]\nsubgroup = true\n", r"subgroup in \[limits\] .* above 0, not True"),
        (GPU + "[limits]\nlocal_bytes = 1.5\n", r"local_bytes in \[limits\] .* not 1.5"),
        ("limits = 3\n" + GPU, "limits must be of type dict, not 3"),
    ],
)
def test_a_bad_file_is_refused_with_file_key_and_what_is_allowed(
    write: Any, text: str, reason: str
) -> None:
    with pytest.raises(BenchError, match=reason) as refusal:
        read_target(write(text))
    assert "board.toml" in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "board.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BenchError, match=r"board.toml"):
        read_target(tmp_path / "board.toml")


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(BenchError, match=r"nosuch.toml: No such file"):
        find_target("nosuch.toml")
