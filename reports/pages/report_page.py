"""A report: one folder with records.csv, report.md, the plots and a page that shows them all.

Where the run is a night and the store has earlier ones of the same cells, a page about it is first.
"""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mobilebench.reports.counting import counted
from mobilebench.reports.errors import ReportError
from mobilebench.reports.history.compared import compared_with
from mobilebench.reports.history.night import Tonight, read_tonight
from mobilebench.reports.history.timeline import NIGHTLY
from mobilebench.reports.pages.choice_page import ChoicePage, Place, find_places, write_choice
from mobilebench.reports.pages.load_page import LoadPage, write_load
from mobilebench.reports.pages.memory_page import MemoryPage, write_memory
from mobilebench.reports.pages.operators_page import OperatorsPage, write_operators
from mobilebench.reports.pages.rendering import Link, render, with_pictures
from mobilebench.reports.pages.replace_report import replace_report
from mobilebench.reports.pages.site import PAGE, navigation, write_site
from mobilebench.reports.plots.cold_start_plots import draw_cold_starts
from mobilebench.reports.plots.plot import Plot
from mobilebench.reports.plots.precision_plots import draw_precisions
from mobilebench.reports.plots.results_plots import draw
from mobilebench.reports.plots.roofline_plot import draw_rooflines
from mobilebench.reports.plots.stages_plots import draw_stages
from mobilebench.reports.plots.throughput_plot import draw_throughput
from mobilebench.reports.records.record import UNSUPPORTED
from mobilebench.reports.records.store import Store
from mobilebench.reports.tables.accuracy_table import accuracy_tables
from mobilebench.reports.tables.cold_start_table import cold_start_tables
from mobilebench.reports.tables.frames import (
    Setup,
    gather,
    geometric_mean,
    newest,
    ok_rows,
    ratios,
    setups,
    write_csv,
)
from mobilebench.reports.tables.kernels_table import family_tables, gather_kernels
from mobilebench.reports.tables.load_tables import LoadedNetwork, gather_loads
from mobilebench.reports.tables.memory_analysis import Account, gather_accounts
from mobilebench.reports.tables.results_table import (
    environment_table,
    failed_table,
    precisions_table,
    result_tables,
    unsupported_table,
    warnings_table,
)
from mobilebench.reports.tables.stages_table import stage_tables
from mobilebench.reports.tables.table import Table
from mobilebench.reports.tables.throughput_table import throughput_tables

RUN_PAGE = "run.html"  # where a night's own page is the first one


@dataclass(frozen=True)
class Glance:
    """The few numbers that are read first."""

    runs: tuple[str, ...]
    started_at: str
    rows: int
    ok: int
    noisy: int
    headlines: tuple[str, ...]
    compared: str = ""  # with which earlier runs, where that was asked for


@dataclass(frozen=True)
class Content:
    """What a report is made of."""

    frame: pd.DataFrame
    kernels: pd.DataFrame
    accounts: Sequence[Account]
    places: Sequence[Place]
    loads: Sequence[LoadedNetwork]


@dataclass(frozen=True)
class Pages:
    """The further pages of a report; None where there is nothing for one."""

    operators: Sequence[OperatorsPage]
    memory: MemoryPage | None
    load: LoadPage | None
    choice: ChoicePage | None


def write_report(store: Store, run_ids: Sequence[str], out: Path) -> Path:
    """Write the report of those runs into `out` and return its page.

    Files of an older report are replaced one by one, each whole, or deleted. Raises ReportError if
    there is nothing to report or `out` cannot be written.
    """
    if not set(run_ids) & set(store.tally()):
        store.require_rows(run_ids, "report")
    content = Content(
        frame=gather(store, run_ids),
        kernels=gather_kernels(store, run_ids),
        accounts=gather_accounts(store, run_ids),
        places=find_places(store, run_ids),
        loads=gather_loads(store, run_ids),
    )
    tonight, compared = None, ""
    if len(run_ids) == 1:
        run = store.find_run(run_ids[0])
        tonight = read_tonight(store, run)
        compared = compared_with(store, run) if run.suite.get(NIGHTLY) else ""
    scratch = None
    try:
        out.mkdir(parents=True, exist_ok=True)
        # Inside, not beside: where `out` is a mounted volume, files cannot be moved into it.
        scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=out))
        glance = _glance(content.frame, run_ids, _began(store, run_ids), compared)
        _fill(scratch, content, glance, tonight)
        replace_report(scratch, out, last=PAGE)
    except OSError as error:
        reason = error.strerror or error
        raise ReportError(f"report directory {out}: {reason}; give another --out") from error
    finally:
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)
    return out / PAGE


def _fill(directory: Path, content: Content, glance: Glance, tonight: Tonight | None) -> None:
    frame, kernels = content.frame, content.kernels
    page_name = PAGE if tonight is None else RUN_PAGE
    nav = navigation(tonight, page_name)
    plots = [
        *draw(frame, directory),
        *draw_precisions(frame, directory),
        *draw_throughput(frame, directory),
        *draw_cold_starts(frame, directory),
        *draw_stages(frame, directory),
        *draw_rooflines(kernels, directory),
    ]
    results = [
        *result_tables(frame),
        *precisions_table(frame),
        *throughput_tables(frame),
        *cold_start_tables(frame),
        *stage_tables(frame),
        *accuracy_tables(frame),
        *family_tables(kernels),
    ]
    failed, noisy = failed_table(frame), warnings_table(frame)
    unsupported = unsupported_table(frame)
    environment = environment_table(frame)
    write_csv(frame, directory / "records.csv")
    operators = write_operators(kernels, nav, directory)
    if operators:
        write_csv(kernels, directory / "kernels.csv")
    memory = write_memory(content.accounts, nav, directory)
    load = write_load(content.loads, nav, directory)
    choice = write_choice(content.places, nav, directory)
    everything = [table for table in (failed, *results, noisy, unsupported, environment) if table]
    pages = Pages(operators, memory, load, choice)
    markdown = _markdown(glance, plots, pages, everything)
    (directory / "report.md").write_text(markdown, encoding="utf-8")
    page = render(
        "page",
        glance=glance,
        plots=with_pictures(plots, directory),
        operators=operators,
        memory=memory,
        load=load,
        choice=choice,
        emulated=[s.title for s, _ in setups(ok_rows(newest(frame))) if s.emulated],
        results=results,
        failed=failed,
        noisy=noisy,
        unsupported=unsupported,
        environment=environment,
        nav=nav if tonight else (),
        here=page_name,
    )
    (directory / page_name).write_text(page, encoding="utf-8")
    if tonight:
        write_site(tonight, nav, _more(plots, pages), directory)


def _more(plots: Sequence[Plot], pages: Pages) -> list[Link]:
    """Return what else there is of a night's run: the first plot of each kind, and the pages."""
    firsts = {plot.title: plot for plot in reversed(plots)}
    found = [Link(f"{RUN_PAGE}#{plot.name}", plot.title) for plot in list(firsts.values())[::-1]]
    if pages.choice:
        found.append(Link("choice.html", f"Which network to choose: {pages.choice.summary}"))
    if pages.memory:
        found.append(Link("memory.html", f"Memory for activations: {pages.memory.summary}"))
    if pages.load:
        found.append(Link("load.html", f"Under load: {pages.load.summary}"))
    if pages.operators:
        found.append(Link(f"{RUN_PAGE}#operators", "Operator by operator"))
    return [*found, Link(f"{RUN_PAGE}#tables", "Tables of latency, memory, fidelity and cost")]


def _began(store: Store, run_ids: Sequence[str]) -> str:
    """Return when the first of those runs began: builds come before the first row."""
    return min(run.started_at for run in store.runs() if run.run_id in run_ids)


def _glance(frame: pd.DataFrame, run_ids: Sequence[str], started_at: str, compared: str) -> Glance:
    good = ok_rows(frame)
    return Glance(
        runs=tuple(run_ids),
        started_at=started_at,
        rows=int((frame["status"] != UNSUPPORTED).sum()),
        ok=len(good),
        noisy=int((good["warnings"] != "").sum()),
        compared=compared,
        headlines=tuple(
            line
            for setup, rows in setups(ok_rows(newest(frame)))
            for line in _headlines(setup, rows)
        ),
    )


def _headlines(setup: Setup, rows: pd.DataFrame) -> list[str]:
    """Say how the main runtime compares with each other one; worth nothing when emulated."""
    if setup.emulated:
        return []
    ratio = ratios(rows)
    return [
        f"{setup.title}: {name} takes {geometric_mean(ratio[name]):.2f} times as long as tvm "
        f"({ratio[name].min():.2f} to {ratio[name].max():.2f}, "
        f"{counted(int(ratio[name].count()), 'variant')})"
        for name in ratio
    ]


def _markdown(
    glance: Glance,
    plots: Sequence[Plot],
    pages: Pages,
    everything: Sequence[Table],
) -> str:
    head = [
        f"# MobileNetV2 benchmark, {', '.join(glance.runs)}",
        "",
        f"Started {glance.started_at}. {glance.ok} of {glance.rows} rows are ok, {glance.noisy} "
        "of them with a warning.",
        "",
        *([f"Regressions: {glance.compared}.", ""] if glance.compared else []),
        *(f"- {line}" for line in glance.headlines),
        "",
    ]
    pictures = [f"![{plot.alt}]({plot.file_name})\n\n{plot.caption}\n" for plot in plots]
    links = [f"- [{page.variant}]({page.name}.md), {page.summary}" for page in pages.operators]
    if links:
        links = ["## Operator by operator", "", *links, ""]
    if memory := pages.memory:
        links += ["## Memory", "", f"- [Memory for activations](memory.md), {memory.summary}", ""]
    if pages.load:
        links += ["## Under load", "", f"- [Under load](load.md), {pages.load.summary}", ""]
    return "\n".join([*head, *pictures, *links, *(table.to_markdown() for table in everything)])
