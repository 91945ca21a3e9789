"""The ranges of activations over calibration images, each of which must have finite ones."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.bench.models.outputs import INPUT_NAME, Floats
from mobilebench.bench.models.variant import SEGMENT
from mobilebench.targets.errors import BenchError


def is_averaged(task: str) -> bool:
    """Whether ranges are means of each image's least and largest value.

    A segmenter's are the least and the largest of all: a class that few images show lies beyond
    the means. docs/evidence/quantization.md has what either costs.
    """
    return task != SEGMENT


def observe_ranges(
    model: Path,
    name: str,
    inputs: Iterable[tuple[str, Floats]],
    directory: Path,
    *,
    averaged: bool = True,
) -> Path:
    """Write a file of the range of every tensor that is quantized, over the images.

    `inputs` are images (1, 3, H, W) with what each is called. ONNX Runtime's own mean leaves out
    what is not a number, so each image is looked at. Raises BenchError naming the network, and the
    first layer and image whose values are not finite.
    """
    from onnxruntime import quantization
    from onnxruntime.quantization.calibrate import create_calibrator, save_tensors_data
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    calibrator: Any = create_calibrator(
        model,
        sorted({*QLinearOpsRegistry, *QDQRegistry}),
        augmented_model_path=str(directory / "observed.onnx"),
        calibrate_method=quantization.CalibrationMethod.MinMax,
        extra_options={"moving_average": averaged},
    )
    outputs = [one.name for one in calibrator.infer_session.get_outputs()]

    def checked() -> Iterator[Floats]:
        for image, values in inputs:
            yield values
            # By now its ranges are the last that were collected.
            _check(calibrator.intermediate_outputs[-1], outputs, f"{name}: {{}} for {image}")

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        """Hands the inputs over one by one."""

        def __init__(self) -> None:
            self._left = checked()

        def get_next(self) -> dict[str, Floats] | None:
            """Return the next input by its name; None after the last."""
            values = next(self._left, None)
            return None if values is None else {INPUT_NAME: values}

    calibrator.collect_data(Reader())
    path = directory / "ranges.json"
    save_tensors_data(calibrator.compute_data(), path)
    (directory / "observed.onnx").unlink()
    return path


def _check(ends: list[Floats | None], outputs: list[str], said: str) -> None:
    for values, output in zip(ends, outputs, strict=True):
        if values is None or np.isfinite(values).all():
            continue
        layer = output.rpartition("_")[0]
        raise BenchError(
            said.format(f"layer {layer} puts out {float(np.ravel(values)[0]):g} in calibration")
            + "; its weights, or the image, hold numbers that are not finite"
        )
