"""`mobilebench report --serve`: a report that follows a running run."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from mobilebench.bench.config.commands import ReportOptions
from mobilebench.reports.records.store import Store
from mobilebench.targets.errors import BenchError
from mobilebench.targets.loopback import require_loopback

_POLL_S = 2.0
_DANGER = "whoever reaches it can read all results"
_ITS_OWN = ("port", "host", "insecure_bind")


def serve_command(options: ReportOptions) -> int:
    """Serve the report of the named runs until interrupted; returns the exit code, 0.

    Raises BenchError or ReportError if it cannot be served.
    """
    if "out" in options.model_fields_set:
        raise BenchError("--serve writes no directory; leave out --out, or --serve")
    require_loopback(options.host, options.insecure_bind, _DANGER)
    # Imported late, because pandas and matplotlib are slow to import.
    from mobilebench.reports.pages.live import LiveReport
    from mobilebench.reports.pages.live_server import LiveServer

    with (
        Store(options.store, create=False) as store,
        TemporaryDirectory(prefix="mobilebench-report-") as directory,
    ):
        live = LiveReport(store, options.run_names, Path(directory))
        try:
            live.refresh()
            with LiveServer(live, options.host, options.port) as server:
                print(f"report: {server.url} ({live.state.said}); Ctrl-C ends it", flush=True)
                while True:
                    time.sleep(_POLL_S)
                    live.refresh()
        except KeyboardInterrupt:
            print("no longer served; `mobilebench report` writes it into a directory")
    return 0


def check_not_serving(options: ReportOptions) -> None:
    """Raise BenchError for an option that has a meaning with `--serve` alone."""
    for name in _ITS_OWN:
        if name in options.model_fields_set:
            raise BenchError(
                f"--{name.replace('_', '-')} is for --serve; add it, or leave this out"
            )
