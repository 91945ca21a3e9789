"""Packages that only some runs need."""

from importlib import import_module
from typing import Any

from mobilebench.targets.errors import BenchError


def import_extra(module: str, extra: str) -> Any:
    """Import a module of an extra; raises BenchError naming the extra if it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise BenchError(
            f"{package} is not installed; pip install 'mobilebench[{extra}]'"
        ) from None
