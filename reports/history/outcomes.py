"""The results of measuring libraries of two nights again, in turns on one device."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mobilebench.reports.comparison.ratio import Pair, Ratio, ratios_of
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.confirmation import Confirmation

LEAST_CHANGE = 0.03
"""The least relative change of latency that counts, with both libraries measured in turns."""

Verdict = Literal["worse", "better", "same", "unclear"]
CHANGES: tuple[Verdict, ...] = ("worse", "better")
Key = tuple[str, CellKey]
"""What confirmations are found by: the run of a night, and a cell."""


@dataclass(frozen=True)
class Outcome:
    """How many times as long the night's library takes as the base's, with a 95 % interval."""

    base_run_id: str
    ratio: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """The verdict; `same` means nearer to no change than to the least change that counts."""
        if self.ratio >= 1 + LEAST_CHANGE and self.low > 1:
            return "worse"
        if self.ratio <= 1 / (1 + LEAST_CHANGE) and self.high < 1:
            return "better"
        half = 1 + LEAST_CHANGE / 2
        certain = self.low > 0 and self.high < float("inf")
        return "same" if certain and 1 / half < self.ratio < half else "unclear"


Outcomes = Mapping[Key, Outcome]


def agree(tonight: Outcome, last_night: Outcome | None, *, same_library: bool) -> bool:
    """Whether two nights in a row show the same change.

    Last night's library must have been measured again too, then or now, unless it is tonight's.
    """
    if tonight.verdict not in CHANGES:
        return False
    return same_library if last_night is None else last_night.verdict == tonight.verdict


def outcomes_of(confirmations: Sequence[Confirmation]) -> dict[Key, Outcome]:
    """Return what came out of each; of several of one night and cell the last one counts."""
    timed = [one for one in confirmations if any(one.base_rounds_ms) and any(one.head_rounds_ms)]
    pairs = [Pair(one.base_rounds_ms, one.head_rounds_ms, beside=True) for one in timed]
    return {
        (one.run_id, one.cell): _outcome(one, ratio)
        for one, ratio in zip(timed, ratios_of(pairs), strict=True)
    }


def _outcome(confirmation: Confirmation, ratio: Ratio) -> Outcome:
    return Outcome(confirmation.base_run_id, ratio.ratio, ratio.low, ratio.high)
