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
SMALL = {"depth_multiplier": 0.35, "image_size": 64}
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
    "undilated": (SEGMENTER, {"depth_multiplier": 0.5, "image_size": 65, "num_labels": 1}),
    "grey": (CLASSIFIER, SMALL | {"num_channels": 1, "num_labels": 1}),
    "transparent": (CLASSIFIER, SMALL | {"num_channels": 4, "expand_ratio": 3.0}),
    "unrounded": (CLASSIFIER, SMALL | {"depth_multiplier": 0.5, "depth_divisible_by": 1}),
    "wide": (CLASSIFIER, SMALL | {"depth_multiplier": 2.0, "finegrained_output": False}),
}
NARROW = {
    f"width {width}": (CLASSIFIER, SMALL | {"depth_multiplier": width})
    for width in (0.3, 0.42, 0.6, 0.75, 1.0, 1.3)
}
REFUSED = {
    "no shortcut in its first block": {"depth_multiplier": 0.25},
    "channels that are rounded otherwise": {"depth_multiplier": 0.83},
    "rounded otherwise at the width multiplier 0.35": {"min_depth": 16},
    "finegrained_output": {"finegrained_output": False},
    "first_layer_is_expansion": {"first_layer_is_expansion": False},
    "the expansion factor 3.5": {"expand_ratio": 3.5},
    "the expansion factor 1.0": {"expand_ratio": 1.0},
    "an output stride of 16": {"output_stride": 16},
}
"""Networks that no variant is, by what their refusal names."""


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
    refused = {f"refused {one}": (CLASSIFIER, SMALL | own) for one, own in REFUSED.items()}
    for name, (network, options) in (NETWORKS | NARROW | refused).items():
        model, size = network(MobileNetV2Config(**options)).eval(), options["image_size"]
        randomise(model)
        if name == "bfloat16":  # stored so, and computed in float32
            model.bfloat16()
        model.save_pretrained(out / name)
        if name == "unrounded":  # as older files are
            (out / name / "model.safetensors").unlink()
            torch.save(model.state_dict(), out / name / "pytorch_model.bin")
        crop = {"height": size, "width": size}
        channels = options.get("num_channels", 3)
        processor = MobileNetV2ImageProcessor(
            size={"shortest_edge": size + 32},
            crop_size=crop,
            image_mean=[0.5] * channels,
            image_std=[0.5] * channels,
        )
        processor.save_pretrained(out / name)
        images = torch.randn(2, channels, size, size)
        with torch.inference_mode():
            answers = model.float()(images).logits
        torch.save({"images": images, "answers": answers}, out / name / "expected.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
