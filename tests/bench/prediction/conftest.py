"""Machine code whose loops are known, and what runs it."""

from pathlib import Path

import pytest

from mobilebench.bench.prediction.llvm_tools import LlvmTools, find_llvm_tools
from mobilebench.bench.prediction.machine_code import MachineCode, parse_disassembly
from mobilebench.targets.errors import BenchError

LISTINGS = Path(__file__).parent / "listings"


@pytest.fixture(params=["aarch64", "x86_64"])
def code(request: pytest.FixtureRequest) -> MachineCode:
    """Return ten times eight multiply-adds, then three times four loads, of each architecture."""
    return listed_code(request.param)


@pytest.fixture
def tools() -> LlvmTools:
    try:
        return find_llvm_tools()
    except BenchError as error:
        pytest.skip(str(error))


def listed_code(architecture: str) -> MachineCode:
    path = LISTINGS / f"{architecture}.txt"
    return parse_disassembly(path.read_text(), path)
