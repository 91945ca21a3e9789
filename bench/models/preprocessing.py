"""From the pixels of an image to the input of a network, as a checkpoint declares it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preprocessing:
    """From an image file to a network's input, as a checkpoint declares it.

    A classifier is shown the centre, after the shorter side was resized if that is asked for; what
    a detector and a segmenter are shown, `coco` and `voc` say. Pixels scaled to 0..1 become
    (pixel - mean) / std, by channel.
    """

    height: int
    width: int
    resize: int | None  # pixels of the shorter side (a segmenter's longer); None: as the image is
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def channels(self) -> int:
        """Of an image: 1 is grey, 3 red, green and blue, 4 these and transparency."""
        return len(self.mean)
