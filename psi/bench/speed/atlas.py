"""Trainings a second on the perceptrons of the atlas's distribution."""

from functools import partial
from typing import Any

from psi.atlas.collect import trained
from psi.atlas.config import AtlasConfig
from psi.atlas.parts import parts
from psi.lab.engine.timing import seconds, timed
from psi.progress import Report, silent

PERCEPTRONS = ("linear", "mlp")
TASKS = 100


def bench_atlas(quick: bool = False, report: Report = silent) -> dict[str, Any]:
    """Over the perceptrons among the first tasks, each at all rates under adam.

    Of each padded shape the first part is trained twice, so that compiling is told from training;
    making the data is part of it.
    """
    config = AtlasConfig(8 if quick else TASKS, ("adam",), extensions=0, more_seeds=0)
    every = [part for part in parts(config) if part.shape.network in PERCEPTRONS]
    every = every[: 1 if quick else None]
    spent, compiled, seen = 0.0, 0.0, set()
    for done, part in enumerate(every):
        report(done, len(every), f"atlas, {part.shape.network} {part.shape.width}")
        run = partial(trained, part, config)
        if part.shape in seen:
            spent += timed(run)[0]
        else:
            first, again = seconds(run, 1)
            spent, compiled = spent + again, compiled + first - again
            seen.add(part.shape)
    report(len(every), len(every), "")
    count = sum(len(part.tasks) for part in every)
    trainings = count * config.trainings / config.tasks
    return {
        "atlas_perceptrons": count,
        "atlas_programs": len(seen),
        "atlas_runs_per_second": round(trainings / spent, 1),
        "atlas_compile_s": round(compiled, 1),
    }
