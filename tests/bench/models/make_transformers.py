"""Saves networks of transformers with random weights, their inputs and outputs; run by a test.

Usage: make_transformers.py DIRECTORY. It needs transformers and torch, and nothing of this project.
"""

import sys
from pathlib import Path

import torch
from transformers import (
    MobileNetV2Config,
    MobileNetV2ForImageClassification,
    MobileNetV2ForSemanticSegmentation,
    MobileNetV2ImageProcessor,
)

IMAGENET = {0: "background", **{index: f"n{index}" for index in range(1, 1001)}}
CLASSIFIER, SEGMENTER = MobileNetV2ForImageClassification, MobileNetV2ForSemanticSegmentation
NETWORKS = {
    "background": (CLASSIFIER, {"depth_multiplier": 0.35, "image_size": 96, "id2label": IMAGENET}),
    "own": (
        CLASSIFIER,
        {"depth_multiplier": 1.4, "image_size": 97, "tf_padding": False, "num_labels": 37},
    ),
    "bfloat16": (CLASSIFIER, {"depth_multiplier": 0.5, "image_size": 64, "layer_norm_eps": 1e-5}),
    "segmenter": (SEGMENTER, {"image_size": 65, "output_stride": 8, "num_labels": 21}),
    "small": (
        SEGMENTER,
        {"depth_multiplier": 0.5, "image_size": 96, "output_stride": 16, "tf_padding": False},
    ),
}


def randomise(model: torch.nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.7, 1.3)
            module.bias.data.normal_(0.2, 0.3)
            module.running_mean.normal_(0.0, 0.2)
            module.running_var.uniform_(0.7, 1.3)
        elif isinstance(module, torch.nn.Conv2d):
            torch.nn.init.normal_(module.weight, 0.0, 1.4 / module.weight[0].numel() ** 0.5)


def main(out: Path) -> None:
    torch.manual_seed(0)
    for name, (network, options) in NETWORKS.items():
        model, size = network(MobileNetV2Config(**options)).eval(), options["image_size"]
        randomise(model)
        if name == "bfloat16":  # stored so, and computed in float32
            model.bfloat16()
        model.save_pretrained(out / name)
        crop = {"height": size, "width": size}
        processor = MobileNetV2ImageProcessor(size={"shortest_edge": size + 32}, crop_size=crop)
        processor.save_pretrained(out / name)
        images = torch.randn(2, 3, size, size)
        with torch.inference_mode():
            answers = model.float()(images).logits
        torch.save({"images": images, "answers": answers}, out / name / "expected.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
