"""Running one pass: TVM's decorator makes it callable, which type checkers cannot see."""

from typing import Any


def run_pass(one: Any, module: Any) -> Any:
    """Return the module that a pass makes of a module."""
    return one(module)
