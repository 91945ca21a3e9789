from dataclasses import dataclass
from pathlib import Path

import pytest

from mobilebench.targets.processes.path_pickle import pack, unpack


@dataclass(frozen=True)
class Made:
    directory: Path
    file: Path
    number: int


@pytest.fixture
def here(tmp_path: Path) -> Path:
    entry = tmp_path / "here" / "kind" / "name-1"
    entry.mkdir(parents=True)
    (entry / "library").write_bytes(b"\x00code")
    (entry / "manifest").write_text("{}")
    (entry / "manifest").chmod(0o640)
    return tmp_path / "here"


@pytest.fixture
def there(tmp_path: Path) -> Path:
    return tmp_path / "there"


def test_cache_entries_are_unpacked_into_the_other_cache(here: Path, there: Path) -> None:
    entry = here / "kind" / "name-1"
    found = unpack(pack(Made(entry, entry / "library", 3), here), there)
    assert found == Made(there / "kind" / "name-1", there / "kind" / "name-1" / "library", 3)
    assert found.file.read_bytes() == b"\x00code"
    assert (found.directory / "manifest").read_text() == "{}"  # what is not named, too
    assert not list(there.glob("kind/.making-*"))


def test_the_cache_itself_is_the_other_cache(here: Path, there: Path) -> None:
    assert unpack(pack((here, 1), here), there) == (there, 1)


def test_an_entry_that_is_there_is_left_alone(here: Path, there: Path) -> None:
    own = there / "kind" / "name-1"
    own.mkdir(parents=True)
    (own / "library").write_bytes(b"mine")
    unpack(pack(here / "kind" / "name-1", here), there)
    assert (own / "library").read_bytes() == b"mine"
    assert not (own / "manifest").exists()


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_other_paths_are_sent_with_their_content(
    here: Path, there: Path, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "tiles"
    if kind == "directory":
        path.mkdir()
        (path / "native.json").write_text("[1]")
    else:
        path.write_text("[1]")
    found = unpack(pack([path], here), there)[0]
    assert found.name == "tiles"
    assert found.is_relative_to(there)
    assert (found / "native.json" if kind == "directory" else found).read_text() == "[1]"
    assert unpack(pack([path], here), there)[0] == found
    (path / "native.json" if kind == "directory" else path).write_text("[2]")
    assert unpack(pack([path], here), there)[0] != found


def test_a_path_that_does_not_exist_is_sent_unchanged(here: Path, there: Path) -> None:
    assert unpack(pack(Path("/nowhere/at/all"), here), there) == Path("/nowhere/at/all")
