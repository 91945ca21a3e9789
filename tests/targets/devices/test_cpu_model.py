import dataclasses
import platform

import pytest

from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.devices.device import DeviceState, require_flags
from mobilebench.targets.devices.proc_files import cpu_model
from mobilebench.targets.errors import BenchError

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


def hidden(name: str) -> str:
    """A processor's text where the hypervisor shows such a name."""
    text = EPYC.replace("AMD EPYC 7763 64-Core Processor", name)
    return text.replace("model\t\t: 1\n", "model\t\t: 17\n")


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
        (hidden("AMD EPYC"), "AMD EPYC (family 25, model 17)"),
        (
            hidden("Intel(R) Xeon(R) CPU @ 2.20GHz"),
            "Intel(R) Xeon(R) CPU @ 2.20GHz (family 25, model 17)",
        ),
        (hidden("Intel(R) Core(TM) i7-1185G7 @ 3.00GHz"), "Intel(R) Core(TM) i7-1185G7 @ 3.00GHz"),
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
        "x86 whose model the hypervisor hides",
        "a clock is no model",
        "a model beside a clock",
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


@pytest.mark.parametrize("host", ["", "localhost", "3f2a9c01be77", "0" * 64])
def test_a_board_whose_host_name_says_nothing_is_named_by_its_address(host: str) -> None:
    state = dataclasses.replace(STATE, address="192.168.1.7:9090", host=host)
    assert state.name == "192.168.1.7:9090"


def test_an_emulated_processor_s_instructions_are_checked_as_a_real_one_s() -> None:
    target = dataclasses.replace(find_target("emulated-arm"), cpu_flags=("asimd", "asimddp"))
    board = dataclasses.replace(STATE, emulated=True)
    with pytest.raises(BenchError, match=r"pi \(4 x Cortex-A72\) lacks asimddp"):
        require_flags(target, board)
    require_flags(target, dataclasses.replace(board, cpu_flags=frozenset({"asimd", "asimddp"})))
    require_flags(target, dataclasses.replace(board, cpu_flags=frozenset()))  # it tells none


def test_an_emulated_board_has_its_own_name_on_whichever_port_it_listens() -> None:
    board = dataclasses.replace(STATE, emulated=True, address="127.0.0.1:9090", host="arm-1")
    assert board.name == "arm-1 (emulated)"


def test_emulated_boards_that_show_this_machine_s_name_add_their_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(platform, "node", lambda: "pi")
    first, second = (
        dataclasses.replace(STATE, emulated=True, address=f"127.0.0.1:{port}")
        for port in (9090, 9091)
    )
    assert first.name == "pi:9090 (emulated)"
    assert second.name == "pi:9091 (emulated)"
