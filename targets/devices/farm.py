"""The boards behind a tracker, and the time limits of requests for them."""

import os
from dataclasses import dataclass
from pathlib import Path

from mobilebench.targets.catalog.target import Target
from mobilebench.targets.devices.target_check import require_device
from mobilebench.targets.emulated.running import running_boards
from mobilebench.targets.errors import NoTrackerError
from mobilebench.targets.rpc.tracker import Tracker, parse_tracker

TRACKER_VARIABLE = "MOBILEBENCH_TRACKER"
WAIT_S = 60.0


@dataclass(frozen=True)
class Farm:
    """A tracker, and the time limits of requests for its boards."""

    tracker: Tracker
    wait_s: float = WAIT_S  # for a board to register or to become free
    session_s: float = 3600.0  # after which a board ends a session whose owner went away


def find_farm(
    target: Target, tracker: str | None, cache_dir: Path, wait_s: float = WAIT_S
) -> Farm | None:
    """Return the farm of a target's boards; None if this machine is the device.

    `tracker` is HOST:PORT. Without it, the tracker of emulated boards started here is used, else
    that of the environment variable MOBILEBENCH_TRACKER. Raises NoTrackerError if there is neither,
    and BenchError for a target without boards whose code is not for this machine.
    """
    if not target.tracker_key:
        require_device(target)
        return None
    if tracker:
        return Farm(parse_tracker(tracker), wait_s)
    running = running_boards(cache_dir, target.name)
    if running is not None:
        return Farm(parse_tracker(running.tracker), wait_s)
    if from_environment := os.environ.get(TRACKER_VARIABLE):
        return Farm(parse_tracker(from_environment), wait_s)
    if target.emulated:
        raise NoTrackerError(
            f"target {target.name}: its board does not run; start it: `mobilebench "
            f"board start {target.name}`"
        )
    raise NoTrackerError(
        f"target {target.name}: it runs on boards of key {target.tracker_key}; give their tracker "
        f"as --tracker HOST:PORT or in {TRACKER_VARIABLE} (docs/guide/11-boards.md)"
    )
