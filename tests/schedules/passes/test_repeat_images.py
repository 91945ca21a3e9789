import platform
from pathlib import Path

import numpy as np
import pytest

from mobilebench.bench.build.artifact import build_artifact
from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.inference import infer_on_device, workload_of
from mobilebench.bench.models.onnx_export import OnnxModel, to_onnx
from mobilebench.bench.models.outputs import Outputs, largest_error
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.quantization.calibration import Calibration
from mobilebench.bench.quantization.quantize import quantize
from mobilebench.schedules.passes.repeat_images import threads_of_an_image
from mobilebench.targets.catalog.target import find_target

NATIVE = find_target("native")
CLASSIFIER = parse_variant("mobilenet_v2_0.35_64x96")
DETECTOR = parse_variant("ssdlite_mobilenet_v2_0.35_64")


def answers(
    exported: OnnxModel, variant: object, cache_dir: Path, options: BuildOptions
) -> Outputs:
    artifact = build_artifact(exported, options, cache_dir)
    workload = workload_of(variant, artifact)  # type: ignore[arg-type]
    config = MeasurementConfig(options.target, options.threads, 300, cache_dir)
    inputs, _ = exported.reference()
    return infer_on_device(config, workload, inputs[:3])


@pytest.mark.parametrize(
    ("batch", "threads"),
    [
        (2, 1),  # three inputs: the second batch is filled up
        (2, 2),  # an image for each thread
        (3, 2),  # all threads share each image
        pytest.param(8, 2, marks=pytest.mark.slow),
        pytest.param(5, 2, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("variant", [CLASSIFIER, pytest.param(DETECTOR, marks=pytest.mark.slow)])
def test_a_batch_has_the_answers_of_its_images(
    cache_dir: Path, variant: object, batch: int, threads: int
) -> None:
    exported = to_onnx(variant, Weights(), cache_dir)  # type: ignore[arg-type]
    found = answers(exported, variant, cache_dir, BuildOptions(NATIVE, threads, batch=batch))
    expected = tuple(one[:3] for one in exported.reference()[1])
    assert largest_error(found, expected) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("target", ["native", "x86-64-v3"])
@pytest.mark.parametrize("threads", [1, 2])
def test_in_8_bits_a_batch_has_the_same_integers(
    cache_dir: Path, threads: int, target: str
) -> None:
    if target != "native" and platform.machine() != "x86_64":
        pytest.skip("needs an x86")
    floats = to_onnx(CLASSIFIER, Weights(), cache_dir)
    preprocessing = Weights().preprocessing(CLASSIFIER)
    exported = quantize(floats, CLASSIFIER, preprocessing, Calibration(), cache_dir)
    one, many = (
        answers(
            exported,
            CLASSIFIER,
            cache_dir,
            BuildOptions(find_target(target), threads, precision="int8", batch=batch),
        )
        for batch in (1, 4)
    )
    for alone, together in zip(one, many, strict=True):
        np.testing.assert_array_equal(alone, together)


def test_threads_take_images_of_their_own_where_each_gets_as_many() -> None:
    asked = [(1, 1), (2, 1), (2, 2), (2, 3), (2, 4), (4, 6), (4, 8)]
    assert [threads_of_an_image(*one) for one in asked] == [1, 2, 1, 2, 1, 4, 1]


def test_a_larger_batch_needs_little_more_memory_on_one_thread(cache_dir: Path) -> None:
    exported = to_onnx(CLASSIFIER, Weights(), cache_dir)
    one, many = (
        build_artifact(exported, BuildOptions(NATIVE, 1, batch=batch), cache_dir).manifest
        for batch in (1, 2)
    )
    assert many.arena_bytes < 2 * one.arena_bytes
    assert many.batch == 2
    assert many.params_bytes == one.params_bytes
