"""What was published about the variants, with its source."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

SOURCE = "TensorFlow models, research/slim/nets/mobilenet"
PAPER = "arXiv 1801.04381"
TIMM = "timm's results on ImageNet"
_IMAGENET = "on ImageNet's 50,000 validation images"
_PAPER_TABLES = {  # 4, 6 and 7: file, column, task, images
    "paper_imagenet.csv": ("top1_percent", "classify", _IMAGENET),
    "paper_detection.csv": ("coco_map_percent", "detect", "on COCO's test-dev"),
    "paper_segmentation.csv": ("voc_miou_percent", "segment", "on VOC 2012's validation images"),
}
MEMORY_SOURCE = (
    "arXiv 1801.04381, Table 3; a later revision prints O(1) at 112×112, and 800 kB (V1) and 200 "
    "kB (V2) as the largest"
)
_MEMORY_COLUMNS = {
    "mobilenet_v1_1.0_224": "mobilenet_v1",
    "mobilenet_v2_1.0_224": "mobilenet_v2",
}


@dataclass(frozen=True)
class Published:
    """One published checkpoint; the input is square, `resolution` pixels a side."""

    width_multiplier: float
    resolution: int
    macs_millions: float  # truncated to whole millions
    params_millions: float  # without batch norm's scale and shift
    top1_percent: float
    top5_percent: float
    pixel1_large_core_ms: float | None


@dataclass(frozen=True)
class TimmCheckpoint:
    """One of timm's checkpoints."""

    name: str
    params_millions: float  # with batch norm's scale and shift
    top1_percent: float
    top5_percent: float


def _rows(file: str) -> Iterator[dict[str, str]]:
    text = (files("mobilebench.reports.published") / file).read_text()
    yield from csv.DictReader(text.splitlines())


@dataclass(frozen=True)
class PublishedAccuracy:
    """The main figure of a variant at float32: a classifier's top-1, a detector's mAP, ..."""

    task: str
    percent: float
    source: str  # who published it, and on which images


@cache
def published_accuracies() -> dict[str, PublishedAccuracy]:
    """Return the main figure of every variant that has one, by the variant's name.

    slim's or timm's, else the paper's.
    """
    slim, timm = (f"{source}, {_IMAGENET}" for source in (SOURCE, TIMM))
    of_slim = {
        f"mobilenet_v2_{one.width_multiplier}_{one.resolution}": one.top1_percent
        for one in published_checkpoints()
    }
    of_timm = {name: one.top1_percent for name, one in _timm_checkpoints().items()}
    return {
        **_in_paper(),
        **{name: PublishedAccuracy("classify", top1, slim) for name, top1 in of_slim.items()},
        **{name: PublishedAccuracy("classify", top1, timm) for name, top1 in of_timm.items()},
    }


@cache
def _in_paper() -> dict[str, PublishedAccuracy]:
    return {
        row["variant"]: PublishedAccuracy(task, float(row[column]), f"{PAPER}, {images}")
        for file, (column, task, images) in _PAPER_TABLES.items()
        for row in _rows(file)
        if row["variant"]
    }


@dataclass(frozen=True)
class PublishedTensor:
    """The largest tensor at a spatial size, as it was published, with 16 bits a number."""

    size: int  # pixels a side
    channels: int
    kilobytes: int


def _number(text: str) -> float | None:
    return float(text) if text else None


@cache
def published_checkpoints() -> tuple[Published, ...]:
    """Return the published checkpoints in the order of their table."""
    return tuple(
        Published(
            width_multiplier=float(row["width_multiplier"]),
            resolution=int(row["resolution"]),
            macs_millions=float(row["macs_millions"]),
            params_millions=float(row["params_millions"]),
            top1_percent=float(row["top1_percent"]),
            top5_percent=float(row["top5_percent"]),
            pixel1_large_core_ms=_number(row["pixel1_large_core_ms"]),
        )
        for row in _rows("slim_checkpoints.csv")
    )


@cache
def _timm_checkpoints() -> dict[str, TimmCheckpoint]:
    return {
        row["variant"]: TimmCheckpoint(
            name=row["name"],
            params_millions=float(row["params_millions"]),
            top1_percent=float(row["top1_percent"]),
            top5_percent=float(row["top5_percent"]),
        )
        for row in _rows("timm_checkpoints.csv")
    }


def find_timm(variant: str) -> TimmCheckpoint | None:
    """Return timm's checkpoint of a variant with a depth multiplier, by the variant's name."""
    return _timm_checkpoints().get(variant)


def find_in_paper(variant: str) -> float | None:
    """Return the accuracy of one of the paper's own networks, by its name, in percent.

    A classifier's is top-1, a detector's mAP, a segmenter's mIoU (one scale, not flipped).
    """
    found = _in_paper().get(variant)
    return found.percent if found else None


@cache
def published_tensors(variant: str) -> tuple[PublishedTensor, ...]:
    """Return the largest tensors that were published of a variant, the largest size first."""
    column = _MEMORY_COLUMNS.get(variant)
    if column is None:
        return ()
    return tuple(
        PublishedTensor(
            size=int(row["spatial_size"]),
            channels=int(row[f"{column}_channels"]),
            kilobytes=int(row[f"{column}_kb_fp16"]),
        )
        for row in _rows("paper_memory.csv")
    )


def find_published(width_multiplier: float, height: int, width: int) -> Published | None:
    """Return what was published about a variant, if anything was."""
    for checkpoint in published_checkpoints():
        if (checkpoint.width_multiplier, checkpoint.resolution) == (width_multiplier, height):
            return checkpoint if height == width else None
    return None
