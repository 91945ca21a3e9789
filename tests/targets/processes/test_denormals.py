"""Subnormal numbers are taken for 0 where models are run."""

import platform
import subprocess
import sys

import pytest

from mobilebench.targets.processes.denormals import _CONTROL

CODE = """
import threading
import numpy as np
from mobilebench.targets.processes.denormals import flush_denormals

subnormal = np.full(4, 1e-40, np.float32)
print((subnormal * 2).max() > 0, flush_denormals(), (subnormal * 2).max())
thread = threading.Thread(target=lambda: print((subnormal * 2).max(), 0.1 + 0.2))
thread.start()
thread.join()
"""


@pytest.mark.skipif(platform.machine() not in _CONTROL, reason="another processor")
def test_they_are_in_this_thread_and_in_those_that_it_starts() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["True True 0.0", "0.0 0.30000000000000004"]


def test_an_unknown_processor_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from mobilebench.targets.processes import denormals

    monkeypatch.setattr(denormals.platform, "machine", lambda: "riscv64")
    assert not denormals.flush_denormals()
