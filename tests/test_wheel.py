"""What a wheel of the project installs."""

import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent
NAME = "mobilebench"
FOLDERS = ("bench", "reports", "schedules", "targets")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> list[PurePosixPath]:
    """Return the files of a wheel, which is built of a copy: setuptools writes into its folder."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    names = ["README.md", "LICENSE", "pyproject.toml", "setup.py", *FOLDERS]
    subprocess.run(["cp", "-r", *(ROOT / name for name in names), source], check=True)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", out, source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return [PurePosixPath(name) for name in archive.namelist()]


def test_it_installs_one_import_name(installed: list[PurePosixPath]) -> None:
    names = {path.parts[0] for path in installed}
    assert {name for name in names if not name.endswith(".dist-info")} == {NAME}


def test_it_is_marked_as_typed(installed: list[PurePosixPath]) -> None:
    assert PurePosixPath(NAME, "py.typed") in installed


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_of_a_folder_is_in_it(installed: list[PurePosixPath], folder: str) -> None:
    sources = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    wanted = {
        PurePosixPath(NAME, path.relative_to(ROOT).as_posix())
        for path in sources
        if "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    assert len(wanted) > 10
    assert wanted <= set(installed)
