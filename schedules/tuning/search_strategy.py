"""The order in which MetaSchedule measures a design space that is small enough to be walked."""

from typing import Any

from tvm.ir.utils import derived_object
from tvm.s_tir import meta_schedule as ms


@derived_object
class InOrder(ms.search_strategy.PySearchStrategy):
    """Takes each schedule of a space once, first to last, after those that the database has.

    A template lists its tiles from the most to the least promising, so any budget is well spent,
    and an interrupted search goes on where it stopped.
    """

    def __init__(self) -> None:
        super().__init__()
        self._left: list[Any] = []
        self._batch = 1

    def _initialize_with_tune_context(self, context: ms.TuneContext) -> None:
        self._arguments = ms.arg_info.ArgInfo.from_entry_func(context.mod, remove_preproc=False)
        self._module = context.mod

    def pre_tuning(
        self,
        max_trials: int,
        num_trials_per_iter: int,
        design_spaces: list[Any],
        database: Any = None,
        cost_model: Any = None,
    ) -> None:
        """Begin after the candidates that the database holds already."""
        known = 0
        if database is not None and database.has_workload(self._module):
            workload = database.commit_workload(self._module)
            known = len(database.get_top_k(workload, len(design_spaces)))
        self._left = list(design_spaces)[known:max_trials]
        self._batch = num_trials_per_iter

    def post_tuning(self) -> None:
        """Forget what was not measured."""
        self._left = []

    def generate_measure_candidates(self) -> list[Any] | None:
        """Return the next few; None when there are no more."""
        taken, self._left = self._left[: self._batch], self._left[self._batch :]
        return [ms.MeasureCandidate(one, self._arguments) for one in taken] or None

    def notify_runner_results(self, measure_candidates: list[Any], results: list[Any]) -> None:
        """Learn nothing: the order is fixed."""

    def clone(self) -> "InOrder":
        """Return a fresh strategy."""
        return InOrder()
