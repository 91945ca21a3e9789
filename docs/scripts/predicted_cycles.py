"""Predict the cycles of networks by LLVM's models of processors, and print them as a table.

    python docs/scripts/predicted_cycles.py OUT.jsonl VARIANT[,VARIANT...] MODEL[,MODEL...] [LLVM]

MODEL is a key of MODELS below. Predictions are added to OUT.jsonl, a JSON object a line; what is
there already is not predicted again. The table has all that the file has.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

MODELS = {
    "cortex-a55": ("android-arm64", "cortex-a55"),
    "cortex-a72": ("raspberry-pi-4", "cortex-a72"),
    "cortex-a76": ("raspberry-pi-5", "neoverse-n1"),
    "cortex-x1": ("android-arm64", "neoverse-v1"),
    "neoverse-v1": ("neoverse-v1", "neoverse-v1"),
    "znver4": ("x86-64-v3", "znver4"),
    "haswell": ("x86-64-v3", "haswell"),
    "skylake": ("x86-64-v3", "skylake"),
    "icelake-server": ("x86-64-v3", "icelake-server"),
    "sapphirerapids": ("x86-64-v3", "sapphirerapids"),
}
PRECISIONS = ("float32", "float16", "int8")


def main(out: Path, variants: Sequence[str], models: Sequence[str], llvm: str) -> None:
    """Predict what is missing, and print everything."""
    found = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    known = {(one["model"], one["variant"], one["precision"], one["asked"]) for one in found}
    for model, variant, precision in product(models, variants, PRECISIONS):
        if (model, variant, precision, llvm) in known:
            continue
        one = _predict(model, variant, precision, llvm)
        with out.open("a") as file:
            file.write(json.dumps(one) + "\n")
        found.append(one)
        print(_line(one), file=sys.stderr, flush=True)
    print("| processor | LLVM | network | precision | Mcycles | floor | ratio | shares |")
    print("|---|---|---|---|---:|---:|---:|---|")
    for one in found:
        print(_line(one))


def _predict(model: str, variant: str, precision: str, llvm: str) -> dict[str, Any]:
    target, cpu = MODELS[model]
    command = [sys.executable, "-c", "from mobilebench.bench.cli.app import main; main()"]
    command += ["predict", "--variant", variant, "--target", target, "--precision", precision]
    command += ["--cpu", cpu, "--format", "json", *(["--llvm", llvm] if llvm else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout) | {"model": model, "asked": llvm}


def _line(one: dict[str, Any]) -> str:
    families: dict[str, float] = {}
    for kernel in one["kernels"]:
        family = kernel["name"].split()[0]
        families[family] = families.get(family, 0.0) + kernel["cycles"] / one["cycles"]
    shares = ", ".join(
        f"{family} {100 * share:.0f}"
        for family, share in sorted(families.items(), key=lambda item: -item[1])
        if share >= 0.01
    )
    figures = f"{one['cycles'] / 1e6:.3f} | {one['floor_cycles'] / 1e6:.3f} | {one['ratio']:.2f}"
    what = (one["model"], one["llvm_version"], one["variant"], one["precision"])
    return f"| {' | '.join(what)} | {figures} | {shares} |"


if __name__ == "__main__":
    path, variants, models, *llvm = sys.argv[1:]
    main(Path(path), variants.split(","), models.split(","), "".join(llvm))
