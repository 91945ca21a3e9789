"""Errors: refused requests, and devices that go away."""

from collections.abc import Iterable
from difflib import get_close_matches


class BenchError(Exception):
    """A request that cannot be met; its text is the one line that the user needs.

    It says what was wrong, where, and what to do.
    """


def unknown(kind: str, name: str, known: Iterable[str]) -> BenchError:
    """Return the error for a name that is not among the known ones, with the nearest of them."""
    names = list(known)
    nearest = get_close_matches(name, names, n=3, cutoff=0.4) or names[:3]
    return BenchError(f"unknown {kind} {name!r}; did you mean {' or '.join(nearest)}?")


class DeviceLostError(Exception):
    """The process or the board that ran the model went away in the middle of a request."""


class NoDeviceError(Exception):
    """No board of the target's key was free within the wait; the text names the tracker."""
