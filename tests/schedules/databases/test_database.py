import json
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from mobilebench.schedules.databases.database import (
    PACKAGED,
    Entry,
    TileDatabase,
    find_databases,
    read_database,
    write_database,
)
from mobilebench.schedules.machine import Gpu, Machine
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.errors import BenchError

MACHINE = Machine(vector_floats=16, registers=32)
ENTRY = Entry("pointwise 7x7x32 over 16 #1f", 1, {"rows": 7, "panels": 2}, 3.25, 3.5, 8)


def database(target: str = "x86-64-v4", vector_floats: int = 16, **other: Any) -> TileDatabase:
    return TileDatabase(target, vector_floats, 32, "a CPU", **other, entries=(ENTRY,))


def test_a_written_database_is_read_back_the_same(tmp_path: Path) -> None:
    path = tmp_path / "made" / "x86-64-v4.json"
    write_database(path, database())
    assert read_database(path) == database()
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert sum("pointwise" in line for line in path.read_text().splitlines()) == 1


def test_new_entries_replace_those_of_the_same_kernel_and_threads() -> None:
    better = Entry(ENTRY.kernel, 1, {"rows": 5, "panels": 2}, 3.0, 3.5, 16)
    other = Entry(ENTRY.kernel, 2, {"rows": 5, "panels": 2}, 2.0, 2.5, 16)
    assert database().updated([better, other]).entries == (better, other)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"format": 2', '"format": 99'),
        lambda text: text.replace('"tile"', '"tiles"'),
        lambda text: text.replace('"target"', '"goal"'),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(
    tmp_path: Path, damage: Callable[[str], str]
) -> None:
    path = tmp_path / "x86-64-v4.json"
    write_database(path, database())
    path.write_text(damage(path.read_text()))
    found, refused = find_databases([tmp_path], find_target("x86-64-v4"), MACHINE)
    assert found == []
    (line,) = refused
    assert str(path) in line
    assert "default tiles are used instead" in line
    assert "mobilebench tune" in line
    assert "\n" not in line


def test_a_database_of_another_tvm_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x86-64-v4.json"
    write_database(path, database(tvm_version="0.19.0"))
    with pytest.raises(BenchError, match=r"made with TVM 0\.19\.0, this is"):
        read_database(path)


def test_a_target_s_own_database_comes_before_those_of_the_same_vector_unit(tmp_path: Path) -> None:
    user, project = tmp_path / "user", tmp_path / "project"
    write_database(project / "x86-64-v4.json", database("x86-64-v4"))
    write_database(project / "x86-64-v3.json", database("x86-64-v3", vector_floats=8))
    write_database(user / "native.json", database("native"))
    directories = (user, project, tmp_path / "missing")
    for first, second in (("native", "x86-64-v4"), ("x86-64-v4", "native")):
        found, _ = find_databases(directories, find_target(first), MACHINE)
        assert [one.target for one in found] == [first, second]


def test_a_database_of_an_emulator_serves_no_other_target(tmp_path: Path) -> None:
    write_database(tmp_path / "emulated-arm.json", database("emulated-arm", emulated=True))
    assert find_databases([tmp_path], find_target("raspberry-pi-4"), MACHINE)[0] == []
    (own,) = find_databases([tmp_path], find_target("emulated-arm"), MACHINE)[0]
    assert own.emulated


@pytest.mark.parametrize("path", sorted(PACKAGED.glob("*.json")), ids=lambda path: path.stem)
def test_packaged_databases_are_complete_and_small(path: Path) -> None:
    found = read_database(path)
    assert found.target == path.stem
    assert {entry.threads for entry in found.entries} == {1, 2}
    assert path.stat().st_size < 2_000_000
    # The best was measured beside the default tile, and kept only if it was better.
    assert all(entry.microseconds <= entry.default_microseconds for entry in found.entries)
    assert json.loads(path.read_text())["entries"]


def test_a_database_of_one_opencl_device_serves_no_other(tmp_path: Path) -> None:
    machine = Gpu(4, 32, 256, 16384, 16, 4)
    database = TileDatabase("opencl", 4, 32, "Mali-G57", device_type="opencl", entries=(ENTRY,))
    write_database(tmp_path / "opencl.json", database)
    for name, served in (("Mali-G57", 1), ("Adreno 640", 0), ("", 1)):
        target = replace(find_target("opencl"), processor=name)
        assert len(find_databases([tmp_path], target, machine)[0]) == served
    assert find_databases([tmp_path], find_target("mali"), machine)[0] == []


def test_a_file_with_the_field_names_of_format_1_is_read(tmp_path: Path) -> None:
    path = tmp_path / "opencl.json"
    entry = '{"kernel": "pointwise 7x7x32 over 16 #1f", "threads": 1, "tile": null, '
    entry += '"microseconds": 3.5, "guess_microseconds": 3.5, "trials": 8}'
    path.write_text(
        '{"format": 1, "target": "opencl", "vector_floats": 4, "registers": 32, '
        '"cpu_model": "Mali-G57", "device": "opencl", "emulated": false, '
        f'"tvm_version": "{version("apache-tvm")}", "entries": [{entry}]}}'
    )
    found = read_database(path)
    assert found.device_type == "opencl"
    assert found.entries == (Entry("pointwise 7x7x32 over 16 #1f", 1, None, 3.5, 3.5, 8),)
    write_database(path, found)
    assert read_database(path) == found
    assert '"device_type": "opencl"' in path.read_text()
