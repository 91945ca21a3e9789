"""Scores that say more about the data than about the network: at chance, or right when read
otherwise.
"""

import numpy as np
from numpy.typing import NDArray

LEAST_IMAGES = 50  # of fewer, a low score may be chance itself
_BETTER_IMAGES = 8  # that another reading must get right beyond the labels as they are
_PER_CLASS = 5  # images of each class, from which its usual answer can be told


def lowest_percent(chance_percent: float) -> float:
    """Return below which score a network seems to guess.

    Three times chance; with few classes, where that would be a good score, a fifth of the way from
    chance to all right.
    """
    return min(3 * chance_percent, chance_percent + (100 - chance_percent) / 5)


def is_much_better(other: int, own: int) -> bool:
    """Whether another reading of the labels is right of so many more images that it is meant."""
    return other >= 2 * own and other - own >= _BETTER_IMAGES


def best_order(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return another answer for each label, so that as much as can be is right.

    Takes how often each pair was seen (labels, answers).
    """
    from scipy.optimize import linear_sum_assignment

    _, answers = linear_sum_assignment(counts, maximize=True)
    return np.asarray(answers)


def in_another_order(answers: NDArray[np.int64], labels: NDArray[np.int64]) -> int:
    """Return how many images are right if the classes are put into the order that suits best.

    0 where each class has too few images to tell, or only one is there.
    """
    known = np.unique(labels)
    if len(known) < 2 or len(labels) < _PER_CLASS * len(known):
        return 0
    classes = int(max(answers.max(), labels.max())) + 1
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, answers), 1)
    return int(counts[np.arange(classes), best_order(counts)].sum())
