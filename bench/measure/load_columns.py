"""The columns of a record that tell how a load went."""

from dataclasses import replace

from mobilebench.bench.measure.attempt import Attempt
from mobilebench.bench.measure.load import Load, LoadPlan
from mobilebench.bench.measure.pace import count_frames
from mobilebench.bench.measure.slowdown import find_slowdown
from mobilebench.reports.records.record import Record


def with_load(record: Record, plan: LoadPlan | None, attempt: Attempt) -> Record:
    """Return a record with the columns of its load; without one it stays as it is."""
    load = attempt.load
    if plan is None or load is None:
        return record
    record = replace(record, load_s=load.seconds)
    if attempt.energy:
        record = replace(
            record,
            energy_per_inference_j=attempt.energy.per_inference_j,
            power_w=attempt.energy.power_w,
            idle_power_w=attempt.energy.idle_power_w,
            energy_source=attempt.energy.source,
        )
    if plan.frames_per_s:
        return _with_pace(record, load, plan.frames_per_s)
    return _with_slowdown(record, load) if plan.keeps_trace else record


def _with_pace(record: Record, load: Load, frames_per_s: float) -> Record:
    pace = count_frames(load.stretches, frames_per_s)
    return replace(
        record,
        pace_fps=frames_per_s,
        frames=pace.frames,
        missed_deadlines=pace.missed,
        dropped_frames=pace.dropped,
        idle_share=pace.idle_share,
    )


def _with_slowdown(record: Record, load: Load) -> Record:
    found = find_slowdown(load.trace)
    if found is None:
        return record
    return replace(
        record,
        first_minute_ms=found.first_minute_ms,
        slows_after_s=found.slows_after_s,
        steady_ms=found.steady_ms,
        speed_left=found.speed_left,
    )
