"""`mobilebench report`."""

from collections.abc import Sequence
from pathlib import Path

from mobilebench.reports.records.store import Store
from mobilebench.targets.errors import BenchError


def report_command(store_url: str, run_names: Sequence[str], out: Path) -> None:
    """Write the report of the named runs (`latest` is the newest) and print its path."""
    from mobilebench.reports.pages.report_page import (
        write_report,  # imported late because pandas and matplotlib are slow to import
    )

    check_report_directory(out)
    with Store(store_url, create=False) as store:
        run_ids = [store.find_run(name).run_id for name in run_names]
        page = write_report(store, list(dict.fromkeys(run_ids)), out)
    print(f"report: {page}")


def check_report_directory(out: Path) -> None:
    """Raise BenchError if a report cannot be written there; called before anything is measured."""
    blocking = next((path for path in (out, *out.parents) if path.exists()), None)
    if blocking is not None and not blocking.is_dir():
        raise BenchError(f"report directory {out}: {blocking} is a file; give --out a directory")
