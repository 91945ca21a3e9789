"""The options of `predict`: by which model of a processor."""

from typing import Annotated

from pydantic import Field

from mobilebench.bench.config.declaration import Shown
from mobilebench.bench.config.options import HOW

Cpu = Annotated[
    str,
    Field(
        description="Processor that the cycles are those of, by LLVM's name, e.g. neoverse-n1; it "
        "must have the instructions that the target's code uses."
    ),
    Shown(HOW, "NAME", default="the target's, or one like it that LLVM describes better"),
]
Llvm = Annotated[
    Annotated[int, Field(ge=1, le=999)] | None,
    Field(
        description="Version of LLVM whose models are taken: they are mended from one to another."
    ),
    Shown(HOW, "VERSION", default="the newest that is installed"),
]
