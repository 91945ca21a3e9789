"""Seeing inside the compiler: what a network is after each pass, as files numbered in order."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tvm

from mobilebench.schedules.arena_table import arena_table

ARENA = "arena.txt"
_MEMORY_PLANNERS = ("PlanArena", "StaticPlanBlockMemory")
_NUMBERED = re.compile(r"\d\d_\w+\.(py|s|cl)")


class IRDump:
    """Writes the steps of one compilation into a directory.

    `01_import.py` is the imported graph, `02_canonicalize_relu6.py` what the first pass has made
    of it, and so on: modules in TVMScript, in which weights are references without values. The
    last files are the generated assembly (`NN_kernels.s`) or, on a GPU, the OpenCL text as it is
    before it is made compact (`NN_kernels.cl`) and the assembly of what launches it (`NN_host.s`).
    `arena.txt` is the memory plan: which tensor lies where, and from when to when.
    """

    def __init__(self, directory: Path) -> None:
        """Create the directory; files of an earlier dump in it are removed."""
        directory.mkdir(parents=True, exist_ok=True)
        for path in directory.iterdir():
            if path.name == ARENA or _NUMBERED.fullmatch(path.name):
                path.unlink()
        self._directory = directory
        self._written = 0

    def write_module(self, name: str, mod: tvm.IRModule) -> None:
        """Write a module under a name in camel case or snake case."""
        self._write(name, "py", mod.script(show_meta=False) + "\n")
        if name in _MEMORY_PLANNERS:
            (self._directory / ARENA).write_text(arena_table(mod))

    def after_each(self, passes: Sequence[Any]) -> list[Any]:
        """Return the passes, each followed by one that writes the module it has made."""
        return [step for one in passes for step in (one, _WriteModule(self, one.info.name))]

    def write_code(self, executable: Any, opencl_sources: Sequence[str]) -> None:
        """Write what was generated: TVM's executable, and the OpenCL text it was made with."""
        if opencl_sources:
            self._write("kernels", "cl", "\n".join(opencl_sources))
        for module in executable.mod.imports:
            if module.kind == "llvm":
                self._write(
                    "host" if opencl_sources else "kernels", "s", module.inspect_source("s")
                )

    def _write(self, name: str, suffix: str, text: str) -> None:
        self._written += 1
        path = self._directory / f"{self._written:02}_{snake_case(name)}.{suffix}"
        path.write_text(text)


@tvm.transform.module_pass(opt_level=0, name="WriteModule")
class _WriteModule:
    """Changes nothing; writes the module as the pass before has left it."""

    def __init__(self, dump: IRDump, name: str) -> None:
        self._dump = dump
        self._name = name

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        self._dump.write_module(self._name, mod)
        return mod


def snake_case(name: str) -> str:
    """Return the name of a pass as its file is named: `relax.FuseTIR` becomes `fuse_tir`."""
    word = name.rpartition(".")[2].replace("ReLU", "Relu")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", word).lower()
