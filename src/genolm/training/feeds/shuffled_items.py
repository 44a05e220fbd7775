"""Order of the items of a table or a list of windows: every epoch is another permutation; batches continue over its
end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genolm.training.trainer.schedule import stage_at
from genolm.training.trainer.training_plan import TrainingPlan


class ShuffledItems:
    """Endless sequence of item numbers, cut into batches; a function of step and seed.

    Args:
        count: number of items.
        plan: plan with the rows of every step, and the seed.
    """

    def __init__(self, count: int, plan: TrainingPlan) -> None:
        self._count, self._plan = count, plan
        self._epoch, self._order = -1, np.zeros(0, np.int64)

    def of_step(self, step: int, team: int, teams: int) -> list[int]:
        """Return the items of one team in a step: every ``teams``-th one of the batch, starting at ``team``."""
        stage, first = stage_at(step, self._plan).stage, self._rows_before(step)
        return [self._item(first + row) for row in range(team, stage.batch_rows, teams)]

    def _rows_before(self, step: int) -> int:
        rows = 0
        for stage in self._plan.all_stages:
            rows += min(step, stage.steps) * stage.batch_rows
            step = max(0, step - stage.steps)
        return rows + step * self._plan.all_stages[-1].batch_rows

    def _item(self, place: int) -> int:
        epoch, number = divmod(place, self._count)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._permutation(epoch)
        return int(self._order[number])

    def _permutation(self, epoch: int) -> NDArray[np.int64]:
        return np.random.default_rng((self._plan.seed, epoch)).permutation(self._count)
