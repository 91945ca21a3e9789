"""`mobilebench compare`."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mobilebench.bench.config.commands import CompareOptions
from mobilebench.bench.config.options import FORMATS
from mobilebench.reports.records.store import Run, Store
from mobilebench.targets.errors import BenchError

if TYPE_CHECKING:
    from mobilebench.reports.comparison.comparison import Comparison


def compare_command(options: CompareOptions) -> int:
    """Print how HEAD compares with BASE, or write it to a file; return 1 if anything got worse.

    With `confirm`, what seems to have changed is measured again first.
    """
    # Imported late because NumPy and SciPy are slow to import.
    from mobilebench.reports.comparison.compare import compare_runs
    from mobilebench.reports.comparison.formats import to_json, to_junit
    from mobilebench.reports.comparison.wording import summary, to_markdown, to_text

    with Store(options.store, create=False) as store:
        before, after = (store.find_run(name) for name in (options.base, options.head))
        comparison = compare_runs(store, before, after, options.threshold)
        if options.confirm and _confirm(after, store, comparison):
            comparison = compare_runs(store, before, after, options.threshold)
    writers = (to_text, to_markdown, to_json, to_junit)
    forms: dict[str, Callable[[Comparison], str]] = dict(zip(FORMATS, writers, strict=True))
    text, out = forms[options.format](comparison), options.out
    if out is None:
        print(text, end="")
    else:
        _write(out, text)
        print(f"{summary(comparison)}; {out}")
    return 1 if comparison.regressions else 0


def _confirm(head: Run, store: Store, comparison: "Comparison") -> bool:
    """Measure what seems to have changed again; whether there was anything."""
    from mobilebench.bench.cli.resume import kept_context  # imported late, as above
    from mobilebench.bench.regression.confirm import confirm_changes, suspects

    if not suspects(comparison):
        return False
    confirm_changes(kept_context(head), store, comparison, _say)
    return True


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _write(path: Path, text: str) -> None:
    """Write a file completely or not at all."""
    scratch = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=".new-", delete=False
        ) as file:
            scratch = Path(file.name)
            file.write(text)
        scratch.chmod(0o644)  # a temporary file may only be read by its owner
        scratch.replace(path)
    except OSError as error:
        if scratch:
            scratch.unlink(missing_ok=True)
        reason = error.strerror or error
        raise BenchError(
            f"--out {path}: {reason}; give a file in a directory that exists"
        ) from error
