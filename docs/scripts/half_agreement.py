"""Top-1 of PyTorch in float32 beside the OpenCL artifact in float32 and in float16, on real images.

    python docs/scripts/half_agreement.py IMAGES CHECKPOINT...

IMAGES is a directory of JPEG files with a `labels.csv` (file, class_index); the centre 224x224 is
taken. A checkpoint has its manifest beside it. Needs an OpenCL device with cl_khr_fp16.
"""

import csv
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.cache import cache_directory
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.inference import infer_on_device
from mobilebench.bench.measure.sessions import device_state
from mobilebench.bench.models.find_weights import find_weights
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.variant import Variant
from mobilebench.bench.runtimes.runtime import Workload
from mobilebench.schedules.precision import PRECISIONS
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.devices.device import require_half, with_limits

SIZE = 224
LIMIT_S = 600.0


def read_images(directory: Path, manifest: dict[str, Any]) -> tuple[Any, Any]:
    """Return inputs (N, 3, 224, 224) as a checkpoint wants them, and labels (N,)."""
    with (directory / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    pixels = []
    for row in rows:
        image = Image.open(directory / row["file"]).convert("RGB")
        left, top = ((side - SIZE) // 2 for side in image.size)
        pixels.append(np.asarray(image.crop((left, top, left + SIZE, top + SIZE))) / 255)
    scaled = (np.stack(pixels) - manifest["mean"]) / manifest["std"]
    labels = np.array([int(row["class_index"]) for row in rows])
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), np.float32), labels


def main() -> None:
    """Print a line per checkpoint and precision."""
    import torch

    images, checkpoints = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    cache = cache_directory()
    config = MeasurementConfig(find_target("opencl"), 1, LIMIT_S, cache)
    state = device_state(config)
    require_half(config.target, state)
    config = MeasurementConfig(with_limits(config.target, state), 1, LIMIT_S, cache)
    print("| checkpoint | precision | top-1 | agrees with PyTorch | relative L2 error |")
    print("|---|---|---:|---:|---:|")
    for checkpoint in checkpoints:
        weights = find_weights(str(checkpoint), cache)
        variant = Variant(float(weights.width_multiplier or 1.0), SIZE, SIZE)
        manifest = tomllib.loads(checkpoint.with_suffix(".toml").read_text())
        inputs, labels = read_images(images, manifest)
        with torch.inference_mode():
            model = load_model(variant, weights)
            reference = model(torch.from_numpy(inputs)).numpy()
        print(
            f"| {checkpoint.stem} | PyTorch | {100 * np.mean(reference.argmax(1) == labels):.1f} |"
        )
        with BuildService(cache, LIMIT_S) as service:
            exported = service.to_onnx(variant, weights)
            for precision in PRECISIONS:
                artifact = service.build(exported, BuildOptions(config.target, precision=precision))
                workload = Workload(variant, weights, exported.onnx_path, artifact.library)
                (outputs,) = infer_on_device(config, workload, inputs)
                top1 = np.mean(outputs.argmax(1) == labels)
                agreed = np.mean(outputs.argmax(1) == reference.argmax(1))
                distance = np.linalg.norm(outputs - reference) / np.linalg.norm(reference)
                print(
                    f"| {checkpoint.stem} | {precision} | {100 * top1:.1f} | {100 * agreed:.1f} | "
                    f"{distance:.1e} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
