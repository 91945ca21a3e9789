from pathlib import Path
from typing import Any

import pytest

from targets.errors import BenchError
from targets.target import SEARCH_PATH_VARIABLE, all_targets, find_target, read_target

GOOD = 'description = "a board"\ndevice = "cpu"\n'
TVM = '[tvm]\nkind = "llvm"\n'


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


def test_a_directory_of_one_s_own_wins_over_the_catalogue(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(GOOD + TVM, "native.toml")
    monkeypatch.setenv(SEARCH_PATH_VARIABLE, str(tmp_path))
    assert find_target("native").description == "a board"
    assert "x86-64-v3" in {target.name for target in all_targets()}


def test_a_directory_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
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
    ],
)
def test_a_bad_file_is_refused_with_file_key_and_what_is_allowed(
    write: Any, text: str, reason: str
) -> None:
    with pytest.raises(BenchError, match=reason) as refusal:
        read_target(write(text))
    assert "board.toml" in str(refusal.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "board.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BenchError, match=r"board.toml"):
        read_target(tmp_path / "board.toml")


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(BenchError, match=r"nosuch.toml: No such file"):
        find_target("nosuch.toml")
