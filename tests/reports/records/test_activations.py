import json
from typing import Any

import pytest

from mobilebench.reports.records.activations import Activations


def test_json_has_all_of_it(make_needs: Any) -> None:
    needs = make_needs()
    assert Activations.from_json(json.loads(json.dumps(needs.to_json()))) == needs


def test_the_working_set_is_that_of_the_fullest_step(make_needs: Any) -> None:
    needs = make_needs()
    assert (needs.working_set_bytes, needs.fullest) == (4_000_000, 1)


def test_a_network_of_one_operator_has_nothing_inside(make_needs: Any) -> None:
    assert make_needs(steps=()).working_set_bytes == 0


@pytest.mark.parametrize("unknown", ["loaded_heap_bytes", "used_heap_bytes"])
def test_an_unknown_heap_has_no_difference(make_needs: Any, unknown: str) -> None:
    assert make_needs().added_heap_bytes == 2_100_000
    assert make_needs(**{unknown: None}).added_heap_bytes is None
