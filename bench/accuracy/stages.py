"""The stages from an image file to an answer, as the suite takes them for each task."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from mobilebench.bench.accuracy.boxes import Suppression, anchors_of, candidates, suppress
from mobilebench.bench.accuracy.detection import SHOWN
from mobilebench.bench.accuracy.images import decoded, normalised, to_pixels
from mobilebench.bench.accuracy.labels import centre, shown_size
from mobilebench.bench.accuracy.mean_iou import label
from mobilebench.bench.accuracy.resampling import bilinear, nearest
from mobilebench.bench.accuracy.voc import fitted, on_mean_colour
from mobilebench.bench.models.onnx_network import Network, in_layout
from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import CLASSIFY, DETECT, Variant

_BEST = 5  # classes of an answer


class Frame:
    """One image on its way; each stage leaves what the next one needs."""

    image: Image.Image
    pixels: np.ndarray  # (height, width, channels) at the size at which the network sees them
    inputs: Floats  # (1, ...)
    outputs: Outputs
    boxes: tuple[Floats, Floats]
    labels: np.ndarray  # (height, width)
    answer: object  # classes, detections, or a mask of the image's size

    def __init__(self, file: Path) -> None:
        self.file = file


Stage = Callable[[Frame], None]


def stages_of(
    network: Network, preprocessing: Preprocessing, infer: Callable[[Floats], Outputs]
) -> dict[str, Stage]:
    """Return the stages in order, by name, of a network that sees images.

    `infer` takes one input of the network's shape, and returns its outputs.
    """

    def inference(frame: Frame) -> None:
        frame.outputs = infer(frame.inputs)

    before = _Before(network, preprocessing)
    found: dict[str, Stage] = {
        "decode": before.decode,
        "resize": before.resize,
        "normalise": before.normalise,
        "inference": inference,
    }
    if network.task == CLASSIFY:
        return found | {"top_k": _top_k}
    if network.task == DETECT:
        assert isinstance(network, Variant)
        return found | {"boxes": partial(_boxes, anchors_of(network)), "suppress": _suppress}
    return found | {"label": _label, "mask": _mask}


class _Before:
    """What makes the input of an image."""

    def __init__(self, network: Network, preprocessing: Preprocessing) -> None:
        self._network, self._preprocessing = network, preprocessing

    def decode(self, frame: Frame) -> None:
        frame.image = decoded(frame.file, self._preprocessing.channels)

    def resize(self, frame: Frame) -> None:
        how = self._preprocessing
        if self._network.task == CLASSIFY:
            frame.pixels = to_pixels(frame.image, partial(shown_size, how.resize))
        elif self._network.task == DETECT:
            frame.pixels = bilinear(to_pixels(frame.image), how.height, how.width)
        else:
            frame.pixels = fitted(to_pixels(frame.image), how)

    def normalise(self, frame: Frame) -> None:
        how = self._preprocessing
        if self._network.task == CLASSIFY:
            shown = normalised(centre(frame.file, frame.pixels, how)[None], how)
        elif self._network.task == DETECT:
            shown = normalised(frame.pixels[None], how)
        else:
            shown = on_mean_colour(frame.pixels, how)[None]
        frame.inputs = in_layout(shown, self._network)


def _top_k(frame: Frame) -> None:
    frame.answer = np.argsort(-frame.outputs[0][0], kind="stable")[:_BEST]


def _boxes(anchors: Floats, frame: Frame) -> None:
    codes, logits = frame.outputs
    frame.boxes = candidates(codes[0], logits[0], anchors)


def _suppress(frame: Frame) -> None:
    frame.answer = suppress(*frame.boxes, Suppression(score_threshold=SHOWN))


def _label(frame: Frame) -> None:
    frame.labels = label(frame.outputs[0])[0]


def _mask(frame: Frame) -> None:
    rows, columns = frame.pixels.shape[:2]
    height, width = frame.image.height, frame.image.width
    frame.answer = nearest(frame.labels[:rows, :columns], height, width)
