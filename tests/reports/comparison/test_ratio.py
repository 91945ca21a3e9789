"""How sure a ratio is: judged on made-up samples whose truth is known."""

from collections.abc import Sequence
from dataclasses import astuple

import numpy as np
import pytest
from scipy import stats

from mobilebench.reports.comparison.ratio import Pair, Ratio, Rounds, ratio_of, ratios_of

CELLS = 500


def made_up(
    seed: int,
    cells: int = CELLS,
    rounds: int = 5,
    *,
    samples: int = 30,
    round_noise: float = 0.02,
    noise: float = 0.02,
    times: float = 1.0,
) -> list[Rounds]:
    """Return measurements whose rounds differ, and whose samples are late more than early."""
    generator = np.random.default_rng(seed)
    of_rounds = generator.normal(0, round_noise, (cells, rounds, 1))
    of_samples = np.abs(generator.normal(0, noise, (cells, rounds, samples)))
    found: list[Rounds] = (times * np.exp(of_rounds + of_samples)).tolist()
    return found


def held_against(base: Sequence[Rounds], head: Sequence[Rounds]) -> list[Ratio]:
    return ratios_of([Pair(*both) for both in zip(base, head, strict=True)])


def flat(rounds: Rounds) -> list[float]:
    return [sample for one in rounds for sample in one]


def test_the_ratio_is_that_of_the_medians() -> None:
    ratio = ratio_of([[1.0, 2.0], [9.0]], [[4.0], [5.0, 3.0, 100.0]])
    assert (ratio.base_ms, ratio.head_ms, ratio.ratio) == (2.0, 4.5, 2.25)


def test_the_interval_is_that_of_rounds_and_samples_drawn_one_by_one() -> None:
    (base,), (head,) = made_up(1, cells=1, rounds=6), made_up(2, cells=1, rounds=5)
    ratio = ratio_of(base, head)

    def deviations(rounds: Rounds, generator: np.random.Generator) -> np.ndarray:
        medians = [
            np.median(
                np.concatenate(
                    [
                        generator.choice(rounds[index], len(rounds[index]))
                        for index in generator.integers(len(rounds), size=len(rounds))
                    ]
                )
            )
            for _ in range(4000)
        ]
        logs = np.log(medians) - np.log(np.median(flat(rounds)))
        grown: np.ndarray = logs * np.sqrt(len(rounds) / (len(rounds) - 1))
        return grown

    generator = np.random.default_rng(3)
    drawn = np.quantile(deviations(head, generator) - deviations(base, generator), [0.025, 0.975])
    expected = np.log(ratio.ratio) + stats.t(9).ppf(0.975) / stats.norm.ppf(0.975) * drawn
    width = expected[1] - expected[0]
    assert np.log([ratio.low, ratio.high]) == pytest.approx(expected, abs=0.1 * width)


@pytest.mark.parametrize("digits", [6, 2])  # two digits: many ties
def test_mann_whitney_matches_scipy(digits: int) -> None:
    base, head = made_up(1, cells=20), made_up(2, cells=20, times=1.01)
    rounded = [
        [[[round(x, digits) for x in one] for one in rounds] for rounds in side]
        for side in (base, head)
    ]
    for ratio, before, after in zip(held_against(*rounded), *rounded, strict=True):
        expected = stats.mannwhitneyu(flat(before), flat(after), method="asymptotic").pvalue
        assert ratio.mann_whitney_p == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("beside", [False, True])
def test_swapping_base_and_head_mirrors_everything(beside: bool) -> None:
    bases, heads = made_up(1, cells=20), made_up(2, cells=20, times=1.03)
    for base, head in zip(bases, heads, strict=True):
        there, back = ratio_of(base, head, beside), ratio_of(head, base, beside)
        assert (back.base_ms, back.head_ms) == (there.head_ms, there.base_ms)
        assert (back.ratio, back.low, back.high) == pytest.approx(
            (1 / there.ratio, 1 / there.high, 1 / there.low)
        )
        assert (back.p, back.mann_whitney_p) == pytest.approx((there.p, there.mann_whitney_p))


@pytest.mark.parametrize("rounds", [5, 10])
@pytest.mark.parametrize("round_noise", [0.0, 0.005, 0.02])
def test_the_truth_is_in_the_interval_as_often_as_it_says(rounds: int, round_noise: float) -> None:
    sizes = {"rounds": rounds, "round_noise": round_noise}
    ratios = held_against(made_up(1, **sizes), made_up(2, **sizes, times=1.07))
    inside = np.mean([ratio.low <= 1.07 <= ratio.high for ratio in ratios])
    assert inside >= 0.93


def test_p_is_small_by_chance_no_more_often_than_it_says() -> None:
    ratios = held_against(made_up(1), made_up(2))
    assert np.mean([ratio.p < 0.05 for ratio in ratios]) < 0.07
    # Of samples that are taken for independent that is not so.
    assert np.mean([ratio.mann_whitney_p < 0.05 for ratio in ratios]) > 0.5


def test_a_change_of_10_percent_is_found_in_noise_of_2_percent() -> None:
    ratios = held_against(made_up(1), made_up(2, times=1.1))
    assert np.mean([ratio.low > 1 and ratio.p < 0.05 for ratio in ratios]) > 0.95


def test_one_bad_round_is_no_change() -> None:
    (base,), (head,) = made_up(1, cells=1), made_up(2, cells=1)
    bad = [[1.5 * sample for sample in head[0]], *head[1:]]
    assert ratio_of(base, bad).low < 1


def test_shared_noise_of_paired_rounds_cancels_out() -> None:
    drift = np.array([[1.0], [1.3], [0.8], [1.1], [1.2]])
    (base,), (head,) = (
        made_up(seed, cells=1, round_noise=0, times=times) for seed, times in ((1, 1), (2, 1.05))
    )
    shaken = [(np.array(one) * drift).tolist() for one in (base, head)]
    apart, beside = ratio_of(*shaken), ratio_of(*shaken, beside=True)
    assert apart.low < 1
    assert 1 < beside.low < 1.05 < beside.high < 1.1


def test_bursts_in_half_of_the_rounds_that_hit_either_side_cancel_out() -> None:
    (base,), (head,) = (
        made_up(seed, cells=1, rounds=20, round_noise=0.003, times=times)
        for seed, times in ((1, 1), (2, 1.07))
    )
    generator = np.random.default_rng(3)
    for side in (base, head):  # an on-and-off load: some of each five rounds of either side
        for place in generator.choice(20, 5, replace=False):
            side[place] = [2 * sample for sample in side[place]]  # type: ignore[index]
    beside = ratio_of(base, head, beside=True)
    assert beside.ratio == pytest.approx(1.07, abs=0.01)
    assert beside.low > 1
    assert beside.p < 0.001


@pytest.mark.parametrize("rounds", [10, 20])
def test_the_truth_is_in_the_interval_of_paired_rounds_as_often_as_it_says(rounds: int) -> None:
    sides = (made_up(seed, rounds=rounds, times=times) for seed, times in ((1, 1), (2, 1.07)))
    ratios = ratios_of([Pair(*both, beside=True) for both in zip(*sides, strict=True)])
    assert np.mean([ratio.low <= 1.07 <= ratio.high for ratio in ratios]) >= 0.93


def test_one_round_gives_an_infinite_interval() -> None:
    ratio = ratio_of([[1.0, 1.01, 1.02] * 9], [[2.0, 2.01, 2.02] * 9] * 5)
    assert (ratio.low, ratio.high, ratio.p) == (0, float("inf"), 1)
    assert ratio.mann_whitney_p < 0.001


def test_samples_that_are_all_the_same_have_no_spread() -> None:
    same, other = (
        ratio_of([[2.0] * 5] * 5, [[2.0] * 5] * 5),
        ratio_of([[2.0] * 9] * 5, [[3.0] * 9] * 5),
    )
    assert (same.ratio, same.low, same.high, same.p) == (1, 1, 1, 1)
    assert (other.ratio, other.low, other.high) == (1.5, 1.5, 1.5)
    assert other.p == other.mann_whitney_p < 1e-9


def test_a_round_without_samples_is_ignored() -> None:
    (base,), (head,) = made_up(1, cells=1), made_up(2, cells=1)
    assert ratio_of([*base, []], head) == ratio_of(base, head)


def test_pairs_are_independent_of_each_other() -> None:
    pairs = [
        Pair(base, head, beside)
        for rounds, beside in ((5, False), (7, False), (5, True), (2, False))
        for base, head in [(made_up(1, 1, rounds)[0], made_up(2, 1, rounds)[0])]
    ]
    for pair, together in zip(pairs, ratios_of(pairs), strict=True):
        alone = ratio_of(pair.base, pair.head, pair.beside)
        assert astuple(together) == pytest.approx(astuple(alone))
    assert ratios_of([]) == []
