"""What this machine's CPU has, feature by feature.

LLVM knows a CPU by its family and model, and takes for granted what such a CPU usually has. A
hypervisor may hide some of that, and a maker that LLVM does not know gets next to nothing. So what
Linux lists in /proc/cpuinfo is what counts: it is what the CPU has, the hypervisor shows and the
system supports.
"""

from collections.abc import Mapping

from mobilebench.targets.catalog.instruction_sets import AARCH64, X86_64

# LLVM's names of what code generation may use, and Linux's flag of each.
_APX = ("egpr", "push2pop2", "ppx", "ndd", "ccmp", "nf", "cf", "zu")
_X86: Mapping[str, str] = {
    **dict.fromkeys(("sse4.2", "crc32"), "sse4_2"),
    **{name: name for name in ("ssse3", "popcnt", "cx16", "movbe", "adx", "aes", "sse4a", "gfni")},
    **{name: name for name in ("avx", "avx2", "fma", "fma4", "xop", "tbm", "f16c", "bmi2")},
    **{name: name for name in ("vaes", "vpclmulqdq", "sha512", "sm3", "sm4", "cmpccxadd")},
    **{f"avx512{part}": f"avx512{part}" for part in ("f", "bw", "cd", "dq", "vl", "ifma", "vbmi")},
    **{
        f"avx512{part}": f"avx512_{part}"
        for part in ("vbmi2", "vnni", "bitalg", "vpopcntdq", "bf16", "fp16", "vp2intersect")
    },
    **{f"amx-{part}": f"amx_{part}" for part in ("tile", "int8", "bf16", "fp16", "complex")},
    **dict.fromkeys(_APX, "apx"),
    **dict.fromkeys(("avx10.1", "avx10.2"), "avx10"),
    "sse3": "pni",
    "sse4.1": "sse4_1",
    "sahf": "lahf_lm",
    "lzcnt": "abm",
    "bmi": "bmi1",
    "pclmul": "pclmulqdq",
    "prfchw": "3dnowprefetch",
    "sha": "sha_ni",
    "avxvnni": "avx_vnni",
    "avxifma": "avx_ifma",
    "avxneconvert": "avx_ne_convert",
    "avxvnniint8": "avx_vnni_int8",
    "avxvnniint16": "avx_vnni_int16",
}
_ARM: Mapping[str, str] = {
    **{name: name for name in ("aes", "sha3", "sm4", "sve", "sve2", "i8mm", "bf16", "sme", "sme2")},
    "neon": "asimd",
    "crc": "crc32",
    "lse": "atomics",
    "rdm": "asimdrdm",
    "fullfp16": "asimdhp",
    "fp16fml": "asimdfhm",
    "dotprod": "asimddp",
    "sha2": "sha2",
    "jsconv": "jscvt",
    "complxnum": "fcma",
    "rcpc": "lrcpc",
}
_TABLES = {X86_64: _X86, AARCH64: _ARM}


def corrections(implied: frozenset[str], flags: frozenset[str], architecture: str) -> list[str]:
    """Return what LLVM is to switch on and off beyond what it takes for granted.

    `implied` are LLVM's names of what it takes for granted, `flags` what /proc/cpuinfo lists; if
    that is nothing, nothing is corrected. What is switched off comes last, and takes all with it
    that builds on it.
    """
    table = _TABLES.get(architecture, {}) if flags else {}
    missing = [name for name, flag in table.items() if flag in flags and name not in implied]
    absent = [name for name, flag in table.items() if flag not in flags and name in implied]
    return [f"+{name}" for name in sorted(missing)] + [f"-{name}" for name in sorted(absent)]
