"""What schema 6 called things, and what they are called today."""

from typing import Any

COLUMNS = {
    "prefer": "optimize_for",
    "profile": "effort",
    "functions": "kernel_count",
    "params": "params_count",
    "export_s": "to_onnx_s",
}
STATUSES = {"export_failed": "to_onnx_failed"}
SUITE_KEYS = {
    "variants": "variant",
    "bundles": "bundle",
    "targets": "target",
    "runtimes": "runtime",
    "precisions": "precision",
    "prefer": "optimize_for",
    "watch": "check_regressions",
    "profile": "effort",
    "time_limit_s": "time_limit",
    "wait_s": "wait",
    "cool_below_c": "cool_below",
}


def rename_suite(suite: dict[str, Any]) -> dict[str, Any]:
    """Return the suite of a run with the keys of today."""
    return {SUITE_KEYS.get(key, key): value for key, value in suite.items()}
