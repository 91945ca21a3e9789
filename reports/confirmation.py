"""A second look at a suspect: what it was compared with and itself, measured again together."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Confirmation:
    """Both artifacts of a suspect, measured again in the same night, interleaved on one device.

    The base is the artifact of an earlier run, the head that of the night's own; the samples are
    milliseconds, a list per round, and round n of the one was measured beside round n of the other.
    """

    run_id: str  # the night that the suspect is of
    base_run_id: str
    variant: str
    target: str
    device: str
    runtime: str
    threads: int
    precision: str
    weights: str
    measured_at: str  # UTC, ISO 8601
    base_rounds_ms: list[list[float]]
    head_rounds_ms: list[list[float]]
