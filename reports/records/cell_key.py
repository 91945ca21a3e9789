"""The cell of a row: what is measured again night after night."""

from dataclasses import dataclass

from mobilebench.reports.records.record import Record


@dataclass(frozen=True, order=True)
class Cell:
    """What two rows must share before one may be held against the other."""

    target: str
    device: str
    threads: int
    precision: str
    optimize_for: str
    variant: str
    weights: str
    runtime: str

    @staticmethod
    def of(record: Record) -> "Cell":
        """Return the cell of a record."""
        return Cell(
            record.target,
            record.device,
            record.threads,
            record.precision,
            record.optimize_for,
            record.variant,
            record.weights,
            record.runtime,
        )

    @property
    def place(self) -> str:
        """Where and how it was measured."""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        half = f", {self.precision}" if self.precision != "float32" else ""
        memory = ", memory preferred" if self.optimize_for == "memory" else ""
        return f"{self.target} on {self.device}, {threads}{half}{memory}"
