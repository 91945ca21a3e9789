"""The memory that the activations of each network need, gathered from a store."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mobilebench.reports.records.activations import Activations
from mobilebench.reports.records.record import COLUMNS
from mobilebench.reports.records.store import Store
from mobilebench.reports.tables.frames import Setup, last_of_cells, newest, runtimes_of, setups


@dataclass(frozen=True)
class Account:
    """One network in one setup."""

    setup: Setup
    variant: str  # as reports call it
    network: str  # the variant's own name
    needs: Activations  # the plans are those of all runtimes
    rows: pd.DataFrame  # records by runtime, with `added_heap_bytes`, which running added


def gather_accounts(store: Store, run_ids: Sequence[str]) -> list[Account]:
    """Return an account of each network that those runs have accounted for, by setup.

    The newest row of a cell counts; the smallest network of a setup comes first.
    """
    frame = store.frame(COLUMNS, run_ids, statuses=["ok"])
    kept = last_of_cells(frame)
    found = store.activations_of(kept.index)
    known = {record_id: found[record_id] for record_id in kept.index if record_id in found}
    if not known:
        return []
    added = [needs.added_heap_bytes for needs in known.values()]
    shown = newest(frame).loc[list(known)]
    shown = shown.assign(network=kept["variant"], added_heap_bytes=np.array(added, float))
    return [
        _account(setup, str(variant), own, known)
        for setup, rows in setups(shown)
        for variant, own in rows.groupby("variant", sort=False)
    ]


def _account(
    setup: Setup, variant: str, rows: pd.DataFrame, known: dict[Any, Activations]
) -> Account:
    order = {name: number for number, name in enumerate(runtimes_of(rows))}
    rows = rows.sort_values("runtime", key=lambda names: names.map(order))
    needs = [known[index] for index in rows.index]
    plans = {name: nbytes for one in needs for name, nbytes in one.plans.items()}
    merged = replace(needs[0], plans=plans)
    return Account(setup, variant, str(rows["network"].iloc[0]), merged, rows)


def accounts_frame(accounts: Sequence[Account]) -> pd.DataFrame:
    """Return a row for each need and plan of each account, in bytes."""
    return pd.DataFrame(
        [
            {"variant": account.variant, **account.setup.columns, "what": what, "bytes": nbytes}
            for account in accounts
            for what, nbytes in needs_and_plans(account.needs).items()
        ]
    )


EXTERNAL, WORKING_SET, OFFSETS = "all apart", "working set", "greedy by size"


def needs_and_plans(needs: Activations) -> dict[str, int]:
    """Return what the graph needs and what runtimes plan, in bytes by name."""
    return {
        EXTERNAL: needs.total_bytes,
        WORKING_SET: needs.working_set_bytes,
        OFFSETS: needs.offsets_bytes,
        **needs.plans,
    }
