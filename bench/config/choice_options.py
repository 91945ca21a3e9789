"""The options of `choose`: what to choose from, and what it may take."""

from typing import Annotated

from pydantic import Field

from mobilebench.bench.config.declaration import OneOf, Shown
from mobilebench.bench.config.options import (
    MAX_SECONDS,
    RESULTS,
    WHAT,
    PrecisionName,
    ThreadCount,
)
from mobilebench.bench.config.units import MEGABYTES, MILLISECONDS, PERCENT, InUnit
from mobilebench.bench.models.variant import CLASSES
from mobilebench.bench.runtimes.runtime import RUNTIMES

FORMATS = ("text", "json")
BUDGETS = "Budgets"

Target = Annotated[
    str,
    Field(
        alias="target",
        description="Target to choose for: what was measured on it counts. A name that "
        "`mobilebench targets` lists, or a TOML file.",
    ),
    Shown(WHAT, "NAME"),
]
Device = Annotated[
    str,
    Field(
        alias="device",
        description="Device to choose for, as records call it, where the target was measured on "
        "devices that are not alike.",
    ),
    Shown(WHAT, "NAME", default="all, if they are alike"),
]
Task = Annotated[
    Annotated[str, OneOf("task", tuple(CLASSES))] | None,
    Field(description="What the network is for; networks of other tasks are not compared with it."),
    Shown(WHAT, default="classify, or that of the least accuracy that is given"),
]
Precisions = Annotated[
    tuple[PrecisionName, ...],
    Field(alias="precision", description="Precision to choose from. May be repeated."),
    Shown(WHAT, default="all that were measured"),
]
Runtimes = Annotated[
    tuple[str, ...],
    Field(
        alias="runtime",
        description=f"Inference runtime to choose from: {', '.join(RUNTIMES)}. May be repeated.",
    ),
    Shown(WHAT, "NAME", default="all that were measured"),
]
Threads = Annotated[
    tuple[ThreadCount, ...],
    Field(
        alias="threads",
        description="CPU threads that an inference may use: one of these counts. May be repeated.",
    ),
    Shown(WHAT, default="all that were measured"),
]
LatencyBudget = Annotated[
    Annotated[
        float,
        InUnit("--latency-ms", MILLISECONDS),
        Field(gt=0, le=1000 * MAX_SECONDS, allow_inf_nan=False),
    ]
    | None,
    Field(
        alias="latency_ms",
        description="Longest median latency, in milliseconds; us, ms or s may stand behind it.",
    ),
    Shown(BUDGETS, "MS", default="no limit"),
]
MemoryBudget = Annotated[
    Annotated[
        float,
        InUnit("--memory-mb", MEGABYTES),
        Field(gt=0, le=1e9, allow_inf_nan=False),
    ]
    | None,
    Field(
        alias="memory_mb",
        description="Most memory for weights and planned activations, in MB of 10^6 bytes (B, kB, "
        "MB, GB, KiB, MiB or GiB may stand behind it); of runtimes that tell no plan, by how much "
        "their process grows.",
    ),
    Shown(BUDGETS, "MB", default="no limit"),
]

_PERCENT = Field(gt=0, le=100, allow_inf_nan=False)
_LEAST = "in percent, as measured or else as published."
MinTop1 = Annotated[
    Annotated[float, InUnit("--min-top1", PERCENT), _PERCENT] | None,
    Field(alias="min_top1", description=f"Least top-1 accuracy of a classifier, {_LEAST}"),
    Shown(BUDGETS, "PERCENT", default="no limit"),
]
MinMap = Annotated[
    Annotated[float, InUnit("--min-map", PERCENT), _PERCENT] | None,
    Field(
        alias="min_map",
        description=f"Least mean average precision of a detector, {_LEAST}",
    ),
    Shown(BUDGETS, "PERCENT", default="no limit"),
]
MinMiou = Annotated[
    Annotated[float, InUnit("--min-miou", PERCENT), _PERCENT] | None,
    Field(alias="min_miou", description=f"Least mean IoU of a segmenter, {_LEAST}"),
    Shown(BUDGETS, "PERCENT", default="no limit"),
]
Estimate = Annotated[
    bool,
    Field(
        description="Also choose from published classifiers that were never measured: their "
        "latency and memory are estimated from the kernels of measured ones (`run --kernels`), "
        "and marked as estimates."
    ),
    Shown(WHAT),
]
Format = Annotated[
    str, OneOf("format", FORMATS), Field(alias="format", description="Form of the answer."),
    Shown(RESULTS),
]  # fmt: skip
