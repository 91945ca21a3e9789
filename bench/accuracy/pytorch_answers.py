"""PyTorch's predictions on the images of a data set, cached by content."""

from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mobilebench import bench
from mobilebench.bench.accuracy.evaluation import Dataset, predict, write_answers
from mobilebench.bench.cache import cached, content_key, source_key
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.onnx_export import infer_one_by_one
from mobilebench.bench.models.onnx_in_pytorch.network import load_network
from mobilebench.bench.models.onnx_network import Network, OnnxNetwork
from mobilebench.bench.models.own_network import MODEL, prepared
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.weights import Weights

_ANSWERS = "answers.npy"


def answers(
    variant: Network,
    weights: Weights,
    dataset: Dataset,
    preprocessing: Preprocessing,
    cache_dir: Path,
) -> Path:
    """Return a file (.npy) of PyTorch's answers about images, or find it written already."""
    root = Path(bench.__file__).parent
    key = content_key(
        asdict(variant),
        (
            weights.sha256,
            weights.part,
            weights.padding,
            weights.batch_norm_epsilon,
            weights.head_epsilon,
            preprocessing,
        ),
        dataset.sha256,
        version("torch"),
        source_key(root / "models", root / "accuracy"),
    )

    def fill(directory: Path) -> None:
        model = _model_of(variant, weights, cache_dir)
        infer = partial(infer_one_by_one, model)
        found = predict(variant, dataset, preprocessing, infer)
        write_answers(found, len(dataset), directory / _ANSWERS)

    return cached(cache_dir / "answers" / f"{variant.name}-{key}", fill) / _ANSWERS


def _model_of(variant: Network, weights: Weights, cache_dir: Path) -> Any:
    if isinstance(variant, OnnxNetwork):
        return load_network(prepared(variant, cache_dir)[0] / MODEL)
    return load_model(variant, weights)
