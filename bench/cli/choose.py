"""`mobilebench choose`."""

import json
from collections.abc import Sequence

from mobilebench.bench.cli.run_line import run_line
from mobilebench.bench.config.commands import ChooseOptions
from mobilebench.bench.measure.support import precisions_of
from mobilebench.bench.models.variant import CLASSIFY, DETECT, SEGMENT, published_grid
from mobilebench.bench.runtimes.runtime import find_runtime
from mobilebench.reports.choice.answer import over_budget
from mobilebench.reports.choice.budgets import Budgets
from mobilebench.reports.choice.candidates import TargetRows, Wanted, read_target
from mobilebench.reports.choice.choose import Choice, choose
from mobilebench.reports.choice.missing import Missing, find_missing
from mobilebench.reports.choice.wording import (
    answer_table,
    describe,
    remarks,
    sentence,
    to_data,
    to_text,
)
from mobilebench.reports.published.figures import published_accuracies
from mobilebench.reports.records.newest import targets_of
from mobilebench.reports.records.store import Store
from mobilebench.schedules.precision import PRECISIONS
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.errors import BenchError, listed

_LEAST = {CLASSIFY: "min_top1", DETECT: "min_map", SEGMENT: "min_miou"}


def choose_command(options: ChooseOptions) -> None:
    """Print the most accurate network within the budgets.

    Raises BenchError if the store has nothing to choose from, or if nothing meets the budgets.
    """
    budgets, task = _asked(options)
    with Store(options.store, create=False) as store:
        target = _find_target(store, options, task)
        wanted = Wanted(
            target, task, options.precisions, options.runtimes, options.threads, options.device
        )
        rows = read_target(store, wanted)
        if options.estimate:
            rows = _estimate(store, wanted, rows, options)
    choice = choose(rows, budgets)
    missing = find_missing(rows, choice, wanted, _precisions(options))
    lines = [(one.reason, run_line(one, options.target, options.store)) for one in missing]
    if options.format == "json":
        _print_json(options, task, rows, choice, lines)
    if choice.chosen is None:
        raise BenchError(_nothing(options, wanted, rows, choice, missing))
    if options.format == "text":
        _print_text(rows, choice, lines)


def _asked(options: ChooseOptions) -> tuple[Budgets, str]:
    """Return the budgets and the task; raises BenchError for accuracies of different tasks."""
    given = {task: getattr(options, name) for task, name in _LEAST.items()}
    least = {task: percent for task, percent in given.items() if percent is not None}
    flags = [_flag(_LEAST[task]) for task in least]
    if len(least) > 1:
        raise BenchError(
            f"{listed(flags, 'and')}: a network is for one task, and networks of different tasks "
            "are not compared; give one of them"
        )
    task = options.task or next(iter(least), CLASSIFY)
    if least and task not in least:
        raise BenchError(
            f"{flags[0]}: it is no figure of --task {task}; give "
            f"{_flag(_LEAST[task])} for that task, or leave out one of the two"
        )
    memory = options.memory_mb
    memory_bytes = None if memory is None else memory * 1e6
    return Budgets(options.latency_ms, memory_bytes, least.get(task)), task


def _estimate(store: Store, wanted: Wanted, rows: TargetRows, options: ChooseOptions) -> TargetRows:
    """Add estimates of published networks; raises BenchError without enough measured kernels."""
    # Imported late because NumPy and SciPy are slow to import.
    from mobilebench.bench.models.kernel_layers import outlines_of
    from mobilebench.reports.choice.estimate import LEAST_NETWORKS
    from mobilebench.reports.choice.estimated import find_bases, with_estimates

    if wanted.task != CLASSIFY:
        raise BenchError(f"--estimate: only classifiers are estimated, not --task {wanted.task}")
    outlines = outlines_of(published_accuracies())
    bases = find_bases(store, wanted, rows, outlines)
    if not bases:
        line = run_line(_to_begin_with(options, wanted.task), options.target, options.store)
        raise BenchError(
            f"--estimate: of {wanted.target} the kernels of more than {LEAST_NETWORKS} networks at "
            f"one precision and thread count are needed; time them: {line} --kernels"
        )
    return with_estimates(rows, bases, outlines)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _find_target(store: Store, options: ChooseOptions, task: str) -> str:
    """Return the target's name; raises BenchError if nothing was measured on it."""
    for name in options.runtimes:
        find_runtime(name)
    known = targets_of(store.database)
    if options.target in known:
        return options.target
    name = find_target(options.target).name
    if name not in known:
        others = f"; it has rows of {listed(known, 'and')}" if known else ""
        raise BenchError(
            f"store {store.url}: nothing was measured on target {name}{others}; measure it: "
            f"{run_line(_to_begin_with(options, task), options.target, options.store)}"
        )
    return name


def _to_begin_with(options: ChooseOptions, task: str) -> Missing:
    """Return what to measure where nothing is known: all published networks of the task."""
    known = [name for name, found in published_accuracies().items() if found.task == task]
    grid = [variant.name for variant in published_grid()] if task == CLASSIFY else known
    precision, threads = (options.precisions or PRECISIONS)[0], options.threads or (1,)
    return Missing("", tuple(grid), precision, threads, options.runtimes)


def _precisions(options: ChooseOptions) -> Sequence[str]:
    """Return the precisions that are asked for, or all that the target has."""
    if options.precisions:
        return options.precisions
    try:
        return precisions_of(find_target(options.target))
    except BenchError:  # a target file that is no longer there
        return PRECISIONS


def _nothing(
    options: ChooseOptions,
    wanted: Wanted,
    rows: TargetRows,
    choice: Choice,
    missing: Sequence[Missing],
) -> str:
    """Say that nothing was measured that meets the budgets, and what is nearest."""
    most = max(missing or [_to_begin_with(options, wanted.task)], key=lambda one: len(one.variants))
    measure = run_line(most, options.target, options.store)
    if not rows.candidates or (choice.unknown and not choice.over):
        what = "no accuracy is known" if choice.unknown else "no row is ok"
        failed = f", and {len(rows.not_counted)} failed" if rows.not_counted else ""
        return (
            f"target {wanted.target}: {what} of task {wanted.task} among those asked for{failed}; "
            f"measure some: {measure}"
        )
    nearest = over_budget(choice)[0]
    more = f", or measure more: {measure}" if missing else ""
    return (
        f"target {wanted.target}: nothing that was measured meets {_budgets_in_words(options)}; "
        f"the nearest is {describe(nearest.candidate)}: {nearest.why}; raise the budget{more}"
    )


def _budgets_in_words(options: ChooseOptions) -> str:
    names = ("latency_ms", "memory_mb", *_LEAST.values())
    given = {name: getattr(options, name) for name in names}
    words = [f"{_flag(n)} {value:g}" for n, value in given.items() if value is not None]
    return listed(words, "and")


def _print_text(rows: TargetRows, choice: Choice, lines: Sequence[tuple[str, str]]) -> None:
    assert choice.chosen
    print(f"{sentence(choice.chosen)}\n")
    table = answer_table(choice)
    print(f"{to_text(table)}\n{table.caption}\n")
    for remark in remarks(choice, rows):
        print(f"- {remark}")
    if lines:
        print("\nNot measured, and could change the answer:")
    for reason, line in lines:
        print(f"- {reason}:\n  {line}")


def _print_json(
    options: ChooseOptions,
    task: str,
    rows: TargetRows,
    choice: Choice,
    lines: Sequence[tuple[str, str]],
) -> None:
    missing = [{"reason": reason, "run": line} for reason, line in lines]
    answer = {"target": options.target, "task": task} | to_data(choice, rows)
    print(json.dumps(answer | {"missing": missing}, indent=2))
