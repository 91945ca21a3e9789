"""From a detector's two raw outputs to boxes with classes and scores.

Anchors, box coding and suppression are those of TensorFlow's object detection API with the
configuration `ssdlite_mobilenet_v2_coco`. A box is (ymin, xmin, ymax, xmax) in shares of the
image's sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mobilebench.bench.extras import import_extra
from mobilebench.bench.models.heads import detector_of
from mobilebench.bench.models.outputs import Floats
from mobilebench.bench.models.variant import Variant
from mobilebench.targets.errors import BenchError

MIN_SCALE, MAX_SCALE = 0.2, 0.95  # of the first map's anchors and the last one's
LOWEST_SCALE = 0.1  # of the first map's one square anchor
ASPECT_RATIOS = (1.0, 2.0, 0.5, 3.0, 0.3333)  # width to height; rounded in the configuration too
SCALE_FACTORS = np.array([10, 10, 5, 5], np.float32)  # of ty, tx, th, tw
_SMALLEST = 1e-8  # added to sides before their logarithm is taken
_LARGEST_EXPONENT = 80.0  # float32 ends above exp(88)

ScoreConverter = Literal["sigmoid", "softmax"]


@dataclass(frozen=True)
class Suppression:
    """Which boxes are left out. TensorFlow's exported detectors have a score threshold of 0.3."""

    score_threshold: float = 1e-8  # scores must be above; as mAP is evaluated
    iou_threshold: float = 0.6  # a box that overlaps a better one of its class by more goes
    per_class: int = 100
    in_all: int = 100


@dataclass(frozen=True, eq=False)
class Detections:
    """What was found in one image, best first."""

    boxes: Floats  # (n, 4) ymin, xmin, ymax, xmax, 0..1
    scores: Floats  # (n,) 0..1
    classes: NDArray[np.int64]  # (n,) COCO's category ids, 1..90

    def in_pixels(self, height: int, width: int) -> Floats:
        """Return the boxes (n, 4) in pixels of an image of this size."""
        return self.boxes * np.array([height, width, height, width], np.float32)


def anchors_of(variant: Variant) -> Floats:
    """Return the anchors (n, 4) of a detector's predictions, in their order."""
    maps = [(one.height, one.width) for one in detector_of(variant).predictions]
    return ssd_anchors(variant.height, variant.width, maps)


def ssd_anchors(height: int, width: int, maps: Sequence[tuple[int, int]]) -> Floats:
    """Return anchors (n, 4) of an input of this size, by map, row, column and shape.

    The first map has three at each place, the others six: one for each aspect ratio, and a
    square one of a scale between this map's and the next one's (SSD, arXiv 1512.02325, section
    2.2; TensorFlow's `create_ssd_anchors`). A scale is of the input's shorter side. Anchors near
    the border reach beyond it.
    """
    scales = [*np.linspace(MIN_SCALE, MAX_SCALE, len(maps)), 1.0]
    shorter = min(height, width)
    found = []
    for index, ((rows, columns), (scale, next_scale)) in enumerate(
        zip(maps, pairwise(scales), strict=True)
    ):
        if index == 0:
            shapes = [(LOWEST_SCALE, 1.0), (scale, 2.0), (scale, 0.5)]
        else:
            shapes = [(scale, ratio) for ratio in ASPECT_RATIOS]
            shapes.append((np.sqrt(scale * next_scale), 1.0))
        scale_of, ratio_of = np.array(shapes).T
        sides = np.stack(
            [
                scale_of / np.sqrt(ratio_of) * shorter / height,
                scale_of * np.sqrt(ratio_of) * shorter / width,
            ],
            axis=1,
        )
        y, x = np.meshgrid(
            (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns, indexing="ij"
        )
        centres = np.stack([y, x], axis=2)[:, :, None]  # (rows, columns, 1, 2)
        corners = np.concatenate([centres - sides / 2, centres + sides / 2], axis=3)
        found.append(corners.reshape(-1, 4))
    return np.concatenate(found).astype(np.float32)


def encode(boxes: Floats, anchors: Floats) -> Floats:
    """Return (ty, tx, th, tw) of boxes (n, 4) relative to anchors (n, 4).

    Offsets of centres in sides of the anchor, and logarithms of the ratios of sides (Faster
    R-CNN, arXiv 1506.01497, equation 2), each times its scale factor.
    """
    centres, sides = _centres_and_sides(boxes)
    anchor_centres, anchor_sides = _centres_and_sides(anchors)
    sides, anchor_sides = sides + _SMALLEST, anchor_sides + _SMALLEST
    codes = [(centres - anchor_centres) / anchor_sides, np.log(sides / anchor_sides)]
    return np.concatenate(codes, axis=1) * SCALE_FACTORS


def decode(encodings: Floats, anchors: Floats) -> Floats:
    """Return the boxes (n, 4) that encodings (n, 4) mean."""
    anchor_centres, anchor_sides = _centres_and_sides(anchors)
    codes = encodings / SCALE_FACTORS
    centres = codes[:, :2] * anchor_sides + anchor_centres
    sides = np.exp(np.minimum(codes[:, 2:], _LARGEST_EXPONENT)) * anchor_sides
    corners = [centres - sides / 2, centres + sides / 2]
    # NumPy declares float64 for a product of float32.
    return np.concatenate(corners, axis=1)  # pyright: ignore[reportReturnType]


def class_scores(logits: Floats, converter: ScoreConverter = "sigmoid") -> Floats:
    """Return scores (n, classes) of logits (n, 1 + classes), of which the first is background's.

    SSDLite's classes are independent of each other: sigmoid.
    """
    scores: Floats
    if converter == "softmax":
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = (powers / powers.sum(axis=1, keepdims=True))[:, 1:]
    else:
        with np.errstate(over="ignore"):  # exp of a large number is infinite, the score is 0
            scores = np.reciprocal(1 + np.exp(-logits[:, 1:]))
    return scores


def detect(
    box_encodings: Floats,
    class_predictions: Floats,
    anchors: Floats,
    suppression: Suppression | None = None,
    converter: ScoreConverter = "sigmoid",
) -> list[Detections]:
    """Return what was found in each image.

    Takes the outputs (images, anchors, 4) and (images, anchors, 1 + classes), the anchors
    (anchors, 4) and, by default, the configuration's suppression. An anchor with a number that
    is not finite finds nothing. Raises BenchError for outputs of other anchors.
    """
    wanted = (len(class_predictions), len(anchors))
    if box_encodings.shape != (*wanted, 4) or class_predictions.shape[:2] != wanted:
        raise BenchError(
            f"detector: outputs of shape {box_encodings.shape} and {class_predictions.shape} are "
            f"not of {len(anchors)} anchors; its input size or its feature maps are others"
        )
    suppression = suppression or Suppression()
    return [
        _suppress(codes, logits, anchors, suppression, converter)
        for codes, logits in zip(box_encodings, class_predictions, strict=True)
    ]


def _suppress(
    codes: Floats,
    logits: Floats,
    anchors: Floats,
    suppression: Suppression,
    converter: ScoreConverter,
) -> Detections:
    return suppress(*candidates(codes, logits, anchors, converter), suppression)


def candidates(
    codes: Floats, logits: Floats, anchors: Floats, converter: ScoreConverter = "sigmoid"
) -> tuple[Floats, Floats]:
    """Return the boxes (n, 4) and scores (n, classes) of anchors whose numbers are finite.

    Takes codes (anchors, 4) and logits (anchors, 1 + classes) of one image.
    """
    finite = np.isfinite(codes).all(axis=1) & np.isfinite(logits).all(axis=1)
    return decode(codes[finite], anchors[finite]), class_scores(logits[finite], converter)


def suppress(boxes: Floats, scores: Floats, suppression: Suppression) -> Detections:
    """Return what is left of boxes (n, 4) with scores (n, classes), best first."""
    kept = _suppressor().run(
        None,
        {
            "boxes": boxes[None],
            "scores": np.ascontiguousarray(scores.T)[None],
            "per_class": np.array([suppression.per_class]),
            "iou_threshold": np.array([suppression.iou_threshold], np.float32),
            "score_threshold": np.array([suppression.score_threshold], np.float32),
        },
    )[0]
    _, classes, places = kept.T
    best = np.argsort(-scores[places, classes], kind="stable")
    classes, places = classes[best], places[best]
    inside = np.clip(boxes[places], 0, 1)
    seen = (inside[:, 2:] > inside[:, :2]).all(axis=1)  # the image has a part of the box
    classes, places, inside = (
        array[seen][: suppression.in_all] for array in (classes, places, inside)
    )
    return Detections(inside, scores[places, classes], classes + 1)


@cache
def _suppressor() -> Any:
    """Return a session of ONNX's NonMaxSuppression alone.

    The operator was taken over from TensorFlow: corners with y first, a limit for each class,
    both thresholds exclusive. ONNX Runtime's is a third of OpenCV's download, whose function has
    no limit for a class. Kept are rows (image, class, box), class by class.
    """
    runtime = import_extra("onnxruntime", "data")
    from onnx import TensorProto, helper

    inputs = {
        "boxes": (TensorProto.FLOAT, [1, "boxes", 4]),
        "scores": (TensorProto.FLOAT, [1, "classes", "boxes"]),
        "per_class": (TensorProto.INT64, [1]),
        "iou_threshold": (TensorProto.FLOAT, [1]),
        "score_threshold": (TensorProto.FLOAT, [1]),
    }
    graph = helper.make_graph(
        [helper.make_node("NonMaxSuppression", list(inputs), ["kept"])],
        "suppression",
        [helper.make_tensor_value_info(name, *what) for name, what in inputs.items()],
        [helper.make_tensor_value_info("kept", TensorProto.INT64, ["kept", 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _centres_and_sides(boxes: Floats) -> tuple[Floats, Floats]:
    """Return (y, x) and (height, width), each (n, 2)."""
    sides: Floats = boxes[:, 2:] - boxes[:, :2]
    # NumPy declares float64 for a product of float32.
    half = np.float32(0.5) * sides
    centres: Floats = boxes[:, :2] + half  # pyright: ignore[reportAssignmentType]
    return centres, sides
