"""Export and compilation, in processes that are kept from variant to variant."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from mobilebench.bench.accuracy.evaluation import Dataset, Exam, count_batches
from mobilebench.bench.build.artifact import Artifact, Ceilings
from mobilebench.bench.models.onnx_export import Exported
from mobilebench.bench.models.variant import Variant
from mobilebench.bench.models.weights import Weights
from mobilebench.reports.records.activations import Activations
from mobilebench.schedules.params import EMBEDDED
from mobilebench.schedules.precision import FLOAT32
from mobilebench.schedules.preference import LATENCY
from mobilebench.targets.catalog.target import Target
from mobilebench.targets.processes.worker import WITHOUT_TORCH
from mobilebench.targets.processes.worker_pool import Crew, LocalCrew

_EXPORT = "mobilebench.bench.models.onnx_export"
_COMPILE = "mobilebench.bench.build.artifact"
_ACTIVATIONS = "mobilebench.bench.memory.activations"
_ANSWERS = "mobilebench.bench.accuracy.pytorch_answers"
_BLOCKED = {_COMPILE: WITHOUT_TORCH, _ACTIVATIONS: ("torch", "tvm")}


class Workshop:
    """Makes ONNX files and artifacts; a crash or a hang there costs one of them.

    PyTorch and TVM are imported once for each hand, and never in the suite's own process, so that
    Ctrl-C is answered while they compute. Threads may share a workshop.
    """

    def __init__(
        self, cache_dir: Path, time_limit_s: float, hands: int = 1, builders: Crew | None = None
    ) -> None:
        """`hands` work at once here; `builders`, if given, compile instead of them."""
        self._cache_dir = cache_dir
        self._time_limit_s = time_limit_s
        self._here = LocalCrew(hands, _BLOCKED)
        self._builders = builders or self._here
        self.hands = max(hands, self._builders.hands)

    def export(self, variant: Variant, weights: Weights) -> Exported:
        """Return the variant's ONNX file and reference outputs."""
        exported: Exported = self._call(_EXPORT, "export", variant, weights, self._cache_dir)
        return exported

    def check_weights(self, variant: Variant, weights: Weights) -> None:
        """Raise BenchError if the weights do not fit the variant."""
        self._call(_EXPORT, "check_weights", variant, weights)

    def examine(self, variant: Variant, weights: Weights, dataset: Dataset) -> Exam:
        """Have PyTorch answer what the artifacts will be asked; each batch has the time limit."""
        preprocessing = weights.preprocessing(variant)
        path = self._call(
            *(_ANSWERS, "answers", variant, weights, dataset, preprocessing, self._cache_dir),
            limits=count_batches(variant, dataset),
        )
        return Exam(variant, dataset, preprocessing, path)

    def build(
        self,
        variant: Variant,
        exported: Exported,
        target: Target,
        threads: int,
        databases: Sequence[Path],
        precision: str = FLOAT32,
        prefer: str = LATENCY,
        marked: bool = False,
        params: str = EMBEDDED,
    ) -> Artifact:
        """Return the variant's library for a target and a number of threads.

        `databases` are the directories of tuned tiles; none for the templates' best guesses.
        `precision` says what weights and activations are stored in, `prefer` what it is made for;
        a marked one tells how long each kernel takes; `params` where its weights are.
        """
        artifact: Artifact = self._call(
            _COMPILE,
            "build_artifact",
            variant.name,
            exported.onnx_path,
            exported.onnx_sha256,
            target,
            threads,
            databases,
            self._cache_dir,
            precision,
            prefer,
            marked,
            params,
        )
        return artifact

    def build_ceilings(self, target: Target, threads: int) -> Ceilings:
        """Return what measures how fast a target's device multiplies and reads."""
        ceilings: Ceilings = self._call(
            _COMPILE, "build_ceilings", target, threads, self._cache_dir
        )
        return ceilings

    def activations(self, onnx_path: Path, precision: str) -> Activations:
        """Return what the activations of an exported network need, whoever runs it."""
        needs: Activations = self._call(_ACTIVATIONS, "activations_of", onnx_path, precision)
        return needs

    def check_target(self, target: Target, databases: Sequence[Path]) -> list[str]:
        """Return a line for every tuned database that is refused.

        Raises BenchError if TVM or LLVM does not know the target or nothing can link for it.
        """
        refused: list[str] = self._call(_COMPILE, "check_target", target, databases)
        return refused

    def _call(self, factory: str, method: str, *args: Any, limits: int = 1) -> Any:
        crew = self._builders if factory == _COMPILE else self._here
        return crew.call(factory, method, *args, timeout_s=limits * self._time_limit_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        """End the processes; by themselves unless something went wrong, then at once."""
        self._here.close(at_once=kind is not None)
