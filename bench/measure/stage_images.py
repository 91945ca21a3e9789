"""The images on which the stages of a run are timed."""

from collections.abc import Iterable
from pathlib import Path

from mobilebench.bench.accuracy.data_error import DataError
from mobilebench.bench.accuracy.evaluation import check_files
from mobilebench.bench.accuracy.images import ImageCheck
from mobilebench.bench.models.onnx_network import OTHER, Network
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.quantization.calibration import images_named
from mobilebench.targets.errors import BenchError

MOST_IMAGES = 20


def find_stage_images(source: str, networks: Iterable[tuple[Network, Weights]]) -> tuple[Path, ...]:
    """Return what `--stages` names: twenty images at most, evenly spread; none if it is empty.

    Raises BenchError if there are none, one is damaged, or one cannot be shown to a network.
    """
    if not source:
        return ()
    path = Path(source)
    try:
        files = images_named(path, "stages")
        if not files:
            raise BenchError(f"stages {path}: has no images; give some to decode")
        count = min(len(files), MOST_IMAGES)
        taken = tuple(files[number * len(files) // count] for number in range(count))
        check = ImageCheck(path)
        for file in taken:
            check.read(file)
    except DataError as error:
        raise BenchError(f"stages {error.said}") from error
    for network, weights in networks:
        if network.task == OTHER:
            raise BenchError(
                f"stages {path}: {network.name} takes {network.input_shape}, and how images become "
                "that is not known; leave out --stages"
            )
        check_files(network.task, taken, weights.preprocessing(network))
    return taken
