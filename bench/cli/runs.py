"""`mobilebench store runs`: the runs of a store."""

from mobilebench.bench.cli.tables import make_table, print_table
from mobilebench.reports.records.store import Store


def runs_command(store_url: str) -> None:
    """Print the runs of a store."""
    table = make_table("run", "started (UTC)", "effort", "targets", right=["rows", "ok"])
    with Store(store_url, create=False) as store:
        tally = store.tally()
        for run in store.runs():
            rows, ok = tally.get(run.run_id, (0, 0))
            table.add_row(
                run.run_id,
                run.started_at.removesuffix("+00:00"),
                str(run.suite.get("effort", "-")),
                ", ".join(run.suite.get("target", ())),
                str(rows),
                str(ok),
            )
    print_table(table)
