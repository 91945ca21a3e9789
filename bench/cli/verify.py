"""`mobilebench verify`."""

from mobilebench.bench.bundle.bundle import Bundle, open_bundle
from mobilebench.bench.cache import cache_directory
from mobilebench.bench.config.commands import VerifyOptions
from mobilebench.bench.config.options import TIME_LIMIT_S
from mobilebench.bench.export.verify import verify_outputs
from mobilebench.bench.measure.config import MeasurementConfig
from mobilebench.bench.measure.fidelity import tolerance_of
from mobilebench.targets.devices.farm import find_farm
from mobilebench.targets.errors import BenchError


def verify_command(options: VerifyOptions) -> int:
    """Check a bundle's files, then, unless `run` is off, the network's outputs on a device.

    Returns the exit code: 1 if the outputs differ from PyTorch's. Raises BenchError if the bundle
    is incomplete or damaged, or its checksum is not `sha256`.
    """
    directory, digest = options.bundle, options.sha256
    bundle = open_bundle(directory)
    if digest and digest.removeprefix("sha256:").lower() != bundle.sha256:
        raise BenchError(
            f"bundle {directory}: its SHA-256 is {bundle.sha256}, not {digest}; get the "
            "right bundle"
        )
    manifest = bundle.manifest
    print(
        f"{directory}: {len(manifest.files)} files as exported, {manifest.variant} for "
        f"{bundle.target.name} ({manifest.architecture}), sha256 {bundle.sha256}"
    )
    if not options.run:
        return 0
    try:
        config = _device_of(bundle, options)
        error = verify_outputs(config, bundle).relative_l2_error
    except BenchError as refusal:
        raise BenchError(f"{refusal}; with --no-run only its files are checked") from refusal
    tolerance = tolerance_of(manifest.precision, bundle.variant)  # the suite's, not the bundle's
    good, why = error <= tolerance, ""
    if not good and error <= manifest.agreed_error:
        good, why = True, ": each layer by itself agreed when it was exported"
    if not good and manifest.unjudged:
        why = f": {manifest.unjudged}"
    print(
        f"outputs: relative L2 error {error:.2g} against PyTorch, tolerance {tolerance:g}: "
        f"{'ok' if good else 'WRONG'}{why}"
    )
    return 0 if good else 1


def _device_of(bundle: Bundle, options: VerifyOptions) -> MeasurementConfig:
    """Return where a bundle is run; raises BenchError if its device is not known."""
    cache_dir, tracker = cache_directory(), options.tracker
    farm = find_farm(bundle.target, tracker, cache_dir, options.wait_s)
    if tracker and farm is None:
        raise BenchError(
            f"bundle {bundle.directory}: it was made for this machine; leave out --tracker "
            f"{tracker}"
        )
    threads = bundle.manifest.threads
    return MeasurementConfig(bundle.target, threads, TIME_LIMIT_S, cache_dir, farm)
