import itertools
import random

import pytest

from mobilebench.schedules.arena import ALIGNMENT, Lifetime, plan, total_bytes


def places(lifetimes: list[Lifetime], shared: bool = False) -> list[tuple[int, int]]:
    offsets = plan(lifetimes, shared)
    return [(at, at + one.size) for one, at in zip(lifetimes, offsets, strict=True)]


def test_buffers_with_disjoint_lifetimes_share_memory() -> None:
    assert plan([Lifetime(640, 0, 1), Lifetime(640, 2, 3)]) == [0, 0]


def test_arena_of_a_chain_holds_its_two_largest_neighbours() -> None:
    sizes = [64, 640, 6400, 640, 64]
    chain = [Lifetime(size, step, step + 1) for step, size in enumerate(sizes)]
    assert total_bytes(chain, plan(chain)) == 6400 + 640


def test_a_buffer_goes_into_the_tightest_gap() -> None:
    lifetimes = [
        Lifetime(6400, 0, 9),
        Lifetime(3200, 0, 5),  # leaves a gap of 3200 behind the first
        Lifetime(1600, 0, 9),
        Lifetime(640, 0, 5),  # leaves a gap of 640 behind the third
        Lifetime(620, 0, 9),
        Lifetime(600, 6, 9),
    ]
    offsets = plan(lifetimes)
    assert offsets[:5] == [0, 6400, 9600, 11200, 11840]
    assert offsets[5] == 11200


def test_middles_of_buffers_coincide_in_a_shared_arena() -> None:
    lifetimes = [Lifetime(6400, 0, 1), Lifetime(3200, 2, 3), Lifetime(640, 4, 5)]
    middles = {
        at + one.size // 2 for at, one in zip(plan(lifetimes, shared=True), lifetimes, strict=True)
    }
    assert middles == {3200}
    assert total_bytes(lifetimes, plan(lifetimes, shared=True)) == 6400


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_buffers_alive_together_never_overlap(seed: int, shared: bool) -> None:
    draw = random.Random(seed)
    lifetimes = []
    for _ in range(40):
        first = draw.randrange(50)
        lifetimes.append(Lifetime(draw.randrange(1, 5000), first, first + draw.randrange(6)))
    placed = places(lifetimes, shared)
    for (one, (start, end)), (other, (low, high)) in itertools.combinations(
        zip(lifetimes, placed, strict=True), 2
    ):
        assert not one.overlaps(other) or end <= low or high <= start
    assert all(start % ALIGNMENT == 0 for start, _ in placed)
    assert total_bytes(lifetimes, [start for start, _ in placed]) >= max(e for _, e in placed)


def test_no_buffers_need_no_memory() -> None:
    assert plan([]) == []
    assert total_bytes([], []) == 0
