"""Refusals of images and their labels, whichever option has named them."""

from mobilebench.targets.errors import BenchError


class DataError(BenchError):
    """Data that cannot be used: what is wrong, beginning with where they lie.

    Its text calls them data, as `--data` does; whoever has them by another name says that instead.
    """

    @property
    def said(self) -> str:
        """What is wrong, without what the data are called."""
        return str(self.args[0])

    def __str__(self) -> str:
        return f"data {self.said}"
