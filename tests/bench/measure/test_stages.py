"""Stages from an image file to an answer: their arithmetic, and that they are the suite's."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobilebench.bench.accuracy.evaluation import preprocess_files
from mobilebench.bench.accuracy.resampling import nearest
from mobilebench.bench.accuracy.stages import Frame, stages_of
from mobilebench.bench.measure.stage_images import MOST_IMAGES, find_stage_images
from mobilebench.bench.measure.stages import StageTimes, in_turns, middle, summed
from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.errors import BenchError
from tests.datasets import structured_pixels

NAMES = ("decode", "inference")
APART = [[1.0, 2.0], [100.0, 2.0], [3.0, 4.0], [1.0, 0.0]]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray(structured_pixels(110, 150)).save(path)
    return path


def test_the_middle_half_of_repetitions_counts() -> None:
    assert middle(APART) == [2.0, 3.0]
    assert middle([[5.0], [5.2], [4.8], [90.0]]) == [pytest.approx(5.1)]
    assert middle([[7.0, 8.0]]) == [7.0, 8.0]


def test_stages_that_add_up_to_the_whole_are_not_in_doubt() -> None:
    found = summed(NAMES, APART, [[5.1]] * 4, images=2)
    assert found == StageTimes({"decode": 2.0, "inference": 3.0}, pytest.approx(5.1), 2)
    assert found.sum_ms == 5.0
    assert found.apart_percent == pytest.approx(1.961, abs=1e-3)
    assert found.doubt == ""


def test_stages_that_do_not_add_up_are_in_doubt() -> None:
    found = summed(NAMES, APART, [[6.0]] * 4, images=2)
    assert found.doubt == ("stages: they add up to 5 ms, and all of them timed as one take 6 ms")


@pytest.mark.parametrize(("cost", "rounds"), [(0, 1), (9, 5)])
def test_stages_are_timed_again_while_they_do_not_add_up(cost: int, rounds: int) -> None:
    """By a clock of the test's own, a stage takes 1 ms, and to read the clock `cost` ms."""
    now = 0.0
    taken: list[str] = []

    def stage(frame: Frame) -> None:
        nonlocal now
        now += 0.001
        taken.append(frame.file.name)

    def clock() -> float:
        nonlocal now
        now += cost / 1000
        return now

    files = [Path("a"), Path("b")]
    found = in_turns({"decode": stage, "resize": stage, "top_k": stage}, files, 4, clock)
    assert len(taken) == 3 * (2 + 2 * 4 * rounds)
    assert taken.count("a") == taken.count("b")
    assert bool(found.doubt) == (cost > 0)


@pytest.mark.parametrize(
    ("variant", "after"),
    [
        ("mobilenet_v2_0.35_96", ["top_k"]),
        ("ssdlite_mobilenet_v2_0.35_96", ["boxes", "suppress"]),
        ("deeplabv3_mobilenet_v2_0.35_65", ["label", "mask"]),
    ],
)
def test_stages_make_the_input_that_the_suite_makes(
    picture: Path, variant: str, after: list[str]
) -> None:
    network = parse_variant(variant)
    how = Weights(resize=100 if network.task == "classify" else None).preprocessing(network)
    stages = stages_of(network, how, _answers(network))
    assert list(stages) == ["decode", "resize", "normalise", "inference", *after]
    frame = Frame(picture)
    for stage in stages.values():
        stage(frame)
    expected = preprocess_files(network.task, [picture], how)
    np.testing.assert_array_equal(frame.inputs, expected)
    answer: Any = frame.answer
    if network.task == "classify":
        assert answer.tolist() == [999, 998, 997, 996, 995]
    elif network.task == "segment":
        assert answer.shape == (110, 150)  # the picture's
        rows, columns = frame.pixels.shape[:2]
        np.testing.assert_array_equal(answer, nearest(frame.labels[:rows, :columns], 110, 150))
    else:
        assert len(answer.scores)
        assert set(answer.classes.tolist()) == {7}


def _answers(network: Any) -> Callable[[Floats], Outputs]:
    """Return what answers always the same: rising logits, one class at every anchor, a pattern."""
    if network.task == "classify":
        return lambda _inputs: (np.arange(1000, dtype=np.float32)[None],)
    if network.task == "segment":
        numbers = count()
        logits = np.zeros((1, 21, network.height, network.width), np.float32)
        for y, x in np.ndindex(network.height, network.width):
            logits[0, next(numbers) % 21, y, x] = 1
        return lambda _inputs: (logits,)
    from mobilebench.bench.accuracy.boxes import anchors_of

    anchors = len(anchors_of(network))
    logits = np.full((1, anchors, 91), -9, np.float32)
    logits[0, :, 7] = 3
    return lambda _inputs: (np.zeros((1, anchors, 4), np.float32), logits)


def test_twenty_images_of_many_are_taken(tmp_path: Path) -> None:
    for number in range(45):
        Image.new("RGB", (100, 100), (number, 0, 0)).save(tmp_path / f"{number:02}.png")
    networks = [(parse_variant("mobilenet_v2_0.35_96"), Weights())]
    found = find_stage_images(str(tmp_path), networks)
    assert len(found) == MOST_IMAGES
    assert found[0].name == "00.png"
    assert find_stage_images("", networks) == ()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "has no images"),
        (["small.png"], "is 50x50, the network takes 96x96"),
        (["broken.png"], "damaged"),
    ],
)
def test_images_that_cannot_be_shown_are_refused(
    tmp_path: Path, names: list[str], said: str
) -> None:
    for name in names:
        Image.new("RGB", (50, 50)).save(tmp_path / name)
        if name == "broken.png":
            (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:60])
    with pytest.raises(BenchError, match=said):
        find_stage_images(str(tmp_path), [(parse_variant("mobilenet_v2_0.35_96"), Weights())])
    with pytest.raises(BenchError, match="no such file or directory"):
        find_stage_images(str(tmp_path / "none"), [])
