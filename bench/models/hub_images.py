"""What the JSON files of Hugging Face's folders declare of images and classes.

Source: `PretrainedConfig` and the image processors of transformers.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobilebench.targets.errors import BenchError

CONFIG = "config.json"
_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
_RGB = ("red", "green", "blue")
_BOTH = {"height", "width"}

Values = tuple[float, ...]


@dataclass(frozen=True)
class HubImages:
    """How images become a network's input, and what its answers are called; None is not said."""

    sides: tuple[int, ...]  # height and width of the input, or both as one; empty if not said
    channels: int | None
    resize: int | None  # pixels of an image's shorter side
    mean: Values | None  # of each channel, of pixels 0..1
    std: Values | None
    classes: int
    class_names: tuple[str, ...]  # empty where they are numbered alone
    remarks: tuple[str, ...]  # where images are prepared otherwise than here

    @property
    def side(self) -> int | None:
        """Pixels of either side of the input; None if they differ, or are not said."""
        return self.sides[0] if len(set(self.sides)) == 1 else None


def read_images(folder: Path, config: dict[str, Any]) -> HubImages:
    """Return what a folder's files declare beside its `config.json`, which is read already.

    Raises BenchError for files that cannot be read and for images of another order of channels,
    and what Python raises for values of another type.
    """
    files = (folder / one for one in _PROCESSORS)
    processor = next((read_json(one) for one in files if one.is_file()), {})
    processor = processor.get("image_processor", processor)
    if processor.get("do_flip_channel_order"):
        raise BenchError(
            "comes with a processor that shows blue before red; see that it is shown red, green "
            "and blue"
        )
    names = _class_names(config)
    sides, resize = _sizes(config, processor)
    mean, std = _normalisation(processor)
    channels = config.get("num_channels")
    return HubImages(
        sides=sides,
        channels=None if channels is None else int(channels),
        resize=resize,
        mean=mean,
        std=std,
        classes=len(names),
        class_names=names if _are_named(names) else (),
        remarks=tuple(_remarks(processor)),
    )


def read_json(path: Path) -> dict[str, Any]:
    """Return the table in a JSON file; raises BenchError if there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(f"file {path}: cannot be read ({error}); get it again") from error
    if not isinstance(found, dict):
        raise BenchError(f"file {path}: is no table; get it again")
    return found


def _class_names(config: dict[str, Any]) -> tuple[str, ...]:
    names = {int(index): str(name) for index, name in (config.get("id2label") or {}).items()}
    return tuple(names[index] for index in sorted(names))


def _are_named(names: tuple[str, ...]) -> bool:
    """Whether classes have names, which are not what transformers makes up."""
    return bool(names) and not names[0].startswith("LABEL_") and all(n.strip() for n in names)


def _sizes(config: dict[str, Any], processor: dict[str, Any]) -> tuple[tuple[int, ...], int | None]:
    """Return the sides of the input, and to what an image's shorter side is resized before."""
    sides = _sides(config.get("image_size"))
    size, resize = processor.get("size"), None
    if processor.get("do_center_crop") and (crop := processor.get("crop_size")):
        sides = _sides(crop)
    elif not sides and isinstance(size, dict) and {*size} >= _BOTH:
        sides = _sides(size)
    if processor.get("do_resize", True) and size:
        shortest = size.get("shortest_edge") if isinstance(size, dict) else size
        resize = int(shortest) if shortest else min(_sides(size))
    return sides, resize


def _sides(size: Any) -> tuple[int, ...]:
    """Return height and width, or both as one, as configurations write them; empty for None."""
    if isinstance(size, dict):
        size = [size[name] for name in ("height", "width")]
    return tuple(map(int, size)) if isinstance(size, list) else () if size is None else (int(size),)


def _normalisation(processor: dict[str, Any]) -> tuple[Values | None, Values | None]:
    """Return mean and deviation of pixels 0..1; none if nothing is declared."""
    if not processor:
        return None, None
    whole = 255 * float(processor.get("rescale_factor", 1 / 255))
    if not processor.get("do_rescale", True):
        whole = 255.0
    mean, std = processor.get("image_mean"), processor.get("image_std")
    if not processor.get("do_normalize", True):
        mean, std = [0.0] * len(mean or _RGB), [1.0] * len(std or _RGB)
    elif mean is None or std is None:
        raise ValueError("no image_mean or image_std")
    return as_values(one / whole for one in mean), as_values(one / whole for one in std)


def as_values(values: Iterable[Any]) -> Values:
    """Return numbers that a JSON file has, one for each channel."""
    return tuple(round(float(one), 12) for one in values)


def _remarks(processor: dict[str, Any]) -> Iterator[str]:
    size = processor.get("size")
    if processor.get("do_resize", True) and isinstance(size, dict) and {*size} >= _BOTH:
        yield (
            f"its image processor squeezes images to {size['height']}x{size['width']}; here their "
            "sides keep their proportion, and the centre is cut out"
        )
