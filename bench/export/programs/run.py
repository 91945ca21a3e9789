"""Run this bundle on images with TVM's runtime alone.

    python run.py IMAGE... [--top 5] [--threads N] [--json] [--save-mask FILE]
    python run.py IMAGE... --time N [--json]
    python run.py --check

A network that takes several images at once goes through them in batches; the last one is filled up
with its last image, and `--time` is of a batch of one image.

It needs apache-tvm, whose compiler is not loaded, and Pillow to read images. Exit code 0 if all
is well, 1 if `--check` finds other outputs than the stored ones or the stages of `--time` do not
add up to the whole, 2 if something cannot be run.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path.pop(0)  # this directory: nothing is imported from what has not been checked

import argparse
import ctypes
import hashlib
import json
import math
import os
import platform
import re
import struct
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

Found = dict[str, Any]
Floats: TypeAlias = "array[float]"  # of type "f"

HERE = Path(__file__).resolve().parent
CGROUP = Path("/sys/fs/cgroup")  # in a container its own group
FORMAT = 2
LIBRARY = "libmodel.so"
BIG_CORES, ONE_CORE_EACH = 1, -2  # TVM's affinity modes: the fastest first, those that are named
POOLED = 2  # TVM's allocator of activations
DEVICES = {"cpu": 1, "opencl": 4}  # in DLPack
MACHINES = {62: "x86_64", 183: "aarch64"}  # in an ELF header
SHOWN = 0.3  # lowest score of a detection, as TensorFlow's exported detectors have it
PIXELS = "uint8"  # the type of an input that takes the pixels of an image
DAMAGE = (OSError, EOFError, SyntaxError, ValueError, IndexError, struct.error)  # Pillow's
APART_PERCENT = 3  # that the sum of all stages may be from the whole
MOST_AGAIN = 5  # times as often stages are timed until they agree
OVERLAP = 0.6  # of two boxes of a class; the better one is kept


class BundleError(Exception):
    """What is wrong, where, and what to do."""


def read_manifest() -> dict[str, Any]:
    """Return the manifest of a bundle whose files are those that it names."""
    try:
        manifest: dict[str, Any] = json.loads((HERE / "manifest.json").read_text("utf-8"))
        if manifest["format"] != FORMAT:
            raise ValueError(f"its format is {manifest['format']!r}, this program reads {FORMAT}")
        needed = [LIBRARY, *(["params.bin"] if manifest["params_storage"] != "embedded" else [])]
        needed += [name for name in (manifest["labels"], manifest["anchors"]) if name]
        expected = {name: manifest["files"][name]["sha256"] for name in needed}
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise BundleError(f"{HERE / 'manifest.json'}: {reason}; get the bundle again") from error
    for name, sha256 in expected.items():
        try:
            digest = hashlib.sha256((HERE / name).read_bytes()).hexdigest()
        except OSError as error:
            reason = f"{error.strerror}; get the bundle again"
            raise BundleError(f"{HERE / name}: {reason}") from error
        if digest != sha256:
            raise BundleError(f"{HERE / name}: not the exported file; get the bundle again")
    return manifest


def batch_of(manifest: dict[str, Any]) -> int:
    """Return how many images an inference takes."""
    return int(manifest.get("batch", 1))


def check_machine(manifest: dict[str, Any]) -> None:
    """Raise BundleError unless library, manifest, processor and TVM belong together."""
    with (HERE / LIBRARY).open("rb") as file:
        header = file.read(20)
    built = MACHINES.get(int.from_bytes(header[18:20], "little"), "other")
    if not built == manifest["architecture"] == platform.machine():
        raise BundleError(
            f"{HERE / LIBRARY}: {built} code; the manifest says {manifest['architecture']}, this "
            f"machine is {platform.machine()}; take the bundle that was exported for it"
        )
    with Path("/proc/cpuinfo").open() as cpuinfo:
        first = cpuinfo.read(8192)  # the first core's part, or more
    name = "flags" if built == "x86_64" else "Features"
    flags = re.search(rf"^{name}\s*:(.*)$", first, re.MULTILINE)
    needed = set(manifest["target"]["cpu_flags"])
    missing = sorted(needed - set(flags[1].split())) if flags else []
    if missing:
        raise BundleError(
            f"{HERE / LIBRARY}: this processor lacks {', '.join(missing[:5])}; export the network "
            "for a target without them"
        )
    wanted = {"tvm": manifest["tvm_version"], "tvm_ffi": manifest["tvm_ffi_version"]}
    for package, version in wanted.items():
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise BundleError(
                f"package {package} is missing; pip install apache-tvm=={wanted['tvm']}"
            )
        found = re.search(
            r"^\s*__version__ = (?:version = )?['\"]([^'\"]+)",
            Path(spec.origin).with_name("_version.py").read_text("utf-8"),
            re.MULTILINE,
        )
        here = found[1] if found else "unknown"
        if here != version:
            distribution = f"apache-{package.replace('_', '-')}"
            raise BundleError(
                f"{distribution} is {here}, the bundle was built for {version}; "
                f"pip install {distribution}=={version}"
            )


def import_ffi() -> Any:
    """Return the module that calls TVM's runtime, without what it would import for its own part.

    That is two thirds of the time until the first answer, and NumPy the largest.
    """
    unneeded = [name for name in ("numpy", "ml_dtypes", "torch") if name not in sys.modules]
    for name in unneeded:
        sys.modules[name] = None  # type: ignore[assignment]  # to Python it is missing then
    import tvm_ffi

    for name in unneeded:
        del sys.modules[name]
    return tvm_ffi


def usable_cpus() -> int:
    """Return how many threads can run at once: the CPUs of this process, or its container's quota.

    A quota counts as the next whole number.
    """
    count = len(os.sched_getaffinity(0))
    for names in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            quota, period = map(int, " ".join((CGROUP / one).read_text() for one in names).split())
        except (OSError, ValueError):  # there is none, or it is "max"
            continue
        count = min(count, -(-quota // period)) if quota > 0 else count
    return count


def use_cores(ffi: Any, threads: int, cores: list[int]) -> None:
    """Have inferences run on so many threads: on these cores, or on the fastest of all.

    Where this process may use only some of the machine's cores, those are taken.
    """
    configure = ffi.get_global_func("runtime.config_threadpool")
    allowed, online = sorted(os.sched_getaffinity(0)), os.cpu_count() or 1
    if cores:
        if barred := [core for core in cores[:threads] if core not in allowed]:
            raise BundleError(
                f"threads: the target names core {barred[0]}, which this process may not use; it "
                f"may use {', '.join(map(str, allowed))}"
            )
        order = [*cores, *(core for core in allowed if core not in cores)]
    else:
        order = allowed[:threads]
    if cores or allowed != list(range(online)):  # a core for each thread of TVM's pool, used or not
        named = [str(order[place % len(order)]) for place in range(max(online, len(order)))]
        configure(ONE_CORE_EACH, threads, ffi.convert(named))
    else:
        configure(BIG_CORES, threads)
    if cores:
        os.sched_setaffinity(0, cores[:1])  # TVM lets the first thread, this one, run on all
    pool = ffi.get_global_func("runtime.NumThreads")()
    if pool < threads:
        raise BundleError(
            f"threads: TVM has {pool} here, not {threads}; set TVM_NUM_THREADS={threads}"
        )


class Model:
    """The network, ready to run."""

    def __init__(self, manifest: dict[str, Any], threads: int, plugin: Path | None = None) -> None:
        """Load TVM's runtime, what makes it speak OpenCL where that is needed, and the library."""
        target = manifest["target"]
        if not 1 <= threads <= manifest["threads"]:
            raise BundleError(
                f"threads: {threads} cannot be; the library was made for {manifest['threads']}"
            )
        if threads > (usable := usable_cpus()):
            raise BundleError(f"threads: {threads} cannot be; this process may use {usable} CPUs")
        os.environ.setdefault("TVM_NUM_THREADS", str(threads))  # of its pool, when it is loaded
        ffi = import_ffi()
        spec = find_spec("tvm")
        assert spec and spec.origin
        runtime = Path(spec.origin).with_name("lib") / "libtvm_runtime.so"
        for path in (runtime, plugin):
            if path:
                ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL)
        use_cores(ffi, threads, target["cores"])
        machine = ffi.load_module(str(HERE / LIBRARY))["vm_load_executable"]()
        where = (DEVICES[target["device_type"]], target["device_index"], POOLED)
        beside = (DEVICES["cpu"], 0, POOLED) if target["device_type"] != "cpu" else ()
        machine["vm_initialization"](*where, *beside)
        self._set, self._run = machine["set_input"], machine["invoke_stateful"]
        self._get, self._entry = machine["get_output"], manifest["entry"]
        self._counts = [math.prod(output["shape"]) for output in manifest["outputs"]]
        self._write = ffi.get_global_func("runtime.TVMTensorCopyFromBytes")
        self._read = ffi.get_global_func("runtime.TVMTensorCopyToBytes")
        allocate = ffi.get_global_func("runtime.TVMTensorAllocWithScope")
        (image,) = manifest["inputs"]
        self.batch = batch_of(manifest)
        device = ffi.device(f"{target['device_type']}:{target['device_index']}")
        self._image = allocate(ffi.Shape(image["shape"]), ffi.dtype(image["dtype"]), device, None)

    def answers(self, images: Sequence[bytes]) -> list[list[Floats]]:
        """Return the outputs of each of some images, at most a batch; the last fills up the rest.

        Images are of the manifest's type, outputs are float32. Values are in the order of the axes.
        """
        whole = self(b"".join((*images, *[images[-1]] * (self.batch - len(images)))))
        parts = [len(values) // self.batch for values in whole]
        return [
            [values[place * n : (place + 1) * n] for values, n in zip(whole, parts, strict=True)]
            for place in range(len(images))
        ]

    def __call__(self, image: bytes) -> list[Floats]:
        """Return the outputs of one input, of its manifest's type; all are float32.

        Values are in the order of the axes, whose first is the batch.
        """
        self._write(self._image, ctypes.cast(ctypes.c_char_p(image), ctypes.c_void_p), len(image))
        self._set(self._entry, self._image)
        self._run(self._entry)
        found = []
        for index, count in enumerate(self._counts):
            which = (index,) if len(self._counts) > 1 else ()
            values = array("f", bytes(4 * count))
            address = ctypes.c_void_p(values.buffer_info()[0])
            self._read(self._get(self._entry, *which), address, 4 * count)
            found.append(values)
        return found


def decoded(path: Path, channels: int) -> Any:
    """Return Pillow's image of a file, upright, with so many channels."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise BundleError("package pillow is missing; pip install pillow") from error
    try:
        with Image.open(path) as opened:
            return with_channels(ImageOps.exif_transpose(opened), channels)
    except (*DAMAGE, Image.DecompressionBombError) as error:
        raise BundleError(f"image {path}: {error}; give an image that Pillow reads") from error


def resized(image: Any, task: str, wanted: dict[str, Any]) -> Any:
    """Return an image at the size at which the network sees it.

    For a classifier it is one of Pillow, for others pixels between neighbours (H, W, channels).
    """
    if task != "classify":
        return between_neighbours(image, task, wanted)
    if not wanted["resize"]:
        return image
    from PIL import Image

    scale = wanted["resize"] / min(image.size)
    size = [max(1, round(side * scale)) for side in image.size]
    # Channels one by one: Pillow would weigh colours with transparency.
    bands = [one.resize(size, Image.Resampling.BILINEAR) for one in image.split()]
    return Image.merge(image.mode, bands)


def normalised(shown: Any, task: str, wanted: dict[str, Any], dtype: str, path: Path) -> bytes:
    """Return the input that is made of what `resized` returns; `path` is named in a refusal.

    That is normalised floats (1, channels, height, width), or, where the network takes uint8, the
    pixels as they are, (1, height, width, channels). A classifier is shown the centre; a detector
    all of it, stretched; a segmenter all of it in the upper left corner, on the mean colour.
    """
    if task != "classify":
        return on_mean_colour(shown, wanted, dtype)
    from PIL import Image

    height, width = wanted["height"], wanted["width"]
    left, top = (shown.width - width) // 2, (shown.height - height) // 2
    if left < 0 or top < 0:
        raise BundleError(
            f"image {path}: is {shown.width}x{shown.height}, the network takes "
            f"{width}x{height}; make it larger"
        )
    image = shown.crop((left, top, left + width, top + height))
    if dtype == PIXELS:
        return bytes(image.tobytes())
    planes = []
    for channel, mean, std in zip(image.split(), wanted["mean"], wanted["std"], strict=True):
        scale, shift = 1 / 255 / std, -mean / std
        plane = Image.new("F", (width, height))
        plane.paste(channel.convert("F").point(lambda value, a=scale, b=shift: value * a + b))
        planes.append(plane.tobytes())
    return b"".join(planes)


def with_channels(image: Any, channels: int) -> Any:
    """Return an image in grey, in colours, or in colours with its transparency."""
    if channels == 1:
        return as_rgb(image).convert("L")
    if channels == 3:
        return as_rgb(image)
    alpha = "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La")
    if channels != 4 or not alpha:
        raise ValueError(f"it has not the {channels} channels that the network takes")
    return image.convert("RGBA")


def as_rgb(image: Any) -> Any:
    """Return three channels of 8 bits, as the suite has them.

    More bits and floating-point numbers are scaled by their range; transparent parts are white.
    """
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        values = (image.convert("I") if image.mode.startswith("I;") else image).convert("F")
        least, most = (float(end) for end in values.getextrema())
        deep = image.mode.startswith("I;16") or (
            image.mode == "I" and image.format in ("PNG", "PPM")
        )
        ends = (1, 255, 65535) if image.mode == "F" else (255, 65535)
        end = 65535 if deep else next((end for end in ends if most <= end), 0)
        if least < 0 or not end or not math.isfinite(sum(array("f", values.tobytes()))):
            raise ValueError(f"its values are {least:g} to {most:g}; scale them to 0..1 or 0..255")
        image = values.point(lambda value: value * (255 / end) + 0.5).convert("L")
    elif "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255)), image)
    return image.convert("RGB")


def between_neighbours(image: Any, task: str, wanted: dict[str, Any]) -> Any:
    """Return what a detector or a segmenter is shown, resized as TensorFlow does it.

    A pixel is made of its four neighbours, none is averaged: `resize_bilinear`, before half-pixel
    centres, for segmenters with aligned corners.
    """
    import numpy as np

    sides = (wanted["height"], wanted["width"])
    sides = sides if task == "detect" else fitting(image.height, image.width, wanted)
    pixels = np.stack([np.asarray(one) for one in image.split()], axis=2)
    for axis, size in enumerate(sides):
        source = pixels.shape[axis]
        aligned = task == "segment" and size > 1
        at = np.arange(size) * (source - 1) / (size - 1) if aligned else None
        at = np.arange(size) * source / size if at is None else at
        low = at.astype(np.int64)
        share = np.expand_dims((at - low).astype(np.float32), (1, 2) if axis == 0 else (0, 2))
        high = np.minimum(low + 1, source - 1)
        first, second = (pixels.take(index, axis).astype(np.float32) for index in (low, high))
        pixels = first + (second - first) * share
    return pixels


def on_mean_colour(pixels: Any, wanted: dict[str, Any], dtype: str) -> bytes:
    """Return the input whose upper left corner has these pixels (H, W, channels)."""
    import numpy as np

    height, width, (rows, columns) = wanted["height"], wanted["width"], pixels.shape[:2]
    mean, std = (np.array(wanted[key], np.float32) for key in ("mean", "std"))
    if dtype == PIXELS:
        whole = np.empty((height, width, len(mean)), np.uint8)
        whole[:] = np.clip(np.rint(np.array(wanted["mean"]) * 255), 0, 255)
        whole[:rows, :columns] = np.clip(np.rint(pixels), 0, 255)
        return whole.tobytes()
    shown = np.zeros(
        (len(mean), height, width), np.float32
    )  # elsewhere the mean colour, which is 0
    shown[:, :rows, :columns] = ((pixels / 255 - mean) / std).transpose(2, 0, 1)
    return shown.tobytes()


def fitting(height: int, width: int, wanted: dict[str, Any]) -> tuple[int, int]:
    """Return the height and width of an image in a segmenter's input, its ratio kept."""
    longer = max(height, width)
    above, below = wanted["resize"] or longer, longer
    for limit, side in ((wanted["height"], height), (wanted["width"], width)):
        if limit * below < above * side:
            above, below = limit, side
    return -(-height * above // below), -(-width * above // below)  # rounded up


def interleaved(planes: bytes, colours: int) -> bytes:
    """Return planes, such as red, green and blue, as the colours of each pixel."""
    floats = array("f", planes)
    pixels, count = array("f", bytes(len(planes))), len(floats) // colours
    for colour in range(colours):
        pixels[colour::colours] = floats[colour * count : (colour + 1) * count]
    return pixels.tobytes()


def classify(outputs: list[Floats], manifest: dict[str, Any], top: int) -> list[Found]:
    """Return the likeliest classes; of a single logit, 1 where it is above 0, else 0.

    A network may have made probabilities of its logits: of a single one, 1 where it is above 0.5.
    """
    (values,) = outputs
    made = bool(manifest.get("probabilities"))
    if len(values) == 1:
        values = array("f", (1 - values[0] if made else 0.0, values[0]))
    shares = list(values)
    if not made:
        powers = [math.exp(logit - max(values)) for logit in values]
        shares = [power / sum(powers) for power in powers]
    best = sorted(range(len(shares)), key=lambda index: -shares[index])[:top]
    return [{"class": index, "share": shares[index]} for index in best]


def labelled(outputs: list[Floats], manifest: dict[str, Any]) -> Any:
    """Return the class of each pixel (H, W) of the output."""
    (logits,) = shaped(outputs, manifest)
    if logits.shape[1] == 1:  # its sign tells two classes apart
        return (logits[0, 0] > 0).astype("u1")
    return logits[0].argmax(axis=0).astype("u1" if logits.shape[1] <= 256 else "u4")


def covered(labels: Any, top: int) -> list[Found]:
    """Return the classes that most pixels (H, W) have."""
    import numpy as np

    shares = np.bincount(labels.ravel()) / labels.size
    best = np.argsort(-shares, kind="stable")[:top]
    return [{"class": int(one), "share": float(shares[one])} for one in best if shares[one]]


def enlarged(labels: Any, shown: tuple[int, ...], size: tuple[int, int]) -> Any:
    """Return the mask of an image of a size (height, width).

    The labels' upper left corner, as large as the image was `shown`, is stretched to it: the
    nearest label each, with corners aligned.
    """
    import numpy as np

    rows, columns = (
        np.floor((np.arange(new) * (old - 1) / max(new - 1, 1)) + 0.5).astype(np.int64)
        for old, new in zip(shown, size, strict=True)
    )
    return labels[rows][:, columns]


def boxes_and_scores(outputs: list[Floats], manifest: dict[str, Any]) -> tuple[Any, Any]:
    """Return the box (anchors, 4) and the scores (anchors, classes) of every anchor.

    Boxes are coded as in Faster R-CNN (arXiv 1506.01497, equation 2), times 10 and 5.
    """
    import numpy as np

    codes, logits = (output[0] for output in shaped(outputs, manifest))
    anchors = np.fromfile(HERE / manifest["anchors"], "<f4").reshape(-1, 4)
    sides = anchors[:, 2:] - anchors[:, :2]
    centres = anchors[:, :2] + sides / 2 + codes[:, :2] / 10 * sides
    sides = sides * np.exp(np.minimum(codes[:, 2:] / 5, 80))
    boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)
    return boxes, 1 / (1 + np.exp(-logits[:, 1:].astype(np.float64)))  # the first is background's


def suppressed(boxes: Any, scores: Any, top: int) -> list[Found]:
    """Return the best boxes of those that overlap no better one of their class too much.

    A box is ymin, xmin, ymax and xmax in shares of the image's sides.
    """
    import numpy as np

    places, classes = np.nonzero(scores > SHOWN)
    kept: list[tuple[int, list[float]]] = []
    found: list[Found] = []
    for index in np.argsort(-scores[places, classes], kind="stable"):
        box, category = boxes[places[index]].tolist(), int(classes[index]) + 1
        if len(found) < top and all(
            overlap(box, other) <= OVERLAP for one, other in kept if one == category
        ):
            kept.append((category, box))
            inside = [min(1.0, max(0.0, side)) for side in box]
            if inside[2] > inside[0] and inside[3] > inside[1]:  # the image has a part of it
                share = float(scores[places[index], category - 1])
                found.append({"class": category, "share": share, "box": inside})
    return found


def overlap(box: list[float], other: list[float]) -> float:
    """Return the intersection of two boxes over their union."""
    low, high = map(max, box[:2], other[:2]), map(min, box[2:], other[2:])
    shared = math.prod(max(0.0, end - start) for start, end in zip(low, high, strict=True))
    areas = sum((one[2] - one[0]) * (one[3] - one[1]) for one in (box, other))
    return shared / (areas - shared) if shared else 0.0


class Frame:
    """A picture on its way from a file to an answer, one stage after the other."""

    outputs: list[Floats]  # of the network, for this picture
    found: list[Found]  # in the end

    def __init__(self, path: Path, model: Model, manifest: dict[str, Any], top: int) -> None:
        """Take what all stages need."""
        self.path, self.model, self.manifest, self.top = path, model, manifest, top

    def decode(self) -> None:
        """Read the file."""
        self.image = decoded(self.path, len(self.manifest["preprocessing"]["mean"]))

    def resize(self) -> None:
        """Give the picture the size at which the network sees it."""
        self.shown = resized(self.image, self.manifest["task"], self.manifest["preprocessing"])

    def normalise(self) -> None:
        """Make the network's input."""
        (wanted,) = self.manifest["inputs"]
        task, how = self.manifest["task"], self.manifest["preprocessing"]
        self.given = normalised(self.shown, task, how, wanted["dtype"], self.path)
        if wanted["layout"] == "NHWC" and wanted["dtype"] != PIXELS:
            self.given = interleaved(self.given, wanted["shape"][3])

    def top_k(self) -> None:
        """Find a classifier's likeliest classes."""
        self.found = classify(self.outputs, self.manifest, self.top)

    def decode_boxes(self) -> None:
        """Make boxes and scores of a detector's outputs."""
        self.boxes = boxes_and_scores(self.outputs, self.manifest)

    def suppress(self) -> None:
        """Leave out the boxes that overlap better ones."""
        self.found = suppressed(*self.boxes, self.top)

    def label(self) -> None:
        """Find the class of each pixel of a segmenter's output."""
        self.labels = labelled(self.outputs, self.manifest)
        self.found = covered(self.labels, self.top)

    def enlarge(self) -> None:
        """Make the mask of the picture's own size."""
        size = (self.image.height, self.image.width)
        self.mask = enlarged(self.labels, self.shown.shape[:2], size)


Step: TypeAlias = Callable[[Sequence[Frame]], None]


def each(step: Callable[[Frame], None]) -> Step:
    """Return what takes each picture of a batch through a step."""

    def take(frames: Sequence[Frame]) -> None:
        for frame in frames:
            step(frame)

    return take


def infer(frames: Sequence[Frame]) -> None:
    """Hand over the inputs of a batch, run the network, and take its outputs."""
    found = frames[0].model.answers([frame.given for frame in frames])
    for frame, outputs in zip(frames, found, strict=True):
        frame.outputs = outputs


Stages = tuple[tuple[str, Step], ...]
INPUT: Stages = (
    ("decode", each(Frame.decode)),
    ("resize", each(Frame.resize)),
    ("normalise", each(Frame.normalise)),
    ("inference", infer),
)
TASKS: dict[str, Stages] = {
    "classify": (*INPUT, ("top-k", each(Frame.top_k))),
    "detect": (*INPUT, ("boxes", each(Frame.decode_boxes)), ("suppress", each(Frame.suppress))),
    "segment": (*INPUT, ("label", each(Frame.label)), ("mask", each(Frame.enlarge))),
}
OTHER = "other"  # the task of a network that says nothing about pictures


def sees(manifest: dict[str, Any]) -> bool:
    """Whether a network can be shown pictures, and says something about them."""
    (image,) = manifest["inputs"]
    axis = image["layout"].find("C")
    if axis < 1:
        return False
    return manifest["task"] in TASKS and image["shape"][axis] == len(
        manifest["preprocessing"]["mean"]
    )


def shaped(outputs: list[Floats], manifest: dict[str, Any]) -> list[Any]:
    """Return outputs, of one picture or of a batch, as NumPy's arrays."""
    import numpy as np

    shapes = ((-1, *output["shape"][1:]) for output in manifest["outputs"])
    pairs = zip(outputs, shapes, strict=True)
    return [np.frombuffer(values, np.float32).reshape(shape) for values, shape in pairs]


def reference_input(manifest: dict[str, Any]) -> bytes:
    """Return the stored input, a batch; where the file has bytes, each is (byte - zero) * step."""
    import numpy as np

    (image,) = manifest["inputs"]
    stored: bytes = (HERE / image["reference"]).read_bytes()
    if not image.get("step"):
        return stored
    distances = np.frombuffer(stored, np.uint8).astype(np.int32) - image["zero"]
    numbers = distances.astype(np.float32) * np.float32(image["step"])
    return bytes(numbers.tobytes())


def relative_error(model: Model, manifest: dict[str, Any]) -> float:
    """Return the largest relative L2 error of an output against the stored one."""
    import numpy as np

    found = shaped(model(reference_input(manifest)), manifest)
    errors = []
    for output, expected_output in zip(found, manifest["outputs"], strict=True):
        step = expected_output["stride"]
        thinned = output[..., ::step, ::step] if output.ndim == 4 else output
        expected = np.fromfile(HERE / expected_output["reference"], "<f4").reshape(thinned.shape)
        errors.append(np.linalg.norm(thinned - expected) / np.linalg.norm(expected))
    return float(max(errors))


def main() -> int:
    """Read the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("images", nargs="*", type=Path, metavar="IMAGE")
    parser.add_argument("--check", action="store_true", help="compare with the stored outputs")
    parser.add_argument("--top", type=int, default=5, help="how many answers to print (5)")
    parser.add_argument(
        "--threads",
        type=int,
        help="threads per inference (as many as it was made for and as there are CPUs)",
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each image")
    parser.add_argument(
        "--time",
        type=int,
        metavar="N",
        help="instead of answers print how long each stage takes, in N repetitions or more",
    )
    parser.add_argument(
        "--save-mask",
        type=Path,
        metavar="FILE",
        help="write a segmenter's class of each pixel of the image, as a grey PNG",
    )
    parser.add_argument("--plugin", type=Path, help="library that adds OpenCL to TVM's runtime")
    options = parser.parse_args()
    check_options(parser, options)
    manifest = read_manifest()
    check_machine(manifest)
    if manifest["task"] not in (*TASKS, OTHER):
        raise BundleError(f'manifest.json: "task" is {manifest["task"]}; get the bundle again')
    if options.images and not sees(manifest):
        shapes = [port["shape"] for port in (*manifest["inputs"], *manifest["outputs"])]
        raise BundleError(
            f"{manifest['variant']}: takes and puts out {shapes}, which is no picture and "
            "no classes; leave out the images, or call Model from a program of your own"
        )
    if options.save_mask and manifest["task"] != "segment":
        raise BundleError(f"{manifest['variant']}: makes no masks; leave out --save-mask")
    if manifest["target"]["device_type"] == "opencl" and options.plugin is None:
        raise BundleError(
            "TVM's wheels do not support OpenCL; give a library that does with --plugin"
        )
    plugin = options.plugin and options.plugin.resolve()
    threads = options.threads
    if threads is None:
        threads = min(manifest["threads"], usable_cpus())
    try:
        model = Model(manifest, threads, plugin)
        if options.check:
            error = relative_error(model, manifest)
            good = error <= manifest["tolerance"]
            print(f"relative L2 error {error:.2g}, tolerance {manifest['tolerance']:g}: "
                  f"{'ok' if good else 'WRONG'}")  # fmt: skip
            if not good:
                return 1
        if options.time:
            return time_all(model, manifest, options)
        answer_all(model, manifest, options)
    except (OSError, RuntimeError, ValueError, AttributeError) as error:
        reason = " ".join((str(error).strip() or type(error).__name__).splitlines()[-1].split())
        raise BundleError(f"{HERE / LIBRARY}: {reason}") from error
    return 0


def check_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End with a line of the parser's if options do not go together."""
    if not options.images and not options.check:
        parser.error("name an image, or --check")
    if options.top < 1:
        parser.error("--top: give 1 or more")
    if options.time is not None and (options.time < 1 or not options.images):
        parser.error("--time: give an image, and 1 repetition or more")
    if options.save_mask and len(options.images) != 1:
        parser.error("--save-mask: give one image")


def answer_all(model: Model, manifest: dict[str, Any], options: argparse.Namespace) -> None:
    """Print the network's answers for each image."""
    labels = (
        (HERE / manifest["labels"]).read_text("utf-8").splitlines() if manifest["labels"] else []
    )
    for first in range(0, len(options.images), model.batch):
        paths = options.images[first : first + model.batch]
        frames = [Frame(path, model, manifest, options.top) for path in paths]
        for name, stage in TASKS[manifest["task"]]:
            if name != "mask" or options.save_mask:
                stage(frames)
        if options.save_mask:
            save_mask(frames[0].mask, options.save_mask)
        for frame in frames:
            tell(frame, labels, options.json)


def tell(frame: Frame, labels: list[str], as_json: bool) -> None:
    """Print what was found in a picture."""
    for one in frame.found if labels else ():
        one["label"] = labels[one["class"]]
    if as_json:
        print(json.dumps({"image": str(frame.path), "found": frame.found}))
        return
    print(frame.path)
    for one in frame.found:
        box = " ".join(f"{side:.3f}" for side in one.get("box", ()))
        print(f"  {one['share']:6.2%}  {one['class']:4} {one.get('label', '')} {box}".rstrip())


def save_mask(mask: Any, path: Path) -> None:
    """Write the class of each pixel (H, W) as the grey value of a PNG file."""
    from PIL import Image

    if int(mask.max()) > 255:
        raise BundleError(f"--save-mask: class {int(mask.max())} is no grey value; leave it out")
    try:
        Image.fromarray(mask.astype("u1")).save(path, "PNG")
    except OSError as error:
        raise BundleError(f"--save-mask {path}: {error.strerror}; name another file") from error


def time_all(model: Model, manifest: dict[str, Any], options: argparse.Namespace) -> int:
    """Print how long each stage takes for each image; returns the exit code.

    Of a network that takes several at once it is a batch of that image.
    """
    stages, agree = TASKS[manifest["task"]], True
    for path in options.images:
        begin = partial(batch_from, path, model, manifest, options.top)
        found = time_stages(stages, begin, options.time)
        agree = agree and found["agrees"]
        a_second = 1000 * model.batch / found["whole_ms"]
        if options.json:
            print(json.dumps({"image": str(path), **found, "images_per_s": a_second}))
            continue
        print(path)
        for name, taken in found["stages_ms"].items():
            print(f"  {name:10} {taken:9.3f} ms  {100 * taken / found['sum_ms']:5.1f} %")
        print(f"  {'sum':10} {found['sum_ms']:9.3f} ms")
        print(
            f"  {'whole':10} {found['whole_ms']:9.3f} ms, timed as one: "
            f"{found['apart_percent']:.1f} % apart, "
            f"{'within' if found['agrees'] else 'BEYOND'} {APART_PERCENT} %"
        )
        if model.batch > 1:
            print(f"  batches of {model.batch}, {a_second:.1f} images a second")
    return 0 if agree else 1


def batch_from(path: Path, model: Model, manifest: dict[str, Any], top: int) -> list[Frame]:
    """Return a batch of one picture."""
    return [Frame(path, model, manifest, top) for _ in range(model.batch)]


def time_stages(stages: Stages, begin: Callable[[], list[Frame]], count: int) -> dict[str, Any]:
    """Return how long each stage takes, and all of them timed as one, in turns.

    They are timed again, up to five times as often, while the sum of the stages is farther from the
    whole than `APART_PERCENT`.
    """
    apart: list[list[float]] = []
    whole: list[list[float]] = []
    names, steps = zip(*stages, strict=True)
    run(begin(), steps)  # once before: what is loaded late is loaded
    found: dict[str, Any] = {}
    for repetition in range(MOST_AGAIN * count):
        for alone in (repetition % 2, 1 - repetition % 2):
            frames = begin()
            if alone:
                apart.append([timed(frames, (step,)) for step in steps])
            else:
                whole.append([timed(frames, steps)])
        if (repetition + 1) % count == 0:
            found = summed(names, apart, whole)
            if found["agrees"]:
                break
    return found


def run(frames: Sequence[Frame], steps: Iterable[Step]) -> None:
    """Take the pictures of a batch through some stages."""
    for step in steps:
        step(frames)


def timed(frames: Sequence[Frame], steps: Iterable[Step]) -> float:
    """Return how many milliseconds some stages take."""
    start = time.perf_counter()
    run(frames, steps)
    return 1000 * (time.perf_counter() - start)


def summed(
    names: Sequence[str], apart: list[list[float]], whole: list[list[float]]
) -> dict[str, Any]:
    """Return the times of stages, their sum, and how far the whole is from it."""
    stages_ms = dict(zip(names, middle(apart), strict=True))
    sum_ms, (whole_ms,) = sum(stages_ms.values()), middle(whole)
    apart_percent = 100 * abs(sum_ms - whole_ms) / whole_ms
    return {
        "repetitions": len(whole),
        "stages_ms": stages_ms,
        "sum_ms": sum_ms,
        "whole_ms": whole_ms,
        "apart_percent": apart_percent,
        "agrees": apart_percent <= APART_PERCENT,
    }


def middle(repetitions: list[list[float]]) -> list[float]:
    """Return the mean of each stage over the middle half of repetitions, ranked by their sums.

    As robust as a median, and what it says of stages adds up to what it says of their sum.
    """
    ranked = sorted(repetitions, key=sum)
    kept = ranked[len(ranked) // 4 : len(ranked) - len(ranked) // 4]
    return [sum(taken) / len(kept) for taken in zip(*kept, strict=True)]


def refuse(sentence: str) -> NoReturn:
    """End with one line and exit code 2."""
    print(f"run.py: {sentence}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BundleError as error:
        refuse(str(error))
    except Exception as error:  # a manifest of another make
        refuse(f"{HERE}: {type(error).__name__}: {error}; get the bundle again")
