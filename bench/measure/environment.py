"""The versions of the tools that a run uses."""

import json
import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution, version
from pathlib import Path
from urllib.parse import unquote, urlparse

from mobilebench import bench


@dataclass(frozen=True)
class Tools:
    """The columns of a record with versions and the project's commit."""

    tvm_version: str
    tvm_ffi_version: str
    torch_version: str
    onnx_version: str
    python_version: str
    git_commit: str


@cache
def tool_versions() -> Tools:
    """Return the versions that are installed here."""
    return Tools(
        tvm_version=version("apache-tvm"),
        tvm_ffi_version=version("apache-tvm-ffi"),
        torch_version=version("torch"),
        onnx_version=version("onnx"),
        python_version=platform.python_version(),
        git_commit=_git_commit(),
    )


def _git_commit() -> str:
    """Return the commit of the checkout that is used or was installed; else an empty string."""
    for directory in (Path(bench.__file__).parent, _installed_from()):
        if directory is None:
            continue
        command = ["git", "-C", str(directory), "rev-parse", "--short=12", "HEAD"]
        try:
            found = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError:  # no git here
            return ""
        if found.returncode == 0:
            return found.stdout.strip()
    return ""


def _installed_from() -> Path | None:
    """Return the directory that pip installed from, as PEP 610 records it."""
    text = distribution("mobilebench").read_text("direct_url.json")
    url = urlparse(json.loads(text)["url"]) if text else None
    return Path(unquote(url.path)) if url and url.scheme == "file" else None
