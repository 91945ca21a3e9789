"""Folders that Optimum exported: an ONNX file, and what JSON files declare of its images."""

from pathlib import Path

from mobilebench.bench.models.hub_images import CONFIG, HubImages, read_images, read_json
from mobilebench.bench.models.huggingface import ONNX_FILE
from mobilebench.targets.errors import BenchError

_INNER = "onnx"  # where the hub's folders have their exported networks, beside the weights


def onnx_in(folder: Path) -> Path:
    """Return the network of a folder; raises BenchError if there is none, or no telling which."""
    for place in (folder, folder / _INNER):
        if (place / ONNX_FILE).is_file():
            return place / ONNX_FILE
        found = sorted(place.glob("*.onnx"))
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(one.name for one in found[:4])
            raise BenchError(
                f"model {folder}: has several ONNX files ({names}); give --model one of them"
            )
    raise BenchError(
        f"model {folder}: is a folder without an ONNX file; give --model a file, or a checkpoint's "
        "folder by --weights"
    )


def images_beside(path: Path) -> HubImages | None:
    """Return how images become an ONNX file's input, by the JSON files beside it; None if none do.

    Raises BenchError for files that cannot be understood.
    """
    folder = path.parent
    if not (folder / CONFIG).is_file() and folder.name == _INNER:
        folder = folder.parent
    if not (folder / CONFIG).is_file():
        return None
    try:
        config = read_json(folder / CONFIG)
        return read_images(folder, config) if "model_type" in config else None
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise BenchError(
            f"model {path}: {CONFIG} or what lies beside it has a value that is not understood "
            f"({error})"
        ) from error
    except BenchError as error:
        raise BenchError(f"model {path}: {CONFIG} {error}") from error
