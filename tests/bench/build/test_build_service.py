"""What other machines are asked to build."""

from pathlib import Path
from typing import Any

from mobilebench.bench.build.build_service import BuildService
from mobilebench.targets.catalog.target import Target, find_target
from mobilebench.targets.catalog.tvm_target import pinned, resolve


class Builders:
    """Another machine, which notes what it is asked for."""

    max_workers = 1

    def __init__(self) -> None:
        self.targets: list[Target] = []

    def call(self, _factory: str, _method: str, *args: Any, timeout_s: float) -> Any:
        self.targets += [one for one in args if isinstance(one, Target)]
        return [timeout_s]

    def close(self, *, at_once: bool = False) -> None:
        pass


def test_native_is_this_machine_s_cpu_on_other_machines_too(cache_dir: Path) -> None:
    native, there = find_target("native"), Builders()
    with BuildService(cache_dir, 300, builders=there) as service:
        service.check_target(native, ())
        service.build_roofline_peaks(native, 1, "float32")
    for target in there.targets:
        assert target.tvm["mcpu"] != "native"
        assert resolve(target) == resolve(native)
    assert len(there.targets) == 2


def test_other_targets_are_what_they_are_everywhere() -> None:
    for name in ("x86-64-v3", "raspberry-pi-4", "mali-linux"):
        assert pinned(find_target(name)) == find_target(name)
    assert pinned(find_target("opencl")).host["mcpu"] != "native"
