"""How often each instruction of a network is executed, kernel by kernel.

The code runs in an emulator of the processor (Unicorn, which is qemu's), but without the network's
arithmetic: no branch depends on what kernels compute, so vector instructions that touch registers
alone do nothing, and all data is zeros. So code runs, too, whose vector instructions the emulator
does not know.
"""

import bisect
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from mobilebench.bench.extras import import_extra
from mobilebench.bench.prediction.linking import Image, link
from mobilebench.bench.prediction.machine_code import AARCH64, MachineCode
from mobilebench.targets.errors import BenchError

Executions = dict[int, Counter[int]]
"""By the kernel's number: how often the instruction at each address is executed in an inference."""

EMULATOR, EXTRA = "unicorn", "predict"  # the package, and how to get it
_START, _DONE = "mobilebench_instrumentation_start", "mobilebench_instrumentation_done"
_ALLOCATE = "__TVMBackendAllocWorkspace"

_CODE, _STACK, _DATA, _PAGE = 1 << 28, 1 << 32, 1 << 33, 1 << 12
_REGION = 1 << 30  # bytes, for the stack and for all tensors: they lie over each other
_MIDDLE = 1 << 20  # where they begin: padding may lie before
_ARGUMENTS = 4096  # at most


def count_executions(code: MachineCode) -> Executions:
    """Run an instrumented network once; return what each of its kernels executes.

    Raises BenchError if the code does what the emulator does not know, or Unicorn is not installed.
    """
    unicorn = import_extra(EMULATOR, EXTRA)
    machine, registers = _machine(unicorn, code.architecture)
    image = link(code, _CODE)
    end = _CODE + image.nbytes
    machine.mem_map(_CODE, image.nbytes + _PAGE - image.nbytes % _PAGE)
    machine.mem_write(_CODE, image.content)
    for region in (_STACK, _DATA):
        machine.mem_map(region, _REGION)
    registers.enter([_DATA + _MIDDLE] * _ARGUMENTS, _STACK + _MIDDLE, end)
    counting = _Counting(image, registers, _DATA + _MIDDLE)
    machine.hook_add(unicorn.UC_HOOK_BLOCK, counting.block)
    for stub in image.stubs:
        machine.hook_add(unicorn.UC_HOOK_CODE, counting.call, begin=stub, end=stub)
    try:
        machine.emu_start(_CODE + code.entry, end)
    except unicorn.UcError as error:
        raise BenchError(
            f"the emulator stopped {registers.program_counter() - _CODE:#x} bytes inside the "
            f"network's code: {error}; predict another network or precision"
        ) from error
    return {kernel: _of_instructions(code, runs) for kernel, runs in counting.kernels.items()}


@dataclass
class _Counting:
    """Counts blocks of instructions, and notes to which kernel they belong."""

    image: Image
    registers: "_Registers"
    workspace: int
    kernels: dict[int, Counter[tuple[int, int]]] = field(default_factory=dict)
    _since: Counter[tuple[int, int]] = field(default_factory=Counter)  # the last kernel

    def block(self, _machine: Any, address: int, nbytes: int, _data: Any) -> None:
        """Note that a piece of straight code begins."""
        self._since[address, nbytes] += 1

    def call(self, _machine: Any, address: int, _nbytes: int, _data: Any) -> None:
        """Do what a function of another library would do, as far as it matters here."""
        match self.image.stubs[address]:
            case name if name == _DONE:
                kernel = self.registers.first_argument()
                self.kernels.setdefault(kernel, Counter()).update(self._since)
                self._since.clear()
            case name if name == _START:
                self._since.clear()
            case name if name == _ALLOCATE:
                self.registers.give(self.workspace)
            case _:
                self.registers.give(0)


@dataclass(frozen=True)
class _Registers:
    """The registers of a processor that calls and results pass through."""

    machine: Any
    arguments: tuple[int, ...]
    result: int
    stack: int
    counter: int
    link: int | None  # None: the address to return to lies on the stack

    def enter(self, arguments: list[int], stack: int, back: int) -> None:
        """Set what a function finds when it is called with pointers."""
        for register, value in zip(self.arguments, arguments, strict=False):
            self.machine.reg_write(register, value)
        if self.link is not None:
            self.machine.reg_write(self.link, back)
        below = [back] if self.link is None else []
        words = [*below, *arguments[len(self.arguments) :]]
        self.machine.reg_write(self.stack, stack)
        self.machine.mem_write(stack, b"".join(word.to_bytes(8, "little") for word in words))

    def first_argument(self) -> int:
        """Return the first argument of a call, a number of 32 bits."""
        return int(self.machine.reg_read(self.arguments[0])) & 0xFFFFFFFF

    def give(self, result: int) -> None:
        """Set what a call returns."""
        self.machine.reg_write(self.result, result)

    def program_counter(self) -> int:
        """Return the address of the instruction that is executed."""
        return int(self.machine.reg_read(self.counter))


def _machine(unicorn: Any, architecture: str) -> tuple[Any, _Registers]:
    """Return an emulated processor of an architecture, and its registers."""
    if architecture == AARCH64:
        from unicorn import arm64_const as arm

        machine = unicorn.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
        machine.ctl_set_cpu_model(arm.UC_CPU_ARM64_MAX)
        names = [f"X{number}" for number in range(8)]  # AAPCS64
        first = tuple(getattr(arm, f"UC_ARM64_REG_{name}") for name in names)
        others = arm.UC_ARM64_REG_X0, arm.UC_ARM64_REG_SP, arm.UC_ARM64_REG_PC
        return machine, _Registers(machine, first, *others, arm.UC_ARM64_REG_LR)
    from unicorn import x86_const as x86

    machine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    machine.ctl_set_cpu_model(x86.UC_CPU_X86_HASWELL)
    names = ["RDI", "RSI", "RDX", "RCX", "R8", "R9"]  # System V psABI
    first = tuple(getattr(x86, f"UC_X86_REG_{name}") for name in names)
    others = x86.UC_X86_REG_RAX, x86.UC_X86_REG_RSP, x86.UC_X86_REG_RIP
    return machine, _Registers(machine, first, *others, None)


def _of_instructions(code: MachineCode, runs: Counter[tuple[int, int]]) -> Counter[int]:
    """Return how often each instruction is executed, given how often pieces of code are."""
    addresses = [one.address for one in code.instructions]
    counts: Counter[int] = Counter()
    for (begin, nbytes), times in runs.items():
        first = bisect.bisect_left(addresses, begin - _CODE)
        last = bisect.bisect_left(addresses, begin - _CODE + nbytes)
        counts.update(dict.fromkeys(addresses[first:last], times))
    return counts
