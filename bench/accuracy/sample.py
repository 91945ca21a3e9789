"""A tiny labelled set in each format that accuracy is measured on, drawn here."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from mobilebench.bench.accuracy.masks import IGNORED, voc_colour
from mobilebench.bench.models.class_names import usual_names, wordnet_ids
from mobilebench.bench.models.variant import CLASSES, DETECT, SEGMENT

_SIZE = 320, 240  # width and height
_OUTLINE = 2  # pixels around an object that are of no class


@dataclass(frozen=True)
class _Scene:
    """A picture with one object; classes are ImageNet's, COCO's and VOC's."""

    name: str
    shape: str
    colour: tuple[int, int, int]
    box: tuple[int, int, int, int]  # left, top, right, bottom
    imagenet: int
    coco: int
    voc: int


_BALL, _BOTTLE, _SCREEN = (430, 37, 0), (898, 44, 5), (782, 72, 20)
_SCENES = (
    _Scene("ball-1", "ellipse", (240, 130, 30), (40, 50, 160, 170), *_BALL),
    _Scene("ball-2", "ellipse", (230, 120, 40), (150, 90, 230, 170), *_BALL),
    _Scene("ball-3", "ellipse", (250, 140, 20), (190, 20, 300, 130), *_BALL),
    _Scene("ball-4", "ellipse", (220, 110, 50), (20, 130, 110, 220), *_BALL),
    _Scene("bottle-1", "rectangle", (20, 110, 60), (120, 30, 170, 210), *_BOTTLE),
    _Scene("bottle-2", "rectangle", (60, 140, 90), (60, 60, 100, 220), *_BOTTLE),
    _Scene("bottle-3", "rectangle", (30, 90, 40), (220, 40, 270, 200), *_BOTTLE),
    _Scene("bottle-4", "rectangle", (10, 120, 80), (180, 70, 215, 215), *_BOTTLE),
    _Scene("screen-1", "rectangle", (40, 60, 110), (70, 60, 250, 180), *_SCREEN),
    _Scene("screen-2", "rectangle", (50, 80, 140), (30, 40, 170, 130), *_SCREEN),
    _Scene("screen-3", "rectangle", (30, 50, 90), (150, 80, 290, 190), *_SCREEN),
    _Scene("screen-4", "rectangle", (60, 70, 120), (100, 110, 260, 220), *_SCREEN),
)

README = """\
Sample data of mobilebench: {images} drawn pictures in each format that `mobilebench run --data`
takes. They show the formats; what a network scores on them says nothing about it.

Classifiers (classes of ImageNet):
  classes/        a directory for each class, named by its number
  wordnet/        the same, named by WordNet ids
  list/           labels.csv: an image and its class a row
Detectors (COCO):
  coco/           annotations.json, with the images in images/
Segmenters (PASCAL VOC):
  voc/            JPEGImages, SegmentationClass, ImageSets/Segmentation/val.txt
  masks/          masks.csv: an image and its mask a row; classes.txt says what 0 and 255 are
Calibration of int8 (no labels):
  images/         a plain directory

For example:
  mobilebench run --variant mobilenet_v2_1.0_224 --weights CHECKPOINT --data {directory}/classes
"""


def write_sample(directory: Path, called: str) -> None:
    """Write the data into an empty directory, which the user calls so."""
    for part in ("list", "coco/images", "images", "masks"):
        (directory / part).mkdir(parents=True)
    _write_classes(directory)
    _write_coco(directory / "coco")
    _write_voc(directory / "voc")
    _write_masks(directory / "masks")
    for scene in _SCENES:
        _picture(scene).save(directory / "images" / f"{scene.name}.jpg", quality=90)
    text = README.format(images=len(_SCENES), directory=called)
    (directory / "README.txt").write_text(text, encoding="utf-8")


def _write_classes(directory: Path) -> None:
    ids = wordnet_ids()
    rows = [("file", "class_index")]
    for scene in _SCENES:
        file = f"{scene.name}.jpg"
        number = scene.imagenet
        for folder in (directory / "classes" / str(number), directory / "wordnet" / ids[number]):
            folder.mkdir(parents=True, exist_ok=True)
            _picture(scene).save(folder / file, quality=90)
        _picture(scene).save(directory / "list" / file, quality=90)
        rows.append((file, str(number)))
    with (directory / "list" / "labels.csv").open("w", newline="", encoding="utf-8") as out:
        csv.writer(out, lineterminator="\n").writerows(rows)


def _write_coco(directory: Path) -> None:
    names = usual_names(DETECT, CLASSES[DETECT])
    images, annotations = [], []
    for number, scene in enumerate(_SCENES, 1):
        file = f"{scene.name}.jpg"
        _picture(scene).save(directory / "images" / file, quality=90)
        images.append({"id": number, "file_name": file, "width": _SIZE[0], "height": _SIZE[1]})
        left, top, right, bottom = scene.box
        width, height = right - left + 1, bottom - top + 1
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": scene.coco,
                "bbox": [left, top, width, height],
                "area": width * height,
                "iscrowd": 0,
            }
        )
    used = sorted({scene.coco for scene in _SCENES})
    categories = [{"id": one, "name": names[one]} for one in used]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (directory / "annotations.json").write_text(json.dumps(content, indent=1) + "\n")


def _write_voc(directory: Path) -> None:
    split = directory / "ImageSets" / "Segmentation" / "val.txt"
    for folder in (directory / "JPEGImages", directory / "SegmentationClass", split.parent):
        folder.mkdir(parents=True)
    palette = [channel for number in range(256) for channel in voc_colour(number)]
    for scene in _SCENES:
        _picture(scene).save(directory / "JPEGImages" / f"{scene.name}.jpg", quality=90)
        mask = Image.new("P", _SIZE, 0)
        mask.putpalette(palette)
        _draw(mask, scene, scene.voc, IGNORED if scene.voc else scene.voc)
        mask.save(directory / "SegmentationClass" / f"{scene.name}.png")
    split.write_text("".join(f"{scene.name}\n" for scene in _SCENES))


def _write_masks(directory: Path) -> None:
    """Write masks of black and white: the screens, and what they are."""
    rows = [("image", "mask")]
    for scene in (scene for scene in _SCENES if scene.voc):
        image, mask = f"{scene.name}.jpg", f"{scene.name}-mask.png"
        _picture(scene).save(directory / image, quality=90)
        drawn = Image.new("L", _SIZE, 0)
        if scene.voc == _SCREEN[2]:
            _draw(drawn, scene, 255, 255)
        drawn.save(directory / mask)
        rows.append((image, mask))
    with (directory / "masks.csv").open("w", newline="", encoding="utf-8") as out:
        csv.writer(out, lineterminator="\n").writerows(rows)
    screen = usual_names(SEGMENT, CLASSES[SEGMENT])[_SCREEN[2]]
    (directory / "classes.txt").write_text(f"0 background\n255 {screen}\n")


def _picture(scene: _Scene) -> Image.Image:
    """Draw a scene, always with the same pixels: an object before a gradient with some noise."""
    width, height = _SIZE
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(scene.box[0]).integers(-8, 9, (height, width, 1))
    plain = np.stack([120 + x // 4, 130 + y // 4, 200 - x // 8 - y // 8], axis=2)
    image = Image.fromarray(np.clip(plain + noise, 0, 255).astype(np.uint8))
    _draw(image, scene, scene.colour, (20, 20, 20))
    return image


def _draw(
    image: Image.Image,
    scene: _Scene,
    fill: int | tuple[int, int, int],
    outline: int | tuple[int, int, int],
) -> None:
    drawn = ImageDraw.Draw(image)
    draw = drawn.ellipse if scene.shape == "ellipse" else drawn.rectangle
    draw(scene.box, fill=fill, outline=outline, width=_OUTLINE)
