"""What Linux calls instruction sets in /proc/cpuinfo, and other names that people know."""

import re
from collections.abc import Mapping
from pathlib import Path

from mobilebench.targets.errors import did_you_mean

X86_64, AARCH64 = "x86_64", "aarch64"

# arch/x86/include/asm/cpufeatures.h: what code can need, not what kernels and hypervisors do.
_OF_X86 = """
fpu cx8 cmov mmx fxsr sse sse2 syscall mmxext 3dnow 3dnowext lm pni pclmulqdq ssse3 fma cx16
sse4_1 sse4_2 movbe popcnt aes xsave avx f16c rdrand lahf_lm abm sse4a misalignsse
3dnowprefetch xop fma4 tbm fsgsbase bmi1 hle avx2 bmi2 erms rtm rdseed adx clflush clflushopt
clwb sha_ni xsaveopt xsavec xgetbv1 xsaves clzero rdpru wbnoinvd serialize rdpid movdiri
movdir64b enqcmd gfni vaes vpclmulqdq fsrm fzrm fsrs fsrc waitpkg cldemote avx512f avx512dq
avx512ifma avx512pf avx512er avx512cd avx512bw avx512vl avx512vbmi avx512_vbmi2 avx512_vnni
avx512_bitalg avx512_vpopcntdq avx512_4vnniw avx512_4fmaps avx512_vp2intersect avx512_bf16
avx512_fp16 avx_vnni avx_ifma avx_vnni_int8 avx_vnni_int16 avx_ne_convert avx10 amx_tile
amx_int8 amx_bf16 amx_fp16 amx_complex cmpccxadd prefetchi sha512 sm3 sm4 rdtscp tsc rep_good
nopl ibt user_shstk apx
"""
# arch/arm64/kernel/cpuinfo.c, in the order of the bits of HWCAP, 32, and of HWCAP2, 64
_OF_ARM = """
fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma
lrcpc dcpop sha3 sm3 sm4 asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg
dcpodp sve2 sveaes svepmull svebitperm svesha3 svesm4 flagm2 frint svei8mm svef32mm svef64mm
svebf16 i8mm bf16 dgh rng bti mte ecv afp rpres mte3 sme smei16i64 smef64f64 smei8i32
smef16f32 smeb16f32 smef32f32 smefa64 wfxt ebf16 sveebf16 cssc rprfm sve2p1 sme2 sme2p1
smei16i32 smebi32i32 smeb16b16 smef16f16 mops hbc sveb16b16 lrcpc3 lse128 fpmr lut faminmax
f8cvt f8fma f8dp4 f8dp2 f8mm4 f8mm8 svef16mm sve2p2 sme2p2 smelutv2 smef8f16 smef8f32
smesf8fma smesf8dp4 smesf8dp2 poe gcs cmpbr fprcvt ssve-fexpa
"""
_LISTED: Mapping[str, frozenset[str]] = {
    X86_64: frozenset(_OF_X86.split()),
    AARCH64: frozenset(_OF_ARM.split()),
}
_ALSO_CALLED: Mapping[str, Mapping[str, str]] = {  # by LLVM, Arm and Intel
    X86_64: {
        "sse3": "pni", "sse4.1": "sse4_1", "sse4.2": "sse4_2", "lzcnt": "abm", "bmi": "bmi1",
        "rdrnd": "rdrand", "pclmul": "pclmulqdq", "sha": "sha_ni", "avx512": "avx512f",
        "avx512vnni": "avx512_vnni", "avx512bf16": "avx512_bf16", "avxvnni": "avx_vnni",
        "vnni": "avx512_vnni", "fma3": "fma",
    },
    AARCH64: {
        "neon": "asimd", "simd": "asimd", "fp-armv8": "fp", "dotprod": "asimddp", "lse": "atomics",
        "crc": "crc32", "fullfp16": "asimdhp", "fp16": "asimdhp", "fp16fml": "asimdfhm",
        "rdm": "asimdrdm", "rcpc": "lrcpc",
    },
}  # fmt: skip


def local_cpuinfo() -> str:
    """Return the kernel's text about this machine's processors, /proc/cpuinfo."""
    return Path("/proc/cpuinfo").read_text(errors="replace")


def cpu_flags(cpuinfo: str) -> frozenset[str]:
    """Return the instruction sets that a text of /proc/cpuinfo names for its first processor."""
    found = re.search(r"^(?:flags|Features)[ \t]*:(.*)$", cpuinfo, re.MULTILINE)
    return frozenset(found[1].split() if found else ())


def arm_features(hwcap: int, hwcap2: int) -> list[str]:
    """Return the names of the features that Linux tells a program on 64-bit Arm (getauxval(3))."""
    names = _OF_ARM.split()
    words = ((hwcap, names[:32]), (hwcap2, names[32:96]))
    return [name for word, part in words for bit, name in enumerate(part) if word >> bit & 1]


def flag_problem(flag: str, architecture: str, here: frozenset[str]) -> str:
    """Return what is wrong with a flag of an architecture's processors; empty if nothing is.

    `here` are flags of this machine's own processor, which are good whatever their name.
    """
    known = _LISTED.get(architecture)
    if known is None or flag in known or flag in here:
        return ""
    begin = f"cpu_flags has {flag!r}, which no {architecture} processor lists in /proc/cpuinfo"
    if other := _ALSO_CALLED[architecture].get(flag.casefold().lstrip("+")):
        return f"{begin}; Linux calls it {other}"
    others = [name for name, flags in _LISTED.items() if flag in flags]
    if others:
        return f"{begin}; it is one of {others[0]}"
    return f"{begin}; {did_you_mean(flag, sorted(known), 'correct it or leave it out')}"
