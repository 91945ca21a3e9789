"""The plug-in of qemu that counts executed instructions, built once for this machine."""

import subprocess
from pathlib import Path

from mobilebench.targets.emulated.qemu import takes_plugins
from mobilebench.targets.toolchains.shared_library import build_once
from mobilebench.targets.toolchains.toolchain import HOST, find_toolchain

SOURCE = Path(__file__).with_name("counter.cc")
HEADER = SOURCE.with_name("instruction_count.h")
"""What a program needs to ask for the count."""


def counter_options(qemu: Path, image: Path, cache_dir: Path) -> tuple[str, ...]:
    """Return what qemu is to be told so that it counts instructions; nothing if it cannot.

    It is tried on a program of the image. Raises BenchError if there is no C++ compiler.
    """
    if not takes_plugins(qemu):
        return ()
    plugin = build_once(find_toolchain(HOST), cache_dir / "counter", [SOURCE, HEADER], [])
    options = ("-plugin", str(plugin))
    command = [str(qemu), *options, "-L", str(image / "root"), str(image / "root/bin/true")]
    tried = subprocess.run(command, capture_output=True, check=False)
    return options if tried.returncode == 0 else ()
