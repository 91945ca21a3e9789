"""Quantities with their unit."""

from typing import Annotated

import pytest
from pydantic import Field

from mobilebench.bench.config.check import from_command_line
from mobilebench.bench.config.declaration import Options
from mobilebench.bench.config.units import MEGABYTES, MILLISECONDS, InUnit
from mobilebench.targets.errors import BenchError


class Limits(Options):
    time: Annotated[float, InUnit("--time", MILLISECONDS), Field(gt=0, le=1e6)] = 1.0
    size: Annotated[float, InUnit("--size", MEGABYTES), Field(gt=0, le=1e6)] = 1.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10", 10), ("10ms", 10), ("1.5 s", 1500), ("250us", 0.25), ("1e1", 10), (" .5ms ", 0.5)],
)
def test_a_number_is_in_its_own_unit_unless_one_stands_behind_it(
    text: str, expected: float
) -> None:
    assert from_command_line(Limits, {"time": text}).time == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"), [("8", 8), ("8MB", 8), ("800kB", 0.8), ("1MiB", 1.048576)]
)
def test_sizes_count_in_powers_of_ten_and_with_an_i_of_two(text: str, expected: float) -> None:
    assert from_command_line(Limits, {"size": text}).size == pytest.approx(expected)


@pytest.mark.parametrize("text", ["10h", "10 m", "10msec", "10 MB", "10ms ms", "10e"])
def test_an_unknown_unit_is_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(BenchError, match=r"--time .*unknown unit .*; give a number of ms"):
        from_command_line(Limits, {"time": text})


@pytest.mark.parametrize("text", ["fast", "", "-1ms", "0", "ms", "1e9s", "nan"])
def test_what_is_no_number_in_the_range_is_refused(text: str) -> None:
    with pytest.raises(BenchError, match="--time must be a number above 0 and at most"):
        from_command_line(Limits, {"time": text})
