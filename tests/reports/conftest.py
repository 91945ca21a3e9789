"""Made-up records: what the numbers are does not matter, only what becomes of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.architecture import size_of
from bench.variant import parse_variant
from reports.record import Record
from reports.store import Run, Store

RecordMaker = Callable[..., Record]
RUN = "20260102-030405-abcd"


@pytest.fixture(scope="session")
def make_record() -> RecordMaker:
    """Return a function that makes an ok record of a variant and a runtime."""

    def make(
        variant: str = "mobilenet_v2_1.0_224",
        runtime: str = "tvm",
        latency_ms: float | None = 3.0,
        **others: Any,
    ) -> Record:
        parsed = parse_variant(variant)
        size = size_of(parsed)
        values: dict[str, Any] = {
            "run_id": RUN,
            "started_at": "2026-01-02T03:04:05+00:00",
            "variant": variant,
            "task": parsed.task,
            "width_multiplier": parsed.width_multiplier,
            "expansion_factor": parsed.expansion_factor,
            "height": parsed.height,
            "width": parsed.width,
            "precision": "float32",
            "target": "native",
            "device": "workbench",
            "emulated": False,
            "runtime": runtime,
            "runtime_version": "1.2.3",
            "threads": 1,
            "trials": 0,
            "prefer": "latency",
            "profile": "quick",
            "weights": "random(seed 0)",
            "status": "ok",
            "macs": size.macs,
            "params": size.params,
            "largest_tensor_bytes": size.largest_tensor_bytes,
            "params_bytes": 4 * size.params if runtime == "tvm" else None,
            "arena_bytes": 2 * size.largest_tensor_bytes if runtime == "tvm" else None,
            "peak_rss_bytes": 200_000_000,
            "relative_l2_error": 5e-7,
            "top1_agreement": 1.0,
            "fidelity_inputs": 4,
            "cpu_model": "Imaginary CPU",
        }
        if latency_ms is not None:
            values |= {
                "latency_p50_ms": latency_ms,
                "latency_ci95_low_ms": latency_ms * 0.99,
                "latency_ci95_high_ms": latency_ms * 1.02,
                "samples": 100,
            }
        return Record(**(values | others))

    return make


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store with one run begun."""
    opened = Store(str(tmp_path / "store.sqlite"))
    opened.begin_run(Run(RUN, "2026-01-02T03:04:05+00:00", {}))
    return opened
