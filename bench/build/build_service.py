"""Export and compilation in worker processes that are used for many variants."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from mobilebench.bench.accuracy.evaluation import Dataset, Evaluation, count_batches
from mobilebench.bench.build.artifact import Artifact, RooflinePeaks
from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.models.input_type import FLOATS, PIXELS
from mobilebench.bench.models.onnx_export import OnnxModel
from mobilebench.bench.models.onnx_network import Network, OnnxNetwork
from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.models.variant import Variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.quantization.calibration import Calibration
from mobilebench.reports.records.activations import Activations
from mobilebench.schedules.precision import INT8
from mobilebench.targets.catalog.target import Target
from mobilebench.targets.processes.worker import WITHOUT_TORCH, WorkerTimedOutError
from mobilebench.targets.processes.worker_pool import LocalWorkerPool, WorkerPool

_EXPORT = "mobilebench.bench.models.onnx_export"
_BATCH = "mobilebench.bench.models.onnx_batch"
_PIXEL_INPUT = "mobilebench.bench.models.pixel_input"
_QUANTIZE = "mobilebench.bench.quantization.quantize"
_AGREEMENT = "mobilebench.bench.quantization.agreement"
_COMPILE = "mobilebench.bench.build.artifact"
_ACTIVATIONS = "mobilebench.bench.memory.activations"
_ANSWERS = "mobilebench.bench.accuracy.pytorch_answers"
_TARGETS = "mobilebench.targets.catalog.tvm_target"
_BLOCKED = {_COMPILE: WITHOUT_TORCH, _TARGETS: WITHOUT_TORCH, _ACTIVATIONS: ("torch", "tvm")}


class BuildService:
    """Makes ONNX files and artifacts; a crash or a hang makes only one of them fail.

    Each worker imports PyTorch and TVM once; the suite's own process never does, so it can react to
    Ctrl-C while they compute. Threads may share a build service.
    """

    def __init__(
        self,
        cache_dir: Path,
        time_limit_s: float,
        max_workers: int = 1,
        builders: WorkerPool | None = None,
    ) -> None:
        """Use at most `max_workers` processes here; `builders`, if given, compile instead."""
        self._cache_dir = cache_dir
        self._time_limit_s = time_limit_s
        self._here = LocalWorkerPool(max_workers, _BLOCKED)
        self._builders = builders or self._here
        self.max_workers = max(max_workers, self._builders.max_workers)

    def to_onnx(self, variant: Network, weights: Weights) -> OnnxModel:
        """Return the variant's ONNX file and reference outputs."""
        exported: OnnxModel = self._call(_EXPORT, "to_onnx", variant, weights, self._cache_dir)
        return exported

    def with_batch(self, onnx_path: Path, batch: int) -> Path:
        """Return an ONNX file of the same network that takes so many images at once."""
        path: Path = self._call(_BATCH, "with_batch", onnx_path, batch, self._cache_dir)
        return path

    def quantize(
        self, model: OnnxModel, variant: Network, weights: Weights, calibration: Calibration
    ) -> OnnxModel:
        """Return an exported network in 8 bits, with the outputs of the quantized graph."""
        preprocessing = weights.preprocessing(variant)
        quantized: OnnxModel = self._call(
            *(_QUANTIZE, "quantize", model, variant, preprocessing, calibration, self._cache_dir)
        )
        return quantized

    def watch_layers(self, model: OnnxModel) -> OnnxModel:
        """Return a quantized network that puts out its layers too."""
        watched: OnnxModel = self._call(_AGREEMENT, "watched_model", model, self._cache_dir)
        return watched

    def first_disagreement(
        self, model: OnnxModel, watched: OnnxModel, image: Floats, outputs: Outputs
    ) -> str:
        """Return the first layer whose outputs are not the reference's; empty if all agree."""
        layer: str = self._call(_AGREEMENT, "first_disagreement", model, watched, image, outputs)
        return layer

    def network(
        self,
        variant: Network,
        weights: Weights,
        precision: str,
        calibration: Calibration,
        input_type: str = FLOATS,
    ) -> OnnxModel:
        """Return what is compiled at a precision: the exported network, at int8 quantized.

        Of INPUT_TYPES it takes floats, normalised, or the pixels of an image as they are.
        """
        model = self.to_onnx(variant, weights)
        quantized = isinstance(variant, OnnxNetwork) and variant.quantized
        if precision == INT8 and not quantized:
            model = self.quantize(model, variant, weights, calibration)
        return self._with_pixels(model, variant, weights) if input_type == PIXELS else model

    def check_weights(self, variant: Variant, weights: Weights) -> None:
        """Raise BenchError if the weights do not fit the variant."""
        self._call(_EXPORT, "check_weights", variant, weights)

    def evaluate(self, variant: Network, weights: Weights, dataset: Dataset) -> Evaluation:
        """Have PyTorch predict on the images; the time limit is for each batch."""
        preprocessing = weights.preprocessing(variant)
        path = self._call(
            *(_ANSWERS, "answers", variant, weights, dataset, preprocessing, self._cache_dir),
            limits=count_batches(variant, dataset),
        )
        return Evaluation(variant, dataset, preprocessing, path)

    def build(self, model: OnnxModel, options: BuildOptions) -> Artifact:
        """Return a network's library.

        With `dump_ir` it is compiled on this machine, where the directory is.
        """
        worker_pool = self._here if options.dump_ir else self._builders
        options = replace(options, target=self._pinned(options.target))
        artifact: Artifact = worker_pool.call(
            *(_COMPILE, "build_artifact", model, options, self._cache_dir),
            timeout_s=self._time_limit_s,
        )
        return artifact

    def build_roofline_peaks(self, target: Target, threads: int, precision: str) -> RooflinePeaks:
        """Return the libraries that measure how fast a target's device multiplies and reads."""
        roofline_peaks: RooflinePeaks = self._call(
            *(_COMPILE, "build_roofline_peaks", self._pinned(target), threads, precision),
            self._cache_dir,
        )
        return roofline_peaks

    def activations(self, onnx_path: Path, precision: str) -> Activations:
        """Return how much memory the activations of an exported network need in any runtime."""
        needs: Activations = self._call(_ACTIVATIONS, "activations_of", onnx_path, precision)
        return needs

    def check_target(self, target: Target, databases: Sequence[Path]) -> list[str]:
        """Return a warning for every tuned database that cannot be used.

        Raises BenchError if TVM or LLVM does not know the target or no toolchain links for it.
        """
        refused: list[str] = self._call(_COMPILE, "check_target", self._pinned(target), databases)
        return refused

    def _with_pixels(self, model: OnnxModel, variant: Network, weights: Weights) -> OnnxModel:
        preprocessing = weights.preprocessing(variant)
        shown: OnnxModel = self._call(
            *(_PIXEL_INPUT, "with_pixel_input", model, variant, preprocessing, self._cache_dir)
        )
        return shown

    def _pinned(self, target: Target) -> Target:
        """Return a target that means this machine's CPU on other machines too."""
        if self._builders is self._here:
            return target
        found: Target = self._call(_TARGETS, "pinned", target)
        return found

    def _call(self, factory: str, method: str, *args: Any, limits: int = 1) -> Any:
        worker_pool = self._builders if factory == _COMPILE else self._here
        try:
            return worker_pool.call(factory, method, *args, timeout_s=limits * self._time_limit_s)
        except WorkerTimedOutError as error:
            raise WorkerTimedOutError(f"{error}; --time-limit allows more") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        """End the processes: let them finish, or kill them if an error was raised."""
        self._here.close(at_once=kind is not None)
