"""Which tasks of an atlas are trained beside each other."""

from itertools import groupby

from psi.atlas.config import AtlasConfig
from psi.atlas.parts import parts
from psi.atlas.together import blocked_rows


def test_tasks_that_step_together_have_one_block_and_steps_alike():
    """From part to part of a block they take longer, so that few wait for one."""
    made = parts(AtlasConfig(300, ("sgd",), first=20_000, reach="practice"))
    assert sorted(task.number for part in made for task in part.tasks) == [*range(20_000, 20_300)]
    kinds = [
        (part.shape, {blocked_rows(task.batch) for task in part.tasks}, part.tasks) for part in made
    ]
    assert all(len(blocks) == 1 for _, blocks, _ in kinds)
    several = 0
    for _, same in groupby(kinds, key=lambda kind: kind[:2]):
        lengths = [[task.steps * task.epochs for task in tasks] for *_, tasks in same]
        every = [length for each in lengths for length in each]
        assert every == sorted(every)
        several += len(lengths) > 1
    assert several > 3


def test_on_a_processor_tasks_of_a_part_take_as_many_operations():
    for part in parts(AtlasConfig(60, ("adam", "sgd"))):
        operations = [part.shape.operations(task) for task in part.tasks]
        assert operations == sorted(operations)
