"""Which CPUs a process may use: affinity and cpusets choose them, a quota limits their time.

A control group's quota lets its processes run for so many microseconds of CPU time in each period
and then stops them until the next, which an inference that meets it shows as a pause.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path, PurePosixPath

ReadText = Callable[[str], str]
"""Returns the text of a file; empty if it cannot be read."""

_UNLIMITED = ("max", "-1")


@dataclass(frozen=True)
class CpuAllowance:
    """What a process may use of a machine's CPUs; empty and None where Linux does not tell."""

    cpus: tuple[int, ...] = ()  # by number, in ascending order
    online: tuple[int, ...] = ()  # of the machine
    quota: float | None = None  # CPUs' worth of time; None: no limit
    stopped_s: float = 0.0  # that the quota has stopped its control group for, since it was made

    @property
    def count(self) -> int | None:
        """How many threads can run at once; a quota counts as the next whole number."""
        if not self.cpus:
            return None
        return len(self.cpus) if self.quota is None else min(len(self.cpus), ceil(self.quota))

    @property
    def is_part(self) -> bool:
        """Whether some of the machine's CPUs are not for this process."""
        return bool(self.cpus and set(self.online) - set(self.cpus))

    @property
    def words(self) -> str:
        """Which CPUs it may use, as a sentence's part."""
        if not self.cpus:
            return "unknown CPUs"
        found = f"{len(self.cpus)} CPU{'' if len(self.cpus) == 1 else 's'}"
        if self.is_part:
            found += f" of {len(self.online)} (number {in_ranges(self.cpus)})"
        if self.quota is not None:
            found += f", {self.quota:g} CPUs' time by its quota"
        return found


def read_allowance(read_text: ReadText) -> CpuAllowance:
    """Return what the calling thread of a Linux machine may use, whose files are read like this."""
    status = read_text("/proc/thread-self/status") or read_text("/proc/self/status")
    allowed = re.search(r"^Cpus_allowed_list:\s*(\S+)", status, re.M)
    online = parse_cpus(read_text("/sys/devices/system/cpu/online"))
    cpus = parse_cpus(allowed[1]) if allowed else online
    groups = [group for group in _groups(read_text) if group[0] is not None]
    return CpuAllowance(
        # A mask may name processors that are not there.
        cpus=tuple(cpu for cpu in cpus if cpu in online) or cpus,
        online=online,
        quota=min((quota for quota, _ in groups if quota is not None), default=None),
        stopped_s=sum((stopped_s for _, stopped_s in groups), 0.0),
    )


def own_allowance() -> CpuAllowance:
    """Return what this thread may use of this machine's CPUs."""
    return read_allowance(_read_here)


def usable_cpus() -> int:
    """Return how many CPUs this process can keep busy at once."""
    return own_allowance().count or os.cpu_count() or 1


def own_cpus() -> set[int]:
    """Return the CPUs that this thread may run on; none where the system does not tell."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def keep_threads_to(cpus: set[int]) -> None:
    """Bring the threads of this process back that a library has placed on other CPUs."""
    for entry in Path("/proc/self/task").iterdir() if cpus else ():
        thread = int(entry.name)
        try:
            if not os.sched_getaffinity(thread) <= cpus:
                os.sched_setaffinity(thread, cpus)
        except OSError:  # it has ended meanwhile
            continue


def parse_cpus(text: str) -> tuple[int, ...]:
    """Return the numbers of a kernel's list of processors, e.g. `0-3,6`; none if it is none."""
    if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", text.strip()):
        return ()
    ends = [list(map(int, part.split("-"))) for part in text.strip().split(",")]
    return tuple(cpu for one in ends for cpu in range(one[0], one[-1] + 1))


def in_ranges(cpus: tuple[int, ...]) -> str:
    """Return the kernel's way to write ascending numbers, e.g. `0-3,6`."""
    ranges: list[list[int]] = []
    for cpu in cpus:
        if ranges and ranges[-1][1] == cpu - 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return ",".join(f"{low}" if low == high else f"{low}-{high}" for low, high in ranges)


def _groups(read_text: ReadText) -> Iterator[tuple[float | None, float]]:
    """Yield quota and stopped time of this process's control group and of all those above it."""
    paths = {}  # in each hierarchy, by its controllers; version 2 names none
    for line in read_text("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        paths[controllers] = path
    for line in read_text("/proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        (root, point), (kind, _, options) = before.split()[3:5], after.split(maxsplit=2)
        if kind == "cgroup2" and "" in paths:
            path, read = paths[""], _read_group
        elif kind == "cgroup" and "cpu" in options.split(","):
            named = [one for one in paths if "cpu" in one.split(",")]
            if not named:
                continue
            path, read = paths[named[0]], _read_old_group
        else:
            continue
        # What is mounted may be a group of the hierarchy; what is above it cannot be seen then.
        inside = PurePosixPath("/" + path.removeprefix(root.rstrip("/")).lstrip("/"))
        for group in (inside, *inside.parents):
            yield read(read_text, f"{point}/{group.relative_to('/')}".removesuffix("/."))


def _read_group(read_text: ReadText, directory: str) -> tuple[float | None, float]:
    limit = read_text(f"{directory}/cpu.max").split()
    return _quota(limit), _number(read_text, directory, "throttled_usec") / 1e6


def _read_old_group(read_text: ReadText, directory: str) -> tuple[float | None, float]:
    names = ("cfs_quota_us", "cfs_period_us")
    limit = [read_text(f"{directory}/cpu.{name}").strip() for name in names]
    return _quota([one for one in limit if one]), _number(
        read_text, directory, "throttled_time"
    ) / 1e9


def _quota(limit: list[str]) -> float | None:
    """Return the CPUs' worth of time of a quota and its period; None if there is no limit."""
    if len(limit) != 2 or limit[0] in _UNLIMITED:
        return None
    return int(limit[0]) / int(limit[1])


def _number(read_text: ReadText, directory: str, name: str) -> int:
    found = re.search(rf"^{name} (\d+)", read_text(f"{directory}/cpu.stat"), re.M)
    return int(found[1]) if found else 0


def _read_here(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
