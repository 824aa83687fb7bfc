"""Tasks: a data set or generator, a network and all hyperparameters but the learning rate.

`build.fixed_task` makes one from a user's rows and network, `table.make_task` from a name,
`drawn.sample_tasks` draws them from a `distribution.TaskDistribution`; `task` holds the types.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psi.lab.tasks import build, closed_forms, distribution, drawn, names, problems, table, task

__all__ = ["build", "closed_forms", "distribution", "drawn", "names", "problems", "table", "task"]
