"""Made-up records: what the numbers are does not matter, only what becomes of them."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mobilebench.bench.models.size import size_of
from mobilebench.bench.models.variant import parse_variant
from mobilebench.reports.records.activations import (
    ARENA,
    LATENCY_PLAN,
    MEMORY_PLAN,
    PATTERN_PLAN,
    Activations,
    Largest,
    OperatorMemory,
)
from mobilebench.reports.records.record import Record
from mobilebench.reports.records.store import Run, Store
from tests.postgres import PostgresServer, find_binaries
from tests.reports.browser import Browser, started
from tests.waiting import HANG_S

RecordMaker = Callable[..., Record]
RUN = "20260102-030405-abcd"


@pytest.fixture(scope="session")
def make_record() -> RecordMaker:
    """Return a function that makes an ok record of a variant and a runtime."""

    def make(
        variant: str = "mobilenet_v2_1.0_224",
        runtime: str = "tvm",
        latency_ms: float | None = 3.0,
        **others: Any,
    ) -> Record:
        parsed = parse_variant(variant)
        size = size_of(parsed)
        values: dict[str, Any] = {
            "run_id": RUN,
            "started_at": "2026-01-02T03:04:05+00:00",
            "variant": variant,
            "task": parsed.task,
            "width_multiplier": parsed.width_multiplier,
            "expansion_factor": parsed.expansion_factor,
            "height": parsed.height,
            "width": parsed.width,
            "precision": "float32",
            "target": "native",
            "device": "workbench",
            "emulated": False,
            "runtime": runtime,
            "runtime_version": "1.2.3",
            "threads": 1,
            "trials": 0,
            "optimize_for": "latency",
            "effort": "quick",
            "weights": "random(seed 0)",
            "status": "ok",
            "macs": size.macs,
            "params_count": size.params_count,
            "largest_tensor_bytes": size.largest_tensor_bytes,
            "params_bytes": 4 * size.params_count if runtime == "tvm" else None,
            "arena_bytes": 2 * size.largest_tensor_bytes if runtime == "tvm" else None,
            "peak_rss_bytes": 200_000_000,
            "relative_l2_error": 5e-7,
            "top1_agreement": 1.0,
            "fidelity_inputs": 4,
            "cpu_model": "Imaginary CPU",
        }
        if latency_ms is not None:
            values |= {
                "latency_p50_ms": latency_ms,
                "latency_ci95_low_ms": latency_ms * 0.99,
                "latency_ci95_high_ms": latency_ms * 1.02,
                "samples": 100,
            }
        return Record(**(values | others))

    return make


@pytest.fixture
def make_needs() -> Callable[..., Activations]:
    """Return a function that makes the needs of a network, and a runtime's plans for it."""
    plans = {
        "tvm": {LATENCY_PLAN: 2_000_000, MEMORY_PLAN: 1_000_000},
        "onnxruntime": {PATTERN_PLAN: 5_000_000, ARENA: 8_000_000},
    }

    def make(runtime: str = "tvm", sizes: tuple[Largest, ...] = (), **others: Any) -> Activations:
        values: dict[str, Any] = {
            "element_bytes": 4,
            "input_bytes": 602_112,
            "output_bytes": 4000,
            "sizes": sizes or (Largest(8, 8, 96, 16, (16,)), Largest(1, 1, 1280, 1280, ())),
            "steps": tuple(OperatorMemory(f"pointwise {n}", n * 1_000_000) for n in (3, 4, 1)),
            "total_bytes": 9_000_000,
            "offsets_bytes": 4_500_000,
            "plans": plans.get(runtime, {}),
            "loaded_heap_bytes": 30_000_000,
            "used_heap_bytes": 32_100_000,
        }
        return Activations(**(values | others))

    return make


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Return a PostgreSQL server of the tests' own."""
    binaries = find_binaries()
    if binaries is None:
        assert "CI" not in os.environ, "CI must have PostgreSQL"
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    server = PostgresServer(binaries)
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store with one run begun."""
    opened = Store(str(tmp_path / "store.sqlite"))
    opened.begin_run(Run(RUN, "2026-01-02T03:04:05+00:00", {}))
    return opened


def find_chromium() -> str:
    """Return the browser's program; a test that needs one is skipped without it."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        assert "CI" not in os.environ, "CI must have Chromium"
        pytest.skip("needs Chromium")
    return found


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """Return a browser in which keys can be pressed."""
    with started(find_chromium(), tmp_path / "profile") as found:
        yield found


@pytest.fixture
def chromium(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Return a function that opens a page, given as HTML: its document in the end, and its log."""
    found = find_chromium()

    def open_page(html: str) -> subprocess.CompletedProcess[str]:
        probe = tmp_path / "probe.html"
        probe.write_text(html)
        return subprocess.run(
            [
                found,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--allow-file-access-from-files",
                "--enable-logging=stderr",
                f"--user-data-dir={tmp_path / 'profile'}",
                "--virtual-time-budget=5000",
                "--dump-dom",
                probe.as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=HANG_S,
            check=True,
        )

    return open_page


@pytest.fixture
def in_a_browser(
    chromium: Callable[[str], subprocess.CompletedProcess[str]],
) -> Callable[[Path, int], str]:
    """Return a function that opens a page at a width, and says what a reader would complain of."""

    def style(page: Path, width: int) -> str:
        # A frame of the width asked for: a window of a headless browser cannot be that narrow.
        done = chromium(
            f"""<iframe src="{page.as_uri()}" width="{width}" height="800"></iframe><pre></pre>
            <script>
            onload = () => {{
              const inside = document.querySelector("iframe").contentDocument;
              const broken = [...inside.images].filter(i => i.naturalWidth == 0).length;
              const heads = "thead th, table:not(.numbered) th";
              const squeezed = [...inside.querySelectorAll(heads)].some(h => h.offsetHeight > 80);
              const sideways = inside.documentElement.scrollWidth - {width};
              document.querySelector("pre").textContent =
                `images=${{inside.images.length}} broken=${{broken}} sideways=${{sideways > 0}} ` +
                `squeezed=${{squeezed}}`;
            }}
            </script>"""
        )
        return done.stdout.rpartition("<pre>")[2].partition("</pre>")[0]

    return style
