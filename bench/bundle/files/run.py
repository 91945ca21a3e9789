"""Run this bundle on images with TVM's runtime alone.

    python run.py IMAGE... [--top 5] [--threads N] [--json]
    python run.py --check

It needs apache-tvm, whose compiler is not loaded, and Pillow to read images. Exit code 0 if all is
well, 1 if `--check` finds other outputs than the stored ones, 2 if something cannot be run.
"""

import argparse
import ctypes
import hashlib
import json
import os
import platform
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

sys.modules.setdefault("torch", None)  # type: ignore[arg-type]  # tvm_ffi would import it
import numpy as np  # noqa: E402

Array = np.ndarray[Any, Any]
Found = dict[str, Any]

HERE = Path(__file__).resolve().parent
LIBRARY = "libmodel.so"
BIG_CORES, ONE_CORE_EACH = 1, -2  # TVM's affinity modes: the fastest first, those that are named
POOLED = 2  # TVM's allocator of activations
DEVICES = {"cpu": 1, "opencl": 4}  # in DLPack
MACHINES = {62: "x86_64", 183: "aarch64"}  # in an ELF header
SHOWN = 0.3  # lowest score of a detection, as TensorFlow's exported detectors have it
OVERLAP = 0.6  # of two boxes of a class; the better one is kept


class BundleError(Exception):
    """What is wrong, where, and what to do."""


def read_manifest() -> dict[str, Any]:
    """Return the manifest of a bundle whose files are those that it names."""
    try:
        manifest: dict[str, Any] = json.loads((HERE / "manifest.json").read_text("utf-8"))
        files = manifest["files"]
        needed = [LIBRARY, "params.bin", manifest["labels"], manifest["anchors"]]
        expected = {name: files[name]["sha256"] for name in needed if name in files}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{HERE / 'manifest.json'}: {error}; get the bundle again") from error
    for name, sha256 in expected.items():
        try:
            digest = hashlib.sha256((HERE / name).read_bytes()).hexdigest()
        except OSError as error:
            reason = f"{error.strerror}; get the bundle again"
            raise BundleError(f"{HERE / name}: {reason}") from error
        if digest != sha256:
            raise BundleError(f"{HERE / name}: not the exported file; get the bundle again")
    return manifest


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
    missing = sorted(set(manifest["cpu_flags"]) - set(flags[1].split())) if flags else []
    if missing:
        raise BundleError(
            f"{HERE / LIBRARY}: this processor lacks {', '.join(missing)}; export the network for "
            "a target without them"
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


class Model:
    """The network, ready to run."""

    def __init__(self, manifest: dict[str, Any], threads: int, plugin: Path | None = None) -> None:
        """Load TVM's runtime, what makes it speak OpenCL where that is needed, and the library."""
        import tvm_ffi

        spec = find_spec("tvm")
        assert spec and spec.origin
        runtime = Path(spec.origin).with_name("lib") / "libtvm_runtime.so"
        for path in (runtime, plugin):
            if path:
                ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL)
        self._ffi = tvm_ffi
        cores = manifest["cores"]
        configure = tvm_ffi.get_global_func("runtime.config_threadpool")
        if cores:
            os.sched_setaffinity(0, cores[:1])  # the first thread is this one
            configure(ONE_CORE_EACH, threads, tvm_ffi.convert([str(core) for core in cores]))
        else:
            configure(BIG_CORES, threads)
        machine = tvm_ffi.load_module(str(HERE / LIBRARY))["vm_load_executable"]()
        where = (DEVICES[manifest["device"]], manifest["device_index"], POOLED)
        beside = (DEVICES["cpu"], 0, POOLED) if manifest["device"] != "cpu" else ()
        machine["vm_initialization"](*where, *beside)
        self._set, self._run = machine["set_input"], machine["invoke_stateful"]
        self._get, self._entry = machine["get_output"], manifest["entry"]
        self._shapes = [tuple(output["shape"]) for output in manifest["outputs"]]

    def __call__(self, image: Array) -> list[Array]:
        """Return the outputs of one input (1, 3, height, width), all float32."""
        self._set(self._entry, self._ffi.from_dlpack(np.ascontiguousarray(image, np.float32)))
        self._run(self._entry)
        if len(self._shapes) == 1:
            return [self._on_host(self._get(self._entry), self._shapes[0])]
        return [
            self._on_host(self._get(self._entry, index), shape)
            for index, shape in enumerate(self._shapes)
        ]

    def _on_host(self, tensor: Any, shape: tuple[int, ...]) -> Array:
        found = np.empty(shape, np.float32)
        copy = self._ffi.get_global_func("runtime.TVMTensorCopyFromTo")
        copy(tensor, self._ffi.from_dlpack(found))
        return found


def read_image(path: Path, task: str, wanted: dict[str, Any]) -> Array:
    """Return an image file as the network's input (1, 3, height, width).

    A classifier is shown the centre, after the shorter side was resized if the manifest says so; a
    detector all of it, stretched; a segmenter all of it in the upper left corner, on the mean
    colour.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise BundleError("package pillow is missing; pip install pillow") from error
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise BundleError(f"image {path}: {error}; give an image that Pillow reads") from error
    height, width = wanted["height"], wanted["width"]
    if task == "detect":
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    elif task == "segment":
        longer = max(image.size)
        scale = min(
            (wanted["resize"] or longer) / longer, height / image.height, width / image.width
        )
        if scale != 1:
            size = (round(image.width * scale) or 1, round(image.height * scale) or 1)
            image = image.resize(size, Image.Resampling.BILINEAR)
    else:
        if wanted["resize"]:
            scale = wanted["resize"] / min(image.size)
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            image = image.resize(size, Image.Resampling.BILINEAR)
        left, top = (image.width - width) // 2, (image.height - height) // 2
        if left < 0 or top < 0:
            raise BundleError(
                f"image {path}: is {image.width}x{image.height}, the network takes "
                f"{width}x{height}; make it larger"
            )
        image = image.crop((left, top, left + width, top + height))
    pixels = np.asarray(image, np.float32) / 255
    mean, std = (np.array(wanted[key], np.float32) for key in ("mean", "std"))
    shown = np.zeros((1, 3, height, width), np.float32)
    shown[0, :, : pixels.shape[0], : pixels.shape[1]] = ((pixels - mean) / std).transpose(2, 0, 1)
    return shown


def classify(outputs: list[Array], _anchors: Array | None, top: int) -> list[Found]:
    """Return the likeliest classes."""
    powers = np.exp(outputs[0][0] - outputs[0].max())
    shares = powers / powers.sum()
    best = np.argsort(-shares, kind="stable")[:top]
    return [{"class": int(index), "share": float(shares[index])} for index in best]


def segment(outputs: list[Array], _anchors: Array | None, top: int) -> list[Found]:
    """Return the classes that cover most pixels."""
    labels = outputs[0][0].argmax(axis=0)
    shares = np.bincount(labels.ravel(), minlength=outputs[0].shape[1]) / labels.size
    best = np.argsort(-shares, kind="stable")[:top]
    return [{"class": int(one), "share": float(shares[one])} for one in best if shares[one]]


def detect(outputs: list[Array], anchors: Array | None, top: int) -> list[Found]:
    """Return the best boxes, ymin, xmin, ymax and xmax in shares of the image's sides.

    Boxes are coded as in Faster R-CNN (arXiv 1506.01497, equation 2), times 10 and 5.
    """
    assert anchors is not None
    codes, logits = outputs[0][0], outputs[1][0]
    sides = anchors[:, 2:] - anchors[:, :2]
    centres = anchors[:, :2] + sides / 2 + codes[:, :2] / 10 * sides
    sides = sides * np.exp(np.minimum(codes[:, 2:] / 5, 80))
    boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1).clip(0, 1)
    scores = 1 / (1 + np.exp(-logits[:, 1:].astype(np.float64)))  # the first is background's
    places, classes = np.nonzero(scores > SHOWN)
    kept: list[Found] = []
    for index in np.argsort(-scores[places, classes], kind="stable"):
        box, category = boxes[places[index]], int(classes[index]) + 1
        if len(kept) == top:
            break
        same = (np.array(one["box"]) for one in kept if one["class"] == category)
        if (box[2:] > box[:2]).all() and all(_overlap(box, other) <= OVERLAP for other in same):
            share = float(scores[places[index], category - 1])
            kept.append({"class": category, "share": share, "box": [float(side) for side in box]})
    return kept


def _overlap(box: Array, other: Array) -> float:
    shared = (np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])).clip(min=0).prod()
    areas = sum((one[2:] - one[:2]).prod() for one in (box, other))
    return float(shared / (areas - shared))


TASKS = {"classify": classify, "detect": detect, "segment": segment}


def floats(file: str, *shape: int) -> Array:
    """Return a file of little-endian floats."""
    return np.fromfile(HERE / file, "<f4").reshape(shape)


def relative_error(model: Model, manifest: dict[str, Any]) -> float:
    """Return the largest relative L2 error of an output against the stored one."""
    (image,) = manifest["inputs"]
    errors = []
    found = model(floats(image["reference"], *image["shape"]))
    for output, told in zip(found, manifest["outputs"], strict=True):
        step = told["stride"]
        thinned = output[..., ::step, ::step] if output.ndim == 4 else output
        expected = floats(told["reference"], *thinned.shape)
        errors.append(np.linalg.norm(thinned - expected) / np.linalg.norm(expected))
    return float(max(errors))


def main() -> int:
    """Read the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("images", nargs="*", type=Path, metavar="IMAGE")
    parser.add_argument("--check", action="store_true", help="compare with the stored outputs")
    parser.add_argument("--top", type=int, default=5, help="how many answers to print (5)")
    parser.add_argument("--threads", type=int, help="instead of as many as it was made for")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each image")
    parser.add_argument("--plugin", type=Path, help="library that makes TVM's runtime speak OpenCL")
    options = parser.parse_args()
    if not options.images and not options.check:
        parser.error("name an image, or --check")
    manifest = read_manifest()
    check_machine(manifest)
    try:
        model = Model(manifest, options.threads or manifest["threads"], options.plugin)
        if options.check:
            error = relative_error(model, manifest)
            good = error <= manifest["tolerance"]
            print(f"relative L2 error {error:.2g}, tolerance {manifest['tolerance']:g}: "
                  f"{'ok' if good else 'WRONG'}")  # fmt: skip
            if not good:
                return 1
        answer_all(model, manifest, options)
    except (OSError, RuntimeError, ValueError, AttributeError) as error:
        reason = " ".join((str(error).strip() or type(error).__name__).splitlines()[-1].split())
        raise BundleError(f"{HERE / LIBRARY}: {reason}") from error
    return 0


def answer_all(model: Model, manifest: dict[str, Any], options: argparse.Namespace) -> None:
    """Print what the network says of each image."""
    labels = (
        (HERE / manifest["labels"]).read_text("utf-8").splitlines() if manifest["labels"] else []
    )
    anchors = floats(manifest["anchors"], -1, 4) if manifest["anchors"] else None
    for path in options.images:
        outputs = model(read_image(path, manifest["task"], manifest["preprocessing"]))
        found = TASKS[manifest["task"]](outputs, anchors, options.top)
        for one in found if labels else ():
            one["label"] = labels[one["class"]]
        if options.json:
            print(json.dumps({"image": str(path), "found": found}))
            continue
        print(path)
        for one in found:
            box = " ".join(f"{side:.3f}" for side in one.get("box", ()))
            print(f"  {one['share']:6.2%}  {one['class']:4} {one.get('label', '')} {box}".rstrip())


def refuse(sentence: str) -> NoReturn:
    """End with one line and exit code 2."""
    print(f"run.py: {sentence}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BundleError as error:
        refuse(str(error))
