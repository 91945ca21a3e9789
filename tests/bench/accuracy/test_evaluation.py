"""From images to figures, as a run has it: each task in its own way."""

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilebench.bench.accuracy import classification
from mobilebench.bench.accuracy.evaluation import (
    Accuracy,
    Evaluation,
    count_batches,
    predict,
    read_data,
    score,
)
from mobilebench.bench.accuracy.labels import LabelDataset
from mobilebench.bench.accuracy.pytorch_answers import answers
from mobilebench.bench.models.find_weights import find_weights
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.onnx_export import infer_one_by_one
from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import DETECT, SEGMENT, Variant, parse_variant
from tests.datasets import answered, save_checkpoint

DETECTOR = parse_variant("ssdlite_mobilenet_v2_0.35_64")
SEGMENTER = parse_variant("deeplabv3_mobilenet_v2_0.35_65")
FIGURES = {DETECT: ("map_percent", "map50_percent"), SEGMENT: ("miou_percent",)}

Asked = tuple[Evaluation, Callable[[Floats], Outputs]]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Variant], Asked]:
    """Return a function that returns an exam of which PyTorch gets all right, and PyTorch."""

    @cache
    def ask_pytorch(variant: Variant) -> Asked:
        folder = tmp_path_factory.mktemp(variant.task)
        weights = save_checkpoint(folder / "weights.pth", variant)
        data = read_data(answered(folder / "data", variant, weights), variant.task, variant.labels)
        how = weights.preprocessing(variant)
        path = answers(variant, weights, data, how, folder / "cache")
        infer = partial(infer_one_by_one, load_model(variant, weights))
        return Evaluation(variant, data, how, path), infer

    return ask_pytorch


def scored(one: Evaluation, infer: Callable[[Floats], Outputs]) -> Accuracy:
    return score(one, predict(one.variant, one.dataset, one.preprocessing, infer))


@pytest.mark.parametrize("variant", [DETECTOR, SEGMENTER], ids=lambda variant: variant.task)
def test_predictions_equal_to_the_truth_have_100_percent(variant: Variant, asked: Any) -> None:
    one, pytorch = asked(variant)
    found = asdict(scored(one, pytorch))
    assert found == asdict(score(one, one.reference()))
    assert found["images"] == 3
    assert found["images_agreement"] == 1
    for figure in FIGURES[variant.task]:
        assert found[figure] == pytest.approx(100)


@pytest.mark.parametrize("variant", [DETECTOR, SEGMENTER], ids=lambda variant: variant.task)
def test_other_predictions_have_less_than_100_percent(variant: Variant, asked: Any) -> None:
    one, pytorch = asked(variant)

    def worse(inputs: Floats) -> Outputs:
        *others, classes = pytorch(inputs)
        return *others, classes + np.random.default_rng(0).normal(0, 2, classes.shape).astype("f4")

    found = asdict(scored(one, worse))
    assert 0 < found["images_agreement"] < 0.9
    for figure in FIGURES[variant.task]:
        assert 0 < found[figure] < 90
        low, high = (found[f"{figure[:-8]}_ci95_{end}_percent"] for end in ("low", "high"))
        assert low < found[figure] < high


@pytest.mark.parametrize("variant", [DETECTOR, SEGMENTER], ids=lambda variant: variant.task)
def test_non_finite_predictions_are_wrong_everywhere(variant: Variant, asked: Any) -> None:
    one, pytorch = asked(variant)
    found = asdict(scored(one, lambda inputs: tuple(out * np.nan for out in pytorch(inputs))))
    assert found["images_agreement"] == 0
    assert [found[figure] for figure in FIGURES[variant.task]] == [0] * len(FIGURES[variant.task])


def test_a_segmenter_s_predictions_keep_only_classes(asked: Any) -> None:
    one, pytorch = asked(SEGMENTER)
    batches: list[int] = []

    def counted(inputs: Floats) -> Outputs:
        batches.append(len(inputs))
        return pytorch(inputs)

    kept = list(predict(one.variant, one.dataset, one.preprocessing, counted))
    assert {(answer.dtype, answer.shape) for answer in kept} == {(np.dtype(np.uint8), (65, 65))}
    assert batches == [1, 1, 1]
    assert isinstance(one.reference(), np.memmap)


def test_a_detector_s_predictions_exclude_suppressed_boxes(asked: Any) -> None:
    one, _ = asked(DETECTOR)
    reference = one.reference()
    assert (reference.dtype, reference.shape) == (np.float32, (3, 100, 6))
    assert (np.diff(reference[:, :, 4], axis=1) <= 0).all()  # the best first


def test_pytorch_s_predictions_are_cached(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    one, _ = asked(SEGMENTER)
    folder = one.answers.parents[3]
    weights = find_weights(str(folder / "weights.pth"), folder)
    # It would be called.
    monkeypatch.setattr("mobilebench.bench.accuracy.pytorch_answers.load_model", None)
    again = partial(answers, SEGMENTER, weights, one.dataset, cache_dir=folder / "cache")
    assert again(one.preprocessing) == one.answers
    with pytest.raises(TypeError):
        again(replace(one.preprocessing, resize=20))


@pytest.mark.parametrize("images", [1, 25, 26, 60])
def test_every_image_is_predicted_once_and_in_order(
    monkeypatch: pytest.MonkeyPatch, images: int
) -> None:
    monkeypatch.setattr(
        classification,
        "preprocess",
        lambda _data, batch, _how: np.array(batch, np.float32)[:, None],
    )
    data = LabelDataset("some", (Path("x"),) * images, (0,) * images, "")
    how = Preprocessing(1, 1, None, (0, 0, 0), (1, 1, 1))
    batches: list[int] = []

    def infer(inputs: Floats) -> Outputs:
        batches.append(len(inputs))
        return (inputs,)

    variant = parse_variant("mobilenet_v2_0.35_32")
    assert [int(one[0]) for one in predict(variant, data, how, infer)] == list(range(images))
    assert max(batches) <= classification.BATCH
    assert len(batches) == count_batches(variant, data)
