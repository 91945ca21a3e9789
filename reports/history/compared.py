"""Says with which earlier nights a night is compared."""

from collections import defaultdict

from mobilebench.reports.history.timeline import CELL, recent_nights
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.store import Run, Store


def compared_with(store: Store, run: Run) -> str:
    """Return a phrase that names the newest earlier night that shares cells with a night.

    It says how many cells have a history, or that there is none; on which board of its kind a cell
    was measured does not count.
    """
    *earlier, _ = recent_nights(store, run)
    if not earlier:
        return "nothing to compare with: no earlier run in the store had --check-regressions"
    rows = store.frame(("run_id", *CELL), [run.run_id, *(night.run_id for night in earlier)])
    cells: defaultdict[str, set[CellKey]] = defaultdict(set)
    for run_id, *axes in rows[["run_id", *CELL]].itertuples(index=False):
        cells[run_id].add(CellKey(*axes).on_any_device)
    own = cells[run.run_id]
    shared = [night.run_id for night in earlier if own & cells[night.run_id]]
    if not shared:
        return "nothing to compare with: no earlier run with --check-regressions shares a cell"
    known = own & set().union(*(cells[run_id] for run_id in shared))
    runs = "run" if len(shared) == 1 else f"{len(shared)} runs, the newest of them"
    return f"compared with {runs} {shared[-1]} ({len(known)} of {len(own)} cells)"
