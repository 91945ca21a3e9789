import dataclasses

import pytest

from mobilebench.targets.devices.device import DeviceState
from mobilebench.targets.devices.proc_files import cpu_model

EPYC = """\
processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 1
model name\t: AMD EPYC 7763 64-Core Processor
stepping\t: 1
microcode\t: 0xffffffff
cpu MHz\t\t: 2445.428
cache size\t: 512 KB
flags\t\t: fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat
bugs\t\t: sysret_ss_attrs null_seg spectre_v1 spectre_v2 spec_store_bypass srso
TLB size\t: 2560 4K pages
power management:

"""
ARM_CORE = """\
processor\t: {number}
BogoMIPS\t: {speed}
Features\t: {features}
CPU implementer\t: {implementer}
CPU architecture: 8
CPU variant\t: {variant}
CPU part\t: {part}
CPU revision\t: {revision}

"""
A72 = {
    "speed": "108.00",
    "features": "fp asimd evtstrm crc32 cpuid",
    "implementer": "0x41",
    "variant": "0x0",
    "part": "0xd08",
    "revision": "3",
}
A76 = {
    "speed": "108.00",
    "features": "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm "
    "lrcpc dcpop asimddp",
    "implementer": "0x41",
    "variant": "0x4",
    "part": "0xd0b",
    "revision": "1",
}
A55 = {**A76, "variant": "0x2", "part": "0xd05", "revision": "0"}
KRYO_SILVER = {
    "speed": "38.40",
    "features": "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm "
    "lrcpc dcpop asimddp",
    "implementer": "0x51",
    "variant": "0xd",
    "part": "0x805",
    "revision": "14",
}
KRYO_GOLD = {**KRYO_SILVER, "variant": "0xe", "part": "0x804"}


def arm(*cores: dict[str, str], head: str = "", tail: str = "") -> str:
    texts = (ARM_CORE.format(number=number, **core) for number, core in enumerate(cores))
    return head + "".join(texts) + tail


RASPBERRY_PI_4 = arm(
    *4 * [A72],
    tail="Hardware\t: BCM2835\nRevision\t: c03114\nSerial\t\t: 10000000a1b2c3d4\n"
    "Model\t\t: Raspberry Pi 4 Model B Rev 1.4\n",
)
RASPBERRY_PI_5 = arm(
    *4 * [A76],
    tail="Revision\t: d04170\nSerial\t\t: 5a1b2c3d4e5f6071\n"
    "Model\t\t: Raspberry Pi 5 Model B Rev 1.0\n",
)
SNAPDRAGON_855 = arm(
    *4 * [KRYO_SILVER],
    *4 * [KRYO_GOLD],
    head="Processor\t: AArch64 Processor rev 14 (aarch64)\n",
    tail="Hardware\t: Qualcomm Technologies, Inc SM8150\n",
)
STATE = DeviceState(
    address="",
    host="pi",
    os="6.6.31+rpt-rpi-v8",
    architecture="aarch64",
    emulated=False,
    tvm_version="0.27.0.post1",
    cpu_model="4 x Cortex-A72",
    cpu_cores=4,
    cpu_flags=frozenset({"asimd"}),
    cpu_governor="performance",
    cpu_mhz=1500.0,
    temperature_c=40.0,
    load_1m=0.0,
    memory_total_bytes=2**32,
    calibration_ms=10.0,
)


@pytest.mark.parametrize(
    ("cpuinfo", "model"),
    [
        (EPYC + EPYC, "AMD EPYC 7763 64-Core Processor"),
        (RASPBERRY_PI_4, "Raspberry Pi 4 Model B Rev 1.4 (4 x Cortex-A72)"),
        (RASPBERRY_PI_5, "Raspberry Pi 5 Model B Rev 1.0 (4 x Cortex-A76)"),
        (
            SNAPDRAGON_855,
            "Qualcomm Technologies, Inc SM8150 (4 x Kryo 485 Silver + 4 x Kryo 485 Gold)",
        ),
        (arm(*6 * [A55], *2 * [A76]), "6 x Cortex-A55 + 2 x Cortex-A76"),
        (arm(A76, A55, A76), "2 x Cortex-A76 + 1 x Cortex-A55"),
        (arm({**A72, "part": "0xfff"}), "1 x part 0xfff of implementer 0x41"),
        # 0xd08 is Cortex-A72 for Arm only.
        (arm({**A72, "implementer": "0x48"}), "1 x part 0xd08 of implementer 0x48"),
        ("Hardware\t: Board without cores\n", "Board without cores"),
        ("", ""),
    ],
    ids=[
        "x86",
        "Raspberry Pi 4",
        "Raspberry Pi 5",
        "Snapdragon 855",
        "big.LITTLE",
        "mixed order",
        "unknown part",
        "unknown implementer",
        "board alone",
        "nothing",
    ],
)
def test_a_processor_s_name_is_read_from_cpuinfo(cpuinfo: str, model: str) -> None:
    assert cpu_model(cpuinfo) == model


def test_a_device_is_called_by_its_host_s_name() -> None:
    assert STATE.name == "pi"
    assert dataclasses.replace(STATE, address="192.168.1.7:9090").name == "pi"


def test_emulated_boards_of_one_host_have_names_of_their_own() -> None:
    first, second = (
        dataclasses.replace(STATE, emulated=True, address=f"127.0.0.1:{port}")
        for port in (9090, 9091)
    )
    assert first.name == "pi:9090 (emulated)"
    assert second.name == "pi:9091 (emulated)"
