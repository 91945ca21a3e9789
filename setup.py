"""What pyproject.toml cannot say: the folders at the top are `mobilebench.bench` and so on.

setuptools' finder knows no prefix, and no file can be named for a package without a folder.
"""

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

NAME = "mobilebench"
FOLDERS = ("bench", "reports", "schedules", "targets")
FOUND = find_packages(include=[pattern for name in FOLDERS for pattern in (name, f"{name}.*")])


class BuildTyped(build_py):
    """Marks the whole of the package as typed (PEP 561)."""

    def run(self) -> None:
        """Copy the packages, and write the marker beside them."""
        super().run()
        self._marker.parent.mkdir(parents=True, exist_ok=True)
        self._marker.touch()

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Return every file that is written."""
        return [*super().get_outputs(include_bytecode), str(self._marker)]

    @property
    def _marker(self) -> Path:
        return Path(self.build_lib) / NAME / "py.typed"


setup(
    packages=[f"{NAME}.{name}" for name in FOUND],
    package_dir={f"{NAME}.{name}": name for name in FOLDERS},
    cmdclass={"build_py": BuildTyped},
)
