"""What a process may use of a machine's CPUs, read from the files that Linux has about it."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mobilebench.targets.processes.cpu_allowance import (
    CpuAllowance,
    in_ranges,
    keep_threads_to,
    own_allowance,
    parse_cpus,
    read_allowance,
    usable_cpus,
)

SIXTEEN = {"/sys/devices/system/cpu/online": "0-15\n"}
ALL = SIXTEEN | {"/proc/thread-self/status": "Name:\tx\nCpus_allowed_list:\t0-15\n"}
NEW = "30 23 0:26 {root} /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
OLD = (
    "31 23 0:27 {root} /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "32 23 0:28 {root} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
)


def allowance(files: dict[str, str]) -> CpuAllowance:
    return read_allowance(lambda path: files.get(path, ""))


def new_group(path: str, maximum: str, stopped_us: int = 0) -> dict[str, str]:
    return {
        f"/sys/fs/cgroup{path}/cpu.max": f"{maximum}\n",
        f"/sys/fs/cgroup{path}/cpu.stat": f"usage_usec 9\nthrottled_usec {stopped_us}\n",
    }


def old_group(path: str, quota: int, stopped_ns: int = 0) -> dict[str, str]:
    directory = f"/sys/fs/cgroup/cpu,cpuacct{path}"
    return {
        f"{directory}/cpu.cfs_quota_us": f"{quota}\n",
        f"{directory}/cpu.cfs_period_us": "100000\n",
        f"{directory}/cpu.stat": f"nr_periods 7\nnr_throttled 5\nthrottled_time {stopped_ns}\n",
    }


def test_without_limits_all_cpus_that_are_online_may_be_used() -> None:
    found = allowance(ALL)
    assert (found.cpus, found.count, found.is_part) == (tuple(range(16)), 16, False)
    assert found.words == "16 CPUs"


def test_affinity_and_cpusets_choose_cpus() -> None:
    found = allowance(SIXTEEN | {"/proc/self/status": "Cpus_allowed_list:\t2-3,8\n"})
    assert (found.cpus, found.count, found.is_part) == ((2, 3, 8), 3, True)
    assert found.words == "3 CPUs of 16 (number 2-3,8)"


def test_a_mask_may_name_cpus_that_are_not_there() -> None:
    found = allowance(SIXTEEN | {"/proc/self/status": "Cpus_allowed_list:\t0-127\n"})
    assert (found.count, found.is_part) == (16, False)


def test_a_machine_that_tells_nothing_limits_nothing() -> None:
    found = allowance({})
    assert (found.cpus, found.count, found.quota, found.is_part) == ((), None, None, False)


@pytest.mark.parametrize(
    ("maximum", "quota", "threads"),
    [
        ("150000 100000", 1.5, 2),
        ("50000 100000", 0.5, 1),
        ("max 100000", None, 16),
        ("3200000 100000", 32, 16),
        ("", None, 16),
    ],
)
def test_a_quota_counts_as_the_next_whole_number(
    maximum: str, quota: float | None, threads: int
) -> None:
    mounted = {"/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": NEW.format(root="/")}
    found = allowance(ALL | mounted | new_group("", maximum))
    assert (found.quota, found.count) == (quota, threads)


def test_the_smallest_quota_of_all_groups_above_counts() -> None:
    mounted = {
        "/proc/self/cgroup": "0::/user.slice/mine.scope\n",
        "/proc/self/mountinfo": NEW.format(root="/"),
    }
    groups = (
        new_group("/user.slice", "200000 100000", 3_000_000)
        | new_group("/user.slice/mine.scope", "max 100000", 9_000_000)
        | new_group("", "max 100000")
    )
    found = allowance(ALL | mounted | groups)
    assert (found.quota, found.stopped_s) == (2.0, 3.0)
    assert found.words == "16 CPUs, 2 CPUs' time by its quota"


@pytest.mark.parametrize(
    ("root", "path", "place"),
    [
        ("/", "/docker/x", "/docker/x"),
        ("/docker/x", "/docker/x", ""),  # as a container without a namespace of its own sees it
        ("/docker/x", "/docker/x/job", "/job"),
    ],
)
def test_quotas_of_the_first_version_are_found_where_they_are_mounted(
    root: str, path: str, place: str
) -> None:
    mounted = {
        "/proc/self/cgroup": f"4:memory:/a\n3:cpuset:/b\n2:cpu,cpuacct:{path}\n",
        "/proc/self/mountinfo": OLD.format(root=root),
    }
    found = allowance(ALL | mounted | old_group("", -1) | old_group(place, 300000, 2_500_000_000))
    assert (found.quota, found.stopped_s) == (3.0, 2.5)


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("0", (0,)), ("0-2\n", (0, 1, 2)), ("0-1,4,6-7", (0, 1, 4, 6, 7)), ("", ()), ("x-y", ())],
)
def test_the_kernel_s_lists_are_read_and_written(text: str, cpus: tuple[int, ...]) -> None:
    assert parse_cpus(text) == cpus
    if cpus:
        assert in_ranges(cpus) == text.strip()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
def test_affinity_is_what_worker_pools_follow() -> None:
    code = (
        "import os; from mobilebench.targets.processes.cpu_allowance import usable_cpus; "
        f"os.sched_setaffinity(0, {{{max(os.sched_getaffinity(0))}}}); print(usable_cpus())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"
    assert usable_cpus() >= 1


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
def test_threads_that_a_library_has_placed_elsewhere_come_back() -> None:
    first, last = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
    code = (
        "import os, threading; "
        "from mobilebench.targets.processes.cpu_allowance import keep_threads_to; "
        f"os.sched_setaffinity(0, {{{last}}}); "
        "placed, end = threading.Barrier(2), threading.Event(); "
        f"work = lambda: (os.sched_setaffinity(0, {{{first}}}), placed.wait(), end.wait()); "
        "thread = threading.Thread(target=work); thread.start(); placed.wait(); "
        f"keep_threads_to({{{last}}}); "
        "print(os.sched_getaffinity(thread.native_id)); end.set()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{{{last}}}"


def test_nothing_is_moved_where_the_system_does_not_tell() -> None:
    keep_threads_to(set())


@pytest.fixture
def half_a_cpu() -> Iterator[Path]:
    """Return a control group of this machine with a quota, where one may be made."""
    for parent, quota in (
        ("/sys/fs/cgroup/cpu", {"cpu.cfs_quota_us": "20000"}),
        ("/sys/fs/cgroup", {"cpu.max": "20000 100000"}),
    ):
        group = Path(parent) / f"mobilebench-test-{os.getpid()}"
        try:
            group.mkdir()
            for name, value in quota.items():
                (group / name).write_text(value)
        except OSError:
            with contextlib.suppress(OSError):
                group.rmdir()
            continue
        yield group
        group.rmdir()
        return
    pytest.skip("no control group may be made here")


def test_a_quota_that_has_stopped_a_process_is_noticed(half_a_cpu: Path) -> None:
    """A process that computes for half a second in a group with a fifth of a CPU is stopped."""
    code = (
        "import sys, time; "
        "from mobilebench.targets.processes.cpu_allowance import own_allowance; "
        "sys.stdin.readline(); end = time.process_time() + 0.1; "
        "[None for _ in iter(lambda: time.process_time() < end, False)]; "
        "found = own_allowance(); print(found.quota, found.count, found.stopped_s > 0)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            (half_a_cpu / "cgroup.procs").write_text(str(process.pid))
        except OSError:
            process.kill()
            pytest.skip("no process may be put into a control group here")
        said, _ = process.communicate("go\n")
    assert said.strip() == "0.2 1 True"
    assert own_allowance().quota != 0.2
