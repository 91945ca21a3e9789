"""A quantized network whose outputs are too far from the reference's, looked at layer by layer.

Where a sum lies halfway between two bytes, right kernels may round it otherwise than the reference,
and every layer spreads that; in a deep network the outputs can differ by more than the tolerance.
So before the kernels are called wrong, each layer is held against the reference by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from mobilebench.bench.build.artifact import Artifact
from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.models.onnx_export import OnnxModel
from mobilebench.bench.models.outputs import Floats, Outputs


@dataclass(frozen=True)
class LayerCheck:
    """How the layers of a quantized network are compared; nothing is built before it is asked."""

    service: BuildService
    model: OnnxModel
    options: BuildOptions

    def disagreement(self, image: Floats, infer: Callable[[Artifact, Floats], Outputs]) -> str:
        """Return the first layer that differs from the reference's; empty if all agree.

        `infer` returns the outputs of an artifact for images (1, 3, H, W). Raises what building
        and it raise.
        """
        watched = self.service.watch_layers(self.model)
        outputs = infer(self.service.build(watched, self.options), image)
        return self.service.first_disagreement(self.model, watched, image, outputs)


def layers_of(
    service: BuildService, model: OnnxModel | None, options: BuildOptions
) -> LayerCheck | None:
    """Return how a network's layers are compared; None unless it was quantized here."""
    if model is None or model.quantization is None:
        return None
    return LayerCheck(service, model, replace(options, dump_ir=None))
