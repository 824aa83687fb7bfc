"""The exponents of the facts with intervals, beside what others have published.

Intervals are Student's t, one degree less than domains, times the standard error of a bootstrap
that draws whole domains: tasks of one domain are not independent of each other, and percentiles are
too narrow where domains are few. Published exponents are of other tasks, mostly language models
thousands of times larger, so they are a comparison and no test.

Rules of the batch hold rows and epochs fixed, so that there are fewer steps in an epoch: what they
say is the exponent of the batch less that of the steps, `batch − steps`.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from psi.fit.scale.linear import Candidate, fit_linear, task_weights
from psi.fit.scale.tuned import TunedTasks
from psi.ideal.resampling import bootstrap_counts, bootstrap_error, numbered, student_width
from psi.progress import Report, silent

BY_ROWS = "batch − steps"


class Published(NamedTuple):
    """An exponent of the rate that others found or derived."""

    optimizer: str
    fact: str
    exponent: float
    rule: str
    source: str


PUBLISHED = (
    Published("adam", "parameters", -0.5, "muP: 1/width for hidden matrices, P as width² at fixed "
              "depth", "Yang et al. 2022, arXiv 2203.03466; mup/optim.py, MuAdam"),
    Published("sgd", "parameters", 0.0, "muP: hidden matrices keep their rate at any width",
              "Yang et al. 2022, arXiv 2203.03466; mup/optim.py, MuSGD"),
    Published("momentum", "parameters", 0.0, "muP: hidden matrices keep their rate at any width",
              "Yang et al. 2022, arXiv 2203.03466; mup/optim.py, MuSGD"),
    Published("adam", "parameters", -0.713, "language models, of N and D at the best batch",
              "Li et al. 2025, arXiv 2503.04715"),
    Published("adam", "parameters", -0.125, "language models, of compute C = M D, M operations a "
              "token", "DeepSeek-AI 2024, arXiv 2401.02954"),
    Published("adam", "batch", 0.5, "square root rule, from the stochastic differential equation",
              "Malladi et al. 2022, arXiv 2205.10287"),
    Published("sgd", "batch", 1.0, "linear rule", "Goyal et al. 2017, arXiv 1706.02677"),
    Published("momentum", "batch", 1.0, "linear rule", "Goyal et al. 2017, arXiv 1706.02677"),
    Published("adam", "data", 0.307, "language models, of N and D at the best batch",
              "Li et al. 2025, arXiv 2503.04715"),
    Published("adam", "data", -0.125, "language models, of compute C = M D, M operations a token",
              "DeepSeek-AI 2024, arXiv 2401.02954"),
    Published("adam", "data", -0.32, "language models at one size and batch",
              "Bjorck et al. 2025, arXiv 2409.19913"),
)  # fmt: skip
"""`data`: how much is seen in training, batch × steps × T of an atlas. At a given batch that is the
exponent of the steps, and of T."""


def exponents(
    tasks: TunedTasks,
    candidate: Candidate,
    resamples: int = 200,
    seed: int = 0,
    report: Report = silent,
) -> pd.DataFrame:
    """The exponents of a candidate's fit with 95 % bootstrap intervals over domains.

    Args:
        tasks: the tasks, of one optimizer and target.
        candidate: what was chosen.
        resamples: how many times domains are drawn.
        seed: of the draws.
        report: gets the number of resamples done.

    Returns:
        A row a constant: name, value, low, high. The first is `rate`, the factor in front, whose
        interval is that of its logarithm. Where both are among them, the last is `batch − steps`.

    Raises:
        ValueError: there are fewer than two domains.
    """
    number, weight = numbered(tasks.domain), task_weights(tasks.domain)
    groups = int(number.max()) + 1
    if groups < 2:
        raise ValueError(f"intervals over domains need at least 2 of them, got {groups}")
    drawn = bootstrap_counts(groups, resamples, np.random.default_rng(seed))
    names, values = ["rate", *candidate.facts.columns], []
    both = {"batch", "steps"} <= {*names}
    for counts in (np.ones(groups), *drawn):
        fit = fit_linear(tasks, candidate, weight * counts[number])
        own = dict(zip(names, (fit.intercept, *fit.exponents), strict=True))
        values.append([*own.values(), *([own["batch"] - own["steps"]] if both else [])])
        report(len(values) - 1, resamples, "")
    whole = np.array(values[0])
    width = student_width(groups) * bootstrap_error(np.array(values[1:]), groups)
    table = np.stack([whole, whole - width, whole + width], axis=1)
    table[0] = np.exp(table[0])
    made = pd.DataFrame(table, columns=["value", "low", "high"])
    made.insert(0, "name", [*names, *([BY_ROWS] if both else [])])
    return made


def beside_published(table: pd.DataFrame, optimizer: str) -> pd.DataFrame:
    """Published exponents of an optimizer, each beside the fitted one of the same fact.

    Returns:
        A row a published exponent: fact, published, rule, source, name (of the fitted exponent),
        value, low, high, within (whether the published one is in the interval).
    """
    rows = pd.DataFrame(PUBLISHED).rename(columns={"exponent": "published"})
    rows = rows[rows.optimizer == optimizer].drop(columns="optimizer")
    alike = {"parameters": ["parameters"], "batch": [BY_ROWS], "data": ["steps", "budget"]}
    rows = rows.assign(name=rows.fact.map(alike)).explode("name")
    rows = rows.merge(table, on="name", how="inner")
    return rows.assign(within=(rows.low <= rows.published) & (rows.published <= rows.high))
