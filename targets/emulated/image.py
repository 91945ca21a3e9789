"""The files of an emulated 64-bit Arm board: Debian's Python and TVM's Arm wheel, in the cache.

Made once, without touching the machine: debootstrap fetches Debian's packages (and checks their
signatures), pip fetches wheels by their hashes, and both are unpacked.
"""

import hashlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from mobilebench.targets.emulated.packages import PYTHON_VERSION, Say, install, run
from mobilebench.targets.emulated.qemu import find_qemu
from mobilebench.targets.errors import BenchError

_SUITE = "bookworm"  # Debian 12, whose Python is that of the packages
_PACKAGES = ("libpython3-stdlib", "libstdc++6", "python3-minimal")
_REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_CPU = "cortex-a72"  # of the launcher that lies beside the image
_READY = "ready"

# The server starts its sessions through sys.executable, which must be something that this machine
# can execute: this script, and not the Python that it emulates. qemu before 8.0 now and then hangs
# in a program that forks, in a lock of GLib's allocator; those of malloc are free after a fork.
_LAUNCHER = """#!/bin/sh
export QEMU_CPU={cpu} G_SLICE=always-malloc
export PYTHONHOME='{image}/root/usr' PYTHONPATH='{site}' PYTHONNOUSERSITE=1
exec '{qemu}' {options}-L '{root}' -0 "$0" '{image}/root/usr/bin/python{python}' "$@"
"""


def make_image(cache_dir: Path, say: Say) -> Path:
    """Return the directory of the files, fetched and unpacked into the cache if need be.

    `root` is Debian, `site` has the wheels, and `python` runs Debian's Python on a Cortex-A72. What
    is made depends on the recipe alone, whose hash is in the path. Raises BenchError if a tool is
    missing, with how to get it.
    """
    recipe = (_SUITE, PYTHON_VERSION, _PACKAGES, _REQUIREMENTS.read_text(), _LAUNCHER)
    digest = hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]
    image = cache_dir / "boards" / f"aarch64-{digest}"
    if (image / _READY).exists():
        return image
    tools = {name: _tool(name) for name in ("debootstrap", "dpkg-deb")}
    qemu = find_qemu()
    if importlib.util.find_spec("pip") is None:
        raise BenchError(f"{sys.executable} has no pip; install it: python -m ensurepip")
    if os.geteuid() != 0:
        raise BenchError(
            "debootstrap fetches packages as root only; run `mobilebench board start` once as "
            f"root, with the same cache ({cache_dir})"
        )
    shutil.rmtree(image, ignore_errors=True)  # left over from an interrupted start
    root, site = image / "root", image / "site"
    root.mkdir(parents=True)
    with TemporaryDirectory(dir=image) as scratch:
        say(f"fetching Debian's arm64 packages ({_SUITE}) with debootstrap")
        fetched = Path(scratch) / "fetched"
        include = f"--include={','.join(_PACKAGES)}"
        how = ["--arch=arm64", "--variant=minbase", "--download-only", include]
        run([tools["debootstrap"], *how, _SUITE, str(fetched)])
        packages = sorted((fetched / "var/cache/apt/archives").glob("*.deb"))
        say(f"unpacking {len(packages)} packages")
        for package in packages:
            run([tools["dpkg-deb"], "-x", str(package), str(root)])
        sums = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in packages]
        (image / "packages.sha256").write_text("".join(sums))
    say("fetching TVM's arm64 wheels with pip")
    install(_REQUIREMENTS, site)
    launcher = write_launcher(image / "python", image, root, qemu, _CPU)
    say("testing the emulated Python")
    run([str(launcher), "-c", "import tvm.rpc"])
    (image / _READY).touch()
    return image


def write_launcher(
    launcher: Path,
    image: Path,
    root: Path,
    qemu: Path,
    cpu: str,
    options: Sequence[str] = (),
    *,
    packages: Sequence[Path] = (),
) -> Path:
    """Write a script that runs the image's Python on an emulated CPU, and return its path.

    It sees the files below `root` in place of this machine's, and the packages of these directories
    beside the image's own.
    """
    further = "".join(f"{option} " for option in options)
    site = ":".join(map(str, (image / "site", *packages)))
    where = {"image": image, "root": root, "site": site, "qemu": qemu, "python": PYTHON_VERSION}
    launcher.write_text(_LAUNCHER.format(cpu=cpu, options=further, **where))
    launcher.chmod(0o755)
    return launcher


def _tool(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        raise BenchError(f"no {name}; apt-get install {name.replace('dpkg-deb', 'dpkg')}")
    return path
