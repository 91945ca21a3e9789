"""Subnormal numbers (denormals), with which processors compute up to a hundred times slower."""

import ctypes
import platform

_SIZE = 64  # bytes, of which glibc's fenv_t takes 32 or 8
# By machine: where the control word lies in glibc's fenv_t, and which bits flush. Source:
# sysdeps/x86/fpu/bits/fenv.h (MXCSR: FTZ and DAZ), sysdeps/aarch64/bits/fenv.h (FPCR: FZ).
_CONTROL = {"x86_64": (28, 0x8040), "aarch64": (0, 1 << 24)}


def flush_denormals() -> bool:
    """Have this thread, and all that it starts from now on, take subnormal numbers for 0.

    Inference runtimes do this by default or have an option for it, so that measuring it for all
    alike is fair. Returns whether it was done: on Linux with glibc, on x86-64 and AArch64.
    """
    place = _CONTROL.get(platform.machine())
    if place is None:
        return False
    offset, bits = place
    try:
        library = ctypes.CDLL("libm.so.6")
    except OSError:
        return False
    environment = ctypes.create_string_buffer(_SIZE)
    if library.fegetenv(environment) != 0:
        return False
    control = ctypes.c_uint32.from_buffer(environment, offset)
    control.value |= bits
    return bool(library.fesetenv(environment) == 0)
