"""`psi bench fit`: one group of measurements after the other."""

from functools import partial
from typing import NamedTuple

import jax
import pandas as pd

from psi.bench.fitting.many import million
from psi.bench.fitting.measured import exponents, quadratics
from psi.bench.fitting.planted import planted, power_law
from psi.bench.shipped import by_optimizer, judged_laws, rows_of, table
from psi.progress import Report, silent, within
from psi.verify.rows import Row, absolute, at_least, at_most, with_seconds

SEEDS = (0, 1, 2, 3)
EXPONENTS = (1 / 3, -1 / 2, 1 / 2, -1.0)


class Bench(NamedTuple):
    """Everything that `psi bench fit` measures."""

    rows: list[Row]
    tasks: pd.DataFrame
    """Every shipped law on every held-out task; empty where the group shipped was not asked for."""


GROUPS = ("planted", "powers", "measured", "rows", "shipped")


def bench_fit(groups: tuple[str, ...] = (), report: Report = silent) -> Bench:
    """The rows of some groups, by default of all. Raises ValueError for an unknown one."""
    unknown = set(groups) - set(GROUPS)
    if unknown:
        raise ValueError(f"unknown group {sorted(unknown)}; there are: {', '.join(GROUPS)}")
    checks = {
        "rows": million,
        "planted": _planted,
        "powers": _powers,
        "measured": lambda: [*quadratics(), *exponents()],
    }
    asked = [name for name in GROUPS if name in (groups or GROUPS)]
    rows: list[Row] = []
    tables = [pd.DataFrame()]
    for number, name in enumerate(asked):
        report(number, len(asked), name)
        stage = within(report, number, 1, len(asked))
        check = partial(_shipped, tables, stage) if name == "shipped" else checks[name]
        rows += with_seconds(check)
    report(len(asked), len(asked), "")
    return Bench(rows, pd.concat(tables, ignore_index=True))


def _planted() -> list[Row]:
    rows = []
    for noise, least, tolerance in ((0.05, 4, 0.05), (0.30, 3, 0.15)):
        found = [planted(seed, noise) for seed in SEEDS]
        good = [f.recovered and f.off <= tolerance for f in found]
        formulas = [f"{f.formula}, off {f.off:.1%}" for f in found]
        each = "; ".join(f"seed {s}: {f}" for s, f in zip(SEEDS, formulas, strict=True))
        what = f"seeds of {len(SEEDS)} at {noise:.0%} noise with the form, constants"
        rows += [
            at_least("planted", f"{what} within {tolerance:.0%} ({each})", sum(good), least),
            at_most("planted", f"seconds a seed at {noise:.0%}", max(f.seconds for f in found), 30),
        ]
    return rows


def _powers() -> list[Row]:
    rows = []
    for exponent in EXPONENTS:
        found = power_law(exponent, seed=0)
        what = f"exponent of ε^{exponent:.3g} at 5% noise, seed 0: {found.formula}"
        rows.append(absolute("powers", what, found.constants["p"], exponent, 0.02))
    return rows


def _shipped(tables: list[pd.DataFrame], report: Report) -> list[Row]:
    rows: list[Row] = []
    for laws in by_optimizer():
        judged = judged_laws(laws, report=report)
        jax.clear_caches()  # a process may map so many programs and no more (vm.max_map_count)
        tables.append(table([name for name, _ in laws], judged))
        for name, _ in laws:
            rows += rows_of(name, judged)
    return rows or [at_least("shipped", "laws in psi.pretrained", 0.0, 1.0)]
