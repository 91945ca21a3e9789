"""`mobilebench verify`."""

from pathlib import Path

from mobilebench.bench.bundle.bundle import open_bundle
from mobilebench.bench.cache import cache_directory
from mobilebench.bench.config.suite import Suite
from mobilebench.bench.export.verify import verify_outputs
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.fidelity import TOLERANCE
from mobilebench.targets.devices.farm import WAIT_S, find_farm
from mobilebench.targets.errors import BenchError

NO_DEVICE = "none"


def verify_command(
    directory: Path, device: str | None, digest: str | None, wait_s: float | None
) -> int:
    """Check a bundle's files, then what it computes on a device.

    `device` is HOST:PORT of the tracker that knows the target's boards, or NO_DEVICE to check files
    alone; `digest` is what identifies the bundle, from whom it came. Returns the exit code: 1 if it
    computes something else than PyTorch did. Raises BenchError for a bundle that is not whole.
    """
    bundle = open_bundle(directory)
    if digest and digest.removeprefix("sha256:").lower() != bundle.sha256:
        raise BenchError(
            f"bundle {directory}: its SHA-256 is {bundle.sha256}, not {digest}; it is another one"
        )
    manifest = bundle.manifest
    print(
        f"{directory}: {len(manifest.files)} files as exported, {manifest.variant} for "
        f"{bundle.target.name} ({manifest.architecture}), sha256 {bundle.sha256}"
    )
    if device == NO_DEVICE:
        return 0
    cache_dir = cache_directory()
    farm = find_farm(bundle.target, device, cache_dir, wait_s or WAIT_S)
    if device and farm is None:
        raise BenchError(f"bundle {directory}: it is for this machine; leave out --device {device}")
    config = MeasurementConfig(bundle.target, manifest.threads, Suite.time_limit_s, cache_dir, farm)
    error = verify_outputs(config, bundle).relative_l2_error
    tolerance = TOLERANCE[manifest.precision]  # the suite's own, whatever the bundle says
    good = error <= tolerance
    print(
        f"outputs: relative L2 error {error:.2g} against PyTorch, tolerance {tolerance:g}: "
        f"{'ok' if good else 'WRONG'}"
    )
    return 0 if good else 1
