"""The suite file: options of `mobilebench run` in TOML.

Its keys are the options' names with `_` for `-`; an option that may be repeated is a list.
"""

import tomllib
from pathlib import Path

from mobilebench.bench.config.check import from_table
from mobilebench.bench.config.suite import SuiteFile, check_names
from mobilebench.targets.errors import BenchError


def read_suite(path: Path) -> SuiteFile:
    """Read a suite file; raises BenchError naming the file and the key."""
    where = f"suite file {path}"
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise BenchError(f"{where}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BenchError(f"{where}: {error}") from error
    options = from_table(SuiteFile, table, where)
    try:
        check_names(options)
    except BenchError as error:
        raise BenchError(f"{where}: {error}") from error
    return options
