"""Errors: refused requests, and devices that go away."""

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

_FARTHEST = 0.6  # likeness below which a name is no suggestion
_AS_NEAR = 0.15  # what is that much farther than the nearest name is none either
_MOST_NEAR = 3
_MOST_KNOWN = 12
_BEGINNING = 3  # letters from which on it tells what was meant
_UNLIKE_BEGINNING = 0.2  # how much the rest of the name then counts


class BenchError(Exception):
    """A request that cannot be met; its text is the one line that the user needs.

    It says what was wrong, where, and what to do.
    """


def unknown(kind: str, name: str, known: Iterable[str], otherwise: str = "") -> BenchError:
    """Return the error for a name that is not among the known ones, with the nearest of them.

    Where none is near it ends with `otherwise`, or by default with the known names.
    """
    return BenchError(f"unknown {kind} {name!r}; {did_you_mean(name, known, otherwise)}")


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return a question that suggests the names nearest to a misspelt one, each of them once.

    Where none is near it is `otherwise`, or by default a phrase that lists the known names.
    """
    names = list(dict.fromkeys(known))
    likeness = {one: _likeness(name, one) for one in names}
    best = max(likeness.values(), default=0.0)
    near = [one for one in names if likeness[one] >= max(_FARTHEST, best - _AS_NEAR)]
    near = sorted(near, key=lambda one: -likeness[one])[:_MOST_NEAR]
    if near:
        return f"did you mean {listed(near)}?"
    return otherwise or f"known are {_shortened(names)}"


def listed(names: Sequence[str], conjunction: str = "or") -> str:
    """Return names as a phrase: a, b or c."""
    return f" {conjunction} ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _shortened(names: Sequence[str]) -> str:
    if len(names) <= _MOST_KNOWN:
        return listed(names, "and")
    return f"{', '.join(names[: _MOST_KNOWN // 2])} and {len(names) - _MOST_KNOWN // 2} more"


def _likeness(given: str, known: str) -> float:
    """Return how alike two names are, from 0 to 1.

    Case and dashes do not count, and the beginning of a name is very much like it.
    """
    one, other = (name.casefold().replace("_", "-").strip("-") for name in (given, known))
    ratio = SequenceMatcher(None, one, other).ratio()
    begins = len(one) >= _BEGINNING and other.startswith(one)
    return 1 - (1 - ratio) * _UNLIKE_BEGINNING if begins else ratio


class NoTrackerError(BenchError):
    """A target's boards cannot be reached, because nobody said where their tracker is."""


class DeviceLostError(Exception):
    """The process or the board that ran the model went away in the middle of a request."""


class NoDeviceError(Exception):
    """No board of the target's key was free within the wait; the text names the tracker."""
