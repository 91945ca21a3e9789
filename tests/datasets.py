"""Small checkpoints, and data of which they get everything right: the truth is what they answer."""

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from mobilebench.bench.accuracy.evaluation import predict, read_data
from mobilebench.bench.models.find_weights import find_weights
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.onnx_export import infer_one_by_one
from mobilebench.bench.models.variant import DETECT, Variant
from mobilebench.bench.models.weights import Weights

HEIGHT, WIDTH = 40, 50  # of every image
_SURE = 0.99  # what is found with a higher score becomes an object


def save_checkpoint(path: Path, variant: Variant, manifest: str = "") -> Weights:
    """Save random weights, with a manifest that names the variant's network."""
    torch.save(load_model(variant, Weights(seed=3)).state_dict(), path)
    path.with_suffix(".toml").write_text(
        f'architecture = "{variant.family}"\nwidth_multiplier = {variant.width_multiplier}\n'
        f"resolution = {variant.height}\n{manifest}\n"
    )
    return find_weights(str(path), path.parent)


def save_picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def structured_pixels(height: int, width: int) -> np.ndarray:
    """Return a picture in which no two rows, columns or colours are alike."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 2, y * 3, (x * y) % 256], axis=2).astype(np.uint8)


def write_coco(folder: Path, files: Iterable[str], objects: Iterable[tuple[object, ...]]) -> Path:
    """Write annotations: objects are image (from 0), category, and x, y, width, height."""
    folder.mkdir(parents=True, exist_ok=True)
    images = [{"id": 7 * number, "file_name": file} for number, file in enumerate(files)]
    annotations = [
        {"id": number, "image_id": 7 * int(str(image)), "category_id": category, "bbox": box}
        for number, (image, category, *box) in enumerate(objects)
    ]
    path = folder / "annotations.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def write_voc(folder: Path, masks: dict[str, np.ndarray]) -> Path:
    """Write masks of classes (height, width) and the list of their images' names."""
    for name, labels in masks.items():
        mask = folder / "SegmentationClass" / f"{name}.png"
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(labels.astype(np.uint8)).save(mask)
    listed = folder / "ImageSets" / "Segmentation" / "val.txt"
    listed.parent.mkdir(parents=True, exist_ok=True)
    listed.write_text("\n".join(masks))
    return folder


def answered(folder: Path, variant: Variant, weights: Weights, images: int = 3) -> Path:
    """Write images in the format of the variant's task, with what it answers as the truth."""
    names = [f"image{number}" for number in range(images)]
    detects = variant.task == DETECT
    for seed, name in enumerate(names):
        save_picture(folder / ("images" if detects else "JPEGImages") / f"{name}.png", seed)
    files = [f"{name}.png" for name in names]
    if detects:
        path = write_coco(folder, files, [(0, 1, 0, 0, 9, 9)])
    else:
        path = write_voc(folder, dict.fromkeys(names, np.zeros((HEIGHT, WIDTH))))
    infer = partial(infer_one_by_one, load_model(variant, weights))
    data = read_data(path, variant.task, variant.labels)
    answers = list(predict(variant, data, weights.preprocessing(variant), infer))
    if not detects:
        seen = [answer[:HEIGHT, :WIDTH] for answer in answers]  # the rest is padding
        return write_voc(folder, dict(zip(names, seen, strict=True)))
    pixels = np.array([HEIGHT, WIDTH] * 2)
    return write_coco(
        folder,
        files,
        [
            (image, int(row[5]), float(x0), float(y0), float(x1 - x0), float(y1 - y0))
            for image, rows in enumerate(answers)
            for row in rows[rows[:, 4] > _SURE]
            for y0, x0, y1, x1 in [row[:4] * pixels]
        ],
    )
