"""A made-up farm over many nights, with everything that a night's pages have to show."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.confirmation import Confirmation
from mobilebench.reports.records.record import Record
from mobilebench.reports.records.schema import RECORDS
from mobilebench.reports.records.store import Run, Store

FIRST = datetime(2026, 1, 1, 2, tzinfo=UTC)
SLOWER, FASTER, PENDING, LARGER = (
    f"mobilenet_v2_{name}" for name in ("1.0_224", "0.75_192", "0.5_160", "0.35_96")
)
VARIANTS = (SLOWER, FASTER, PENDING, LARGER)
NEW, GONE = "mobilenet_v2_1.3_224", "mobilenet_v2_1.4_224"
HOSTILE = "<script>alert('board')</script> & co"  # a board may call itself anything
BOARDS = (("raspberry-pi-4", "pi4 shelf 2", 60.0), ("raspberry-pi-5", HOSTILE, 45.0))
EMULATED = ("emulated-arm", "qemu", 0.0)

RecordMaker = Callable[..., Record]


def run_of(night: int) -> Run:
    """Return a night's run."""
    at = FIRST + timedelta(days=night)
    return Run(f"{at:%Y%m%d-%H%M%S}-cafe", at.isoformat(), {})


def fill(store: Store, make_record: RecordMaker, nights: int = 24) -> Run:
    """Write so many nights, and what measuring suspects again came to; return the last night.

    From the night before the last on one network is slower and one faster; in the last night one
    is slower, one needs a larger arena, one is new, one gone, rows fail and a board is hot.
    """
    generator = np.random.default_rng(7)
    for night in range(nights):
        rows = list(_night(make_record, night, nights, generator))
        run = run_of(night)
        store.begin_run(run)
        values = [asdict(row) for row in rows]
        store.database.write(lambda link, _, rows=values: link.execute(RECORDS.insert(), rows))
    for night, variant, ratio in (
        (nights - 2, SLOWER, 1.12),
        (nights - 1, SLOWER, 1.12),
        (nights - 2, FASTER, 0.88),
        (nights - 1, FASTER, 0.88),
        (nights - 1, PENDING, 1.1),
        (nights - 2, PENDING, 1.0),
    ):
        store.add_confirmation(beside(make_record, night, nights - 6, variant, ratio))
    return run_of(nights - 1)


def _night(
    make_record: RecordMaker, night: int, nights: int, generator: np.random.Generator
) -> Iterator[Record]:
    run, last = run_of(night), nights - 1
    for target, device, celsius in (*BOARDS, EMULATED):
        first = device == BOARDS[0][1]
        for number, variant in enumerate(VARIANTS):
            for runtime in ("tvm", "onnxruntime") if first else ("tvm",):
                times = float(np.exp(generator.normal(0, 0.01)))
                if first and runtime == "tvm":
                    times *= 1.12 if variant == SLOWER and night >= nights - 2 else 1
                    times *= 0.88 if variant == FASTER and night >= nights - 2 else 1
                    times *= 1.10 if variant == PENDING and night == last else 1
                record = make_record(
                    variant,
                    runtime,
                    latency_ms=(2.0 + number) * times,
                    run_id=run.run_id,
                    started_at=run.started_at,
                    target=target,
                    device=device,
                    emulated=device == EMULATED[1],
                    git_commit=f"{1 + night // 2:010x}{'0' * 30}",
                    tvm_version="0.27.0" if night < last else "0.27.1",
                    artifact_key=f"{variant}-{target}-{night}" if runtime == "tvm" else "",
                    latency_cv=0.02,
                    temperature_c=(celsius or 20.0) + (25 if first and night == last else 0),
                    calibration_before_ms=1.8 * float(np.exp(generator.normal(0, 0.01))),
                    calibration_after_ms=1.8,
                    load_1m=0.1,
                    cpu_mhz=1500.0,
                    cpu_governor="performance",
                )
                yield _spoilt(record, night, last)
    for variant in [GONE] if night < last else [NEW]:
        yield make_record(
            variant, run_id=run.run_id, target=BOARDS[0][0], device=BOARDS[0][1], latency_ms=9.0
        )


def _spoilt(record: Record, night: int, last: int) -> Record:
    """Make some rows fail, some warn, one need more memory."""
    changes: dict[str, Any] = {}
    where = (record.device, record.variant, record.runtime)
    failed = {"latency_p50_ms": None, "latency_ci95_low_ms": None, "latency_ci95_high_ms": None}
    if where == (HOSTILE, SLOWER, "tvm") and night == last:
        changes = {"status": "crashed", "error": "<img src=x onerror=alert(1)>", "retries": 2}
    elif where == (HOSTILE, FASTER, "tvm") and night >= last - 4:
        changes = {"status": "timed_out", "error": "no answer within 300 s; killed"}
    elif where == (HOSTILE, PENDING, "tvm") and night == last - 1:
        changes = {"status": "crashed", "error": "once"}
    elif where == (EMULATED[1], PENDING, "tvm") and night == last:
        changes = {"status": "no_device", "device": "any qemu", "error": "no board came free"}
    if changes:
        return replace(record, **failed, **changes)
    if where == (BOARDS[0][1], LARGER, "tvm") and night == last:
        assert record.arena_bytes
        return replace(record, arena_bytes=2 * record.arena_bytes)
    if where == (BOARDS[0][1], LARGER, "onnxruntime"):
        return replace(record, warnings="spread: standard deviation is 14% of the mean")
    return record


def beside(
    make_record: RecordMaker, night: int, base: int, variant: str, ratio: float
) -> Confirmation:
    """Return what comes out when a library takes so many times as long as an earlier night's."""
    record = make_record(variant, target=BOARDS[0][0], device=BOARDS[0][1])
    generator = np.random.default_rng(night)
    rounds = 3 * np.exp(generator.normal(0, 0.004, (2, 5, 20)))
    both = (rounds[0].tolist(), (ratio * rounds[1]).tolist())
    tonight = run_of(night)
    return Confirmation(
        tonight.run_id, run_of(base).run_id, CellKey.of(record), tonight.started_at, *both
    )
