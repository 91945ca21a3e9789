"""Which platform a target's code is for, who links it, and whether this machine is one."""

import platform

from mobilebench.targets.catalog.instruction_sets import AARCH64, X86_64
from mobilebench.targets.toolchains.toolchain import AARCH64_ANDROID, AARCH64_LINUX, HOST

_ALSO_CALLED = {"arm64": AARCH64, "amd64": X86_64, "x64": X86_64}
_LINUX, _ANDROID = "linux", "android"
_OWN_LIBRARY = ("musl", "uclibc")  # C libraries that no toolchain here links with


def host_triple() -> str:
    """Return LLVM's name of this machine's platform."""
    return f"{platform.machine()}-linux-gnu"


def architecture_of_triple(triple: str) -> str:
    """Return the architecture that a triple names, as `uname -m` calls it."""
    first = triple.casefold().partition("-")[0]
    return _ALSO_CALLED.get(first, first)


def linking_problem(toolchain: str, triple: str) -> str:
    """Return why a toolchain does not link code of a triple; empty if it does.

    An empty triple stands for this machine's.
    """
    served = {
        HOST: host_triple(),
        AARCH64_LINUX: "aarch64-linux-gnu",
        AARCH64_ANDROID: "aarch64-linux-android",
    }
    wanted = _platform(triple or host_triple())
    if wanted == _platform(served[toolchain]):
        return ""
    if not triple:
        return (
            f"toolchain {toolchain} links for {served[toolchain]}, but without mtriple the code is "
            f'for this machine; add mtriple = "{served[toolchain]}" beside mcpu'
        )
    begin = f"toolchain {toolchain} links for {served[toolchain]}, not for mtriple {triple!r}"
    for name, other in served.items():
        if wanted == _platform(other):
            return f'{begin}; set toolchain = "{name}"'
    links = ", ".join(f"{name} links for {other}" for name, other in served.items())
    return f"{begin}, which no toolchain serves: {links}"


def runs_here(triple: str) -> bool:
    """Whether code of a triple can run on this machine; an empty one stands for this machine's."""
    return not triple or _platform(triple) == _platform(host_triple())


def is_linux(triple: str) -> bool:
    """Whether a triple's platform is Linux with glibc, and not Android; an empty one is ours."""
    return _platform(triple or host_triple())[1] == _LINUX


def _platform(triple: str) -> tuple[str, str]:
    """Return the architecture and the system, the same for all names of one platform."""
    words = triple.casefold().split("-")[1:]
    if any(word.startswith(_ANDROID) for word in words):
        return architecture_of_triple(triple), _ANDROID
    if _LINUX in words and not any(word.startswith(_OWN_LIBRARY) for word in words):
        return architecture_of_triple(triple), _LINUX
    return architecture_of_triple(triple), "-".join(words)
