"""How large libraries are without their weights, of every published network, on each target named.

    python docs/scripts/library_sizes.py x86-64-v4 raspberry-pi-4

Libraries are stripped; their weights are a part of them, whose size is taken off.
"""

import argparse

from mobilebench.bench.build.build_options import BuildOptions
from mobilebench.bench.build.build_service import BuildService
from mobilebench.bench.cache import cache_directory
from mobilebench.bench.models.variant import paper_grid, published_grid
from mobilebench.bench.models.weights import Weights
from mobilebench.schedules.databases.database import directories
from mobilebench.targets.catalog.target import find_target

LIMIT_S = 600.0


def main() -> None:
    """Print the size of each library, and the least and the most on each target."""
    parser = argparse.ArgumentParser()
    parser.add_argument("targets", nargs="+")
    variants = list(dict.fromkeys([*published_grid(), *paper_grid()]))
    with BuildService(cache_directory(), LIMIT_S) as service:
        for target in map(find_target, parser.parse_args().targets):
            sizes = []
            options = BuildOptions(target, databases=directories())
            for variant in variants:
                exported = service.to_onnx(variant, Weights())
                made = service.build(exported, options).manifest
                sizes.append(made.artifact_bytes - made.params_bytes)
                print(f"{variant.name:40} {sizes[-1] / 1000:7.1f} kB", flush=True)
            print(f"{target.name}: {min(sizes) / 1000:.1f} to {max(sizes) / 1000:.1f} kB")


if __name__ == "__main__":
    main()
