"""What the detector and the segmenter have on top of MobileNetV2, and what networks put out."""

from dataclasses import dataclass

import numpy as np

from mobilebench.bench.models.architecture import architecture_of, halved, round_channels
from mobilebench.bench.models.onnx_network import OTHER, Network, OnnxNetwork
from mobilebench.bench.models.outputs import Floats
from mobilebench.bench.models.variant import CLASSIFY, DETECT, SEGMENT, Variant

CLASS_AXIS = {CLASSIFY: 1, DETECT: 2, SEGMENT: 1, OTHER: -1}
"""Along which axis of its last output a network tells classes apart, by task."""


@dataclass(frozen=True)
class Prediction:
    """One of the feature maps on which a detector predicts boxes."""

    channels: int
    height: int
    width: int
    anchors: int  # at each place


@dataclass(frozen=True)
class Detector:
    """What SSDLite adds to MobileNetV2 (paper, section 6.2).

    Predictions are made on the expansion of layer 15, the last layer and each extra layer. An extra
    layer halves the map: it reduces channels to half of its own, then convolves separably.
    """

    source_block: int  # number of the block whose expansion is the first map
    extras: tuple[int, ...]  # channels of each extra layer
    predictions: tuple[Prediction, ...]

    @property
    def anchors(self) -> int:
        """How many boxes are predicted."""
        return sum(p.anchors * p.height * p.width for p in self.predictions)


_SOURCE_STAGE = 5  # whose first block expands in slim's layer 15: the stem is 1, blocks follow
_EXTRAS = (512, 256, 256, 128)
_FIRST_ANCHORS, _ANCHORS = 3, 6


def detector_of(variant: Variant) -> Detector:
    """Return the head of a detector.

    Source: TensorFlow's object detection API, SSDMobileNetV2FeatureExtractor with `use_depthwise`
    and the configuration ssdlite_mobilenet_v2_coco.
    """
    architecture = architecture_of(variant)
    extras = tuple(
        round_channels(channels * variant.width_multiplier, variant.channel_divisor)
        for channels in _EXTRAS
    )
    source_block = sum(architecture.stages[:_SOURCE_STAGE])
    source = architecture.blocks[source_block].hidden_channels
    height, width = variant.height, variant.width
    for _ in range(4):
        height, width = halved(height), halved(width)
    predictions = [Prediction(source, height, width, _FIRST_ANCHORS)]
    for channels in (architecture.last_channels, *extras):
        height, width = halved(height), halved(width)
        predictions.append(Prediction(channels, height, width, _ANCHORS))
    return Detector(source_block, extras, tuple(predictions))


@dataclass(frozen=True)
class Segmenter:
    """DeepLabv3's head: image pooling and a pointwise branch, with ASPP three dilated ones too."""

    channels: int  # of each branch, and of what joins them
    dilations: tuple[int, ...]  # of the 3x3 branches


def segmenter_of(variant: Variant) -> Segmenter:
    """Return the head of a segmenter (arXiv 1706.05587, section 3.3)."""
    dilations = tuple(rate * 16 // variant.output_stride for rate in (6, 12, 18))
    return Segmenter(256, dilations if variant.aspp else ())


def as_logits(values: Floats, network: Network) -> Floats:
    """Return classes along an axis so that a single one is told by its sign, as of a logit.

    Where a network puts out a probability, that is how far it is above a half.
    """
    if isinstance(network, OnnxNetwork) and network.probabilities and network.classes == 1:
        return values - np.float32(0.5)
    return values


def outputs_of(variant: Network) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a network's outputs, in order."""
    if isinstance(variant, OnnxNetwork):
        return dict(variant.outputs)
    classes = variant.classes
    if variant.task == DETECT:
        anchors = detector_of(variant).anchors
        return {"box_encodings": (1, anchors, 4), "class_predictions": (1, anchors, classes)}
    if variant.task == SEGMENT:
        return {"logits": (1, classes, variant.height, variant.width)}
    return {"logits": (1, classes)}
