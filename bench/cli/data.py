"""`mobilebench data`: data that accuracy is measured on."""

from pathlib import Path

from mobilebench.bench.accuracy.sample import write_sample
from mobilebench.bench.cache import write_once
from mobilebench.targets.errors import BenchError


def sample_command(directory: Path) -> None:
    """Write the sample data into a new directory; raises BenchError if it is there already."""
    if directory.exists():
        raise BenchError(f"directory {directory}: already exists; choose another")
    write_once(directory, lambda scratch: write_sample(scratch, str(directory)))
    print((directory / "README.txt").read_text(encoding="utf-8"), end="")
