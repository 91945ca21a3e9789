"""The names of Arm's and others' cores, by what they tell of themselves."""

# Linux, arch/arm64/include/asm/cputype.h: implementer and part of MIDR_EL1.
_ARM, _QUALCOMM, _AMPERE, _FUJITSU, _QEMU = "0x41", "0x51", "0xc0", "0x46", "0x00"
_CORES = {
    (_ARM, "0xd03"): "Cortex-A53",
    (_ARM, "0xd04"): "Cortex-A35",
    (_ARM, "0xd05"): "Cortex-A55",
    (_ARM, "0xd07"): "Cortex-A57",
    (_ARM, "0xd08"): "Cortex-A72",
    (_ARM, "0xd09"): "Cortex-A73",
    (_ARM, "0xd0a"): "Cortex-A75",
    (_ARM, "0xd0b"): "Cortex-A76",
    (_ARM, "0xd0c"): "Neoverse-N1",
    (_ARM, "0xd0d"): "Cortex-A77",
    (_ARM, "0xd40"): "Neoverse-V1",
    (_ARM, "0xd41"): "Cortex-A78",
    (_ARM, "0xd44"): "Cortex-X1",
    (_ARM, "0xd46"): "Cortex-A510",
    (_ARM, "0xd47"): "Cortex-A710",
    (_ARM, "0xd48"): "Cortex-X2",
    (_ARM, "0xd49"): "Neoverse-N2",
    (_ARM, "0xd4d"): "Cortex-A715",
    (_ARM, "0xd4e"): "Cortex-X3",
    (_ARM, "0xd4f"): "Neoverse-V2",
    (_ARM, "0xd80"): "Cortex-A520",
    (_ARM, "0xd81"): "Cortex-A720",
    (_ARM, "0xd82"): "Cortex-X4",
    (_QUALCOMM, "0x802"): "Kryo 385 Gold",
    (_QUALCOMM, "0x803"): "Kryo 385 Silver",
    (_QUALCOMM, "0x804"): "Kryo 485 Gold",
    (_QUALCOMM, "0x805"): "Kryo 485 Silver",
    (_AMPERE, "0xac3"): "Ampere-1",
    (_FUJITSU, "0x001"): "A64FX",
    (_QEMU, "0x051"): "QEMU max",
}


def core_name(implementer: str, part: str) -> str:
    """Return the name of a core, given its implementer and part as /proc/cpuinfo has them."""
    return _CORES.get((implementer, part), f"part {part} of implementer {implementer}")


def core_of(cpu: str) -> tuple[str, str]:
    """Return implementer and part of a CPU that qemu emulates; those of `max` if it is unknown."""
    names = {name.casefold(): core for core, name in _CORES.items()}
    return names.get(cpu, names["qemu max"])
