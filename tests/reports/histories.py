"""The simulated histories of docs/scripts/detection.py, for tests."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_SCRIPT = Path(__file__).parents[2] / "docs" / "scripts" / "detection.py"


def load() -> ModuleType:
    """Import the script."""
    spec = importlib.util.spec_from_file_location("detection", _SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["detection"] = module  # dataclasses look for their own
    spec.loader.exec_module(module)
    return module
