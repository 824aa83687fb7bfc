"""Structures proposed by genetic programming: pyoperon on the raw rate.

Two objectives, the mean squared error in α after linear scaling and the tree's length (NSGA-II),
from several seeds. Only structures are kept: a squared error in α knows nothing of relative noise,
so constants are refitted elsewhere. Burlacu et al. 2020, Operon C++ (GECCO Companion).
"""

import json
from collections.abc import Mapping
from functools import partial, reduce
from typing import Any

import numpy as np

from psi.fit.formula.formula import Candidate, candidate
from psi.fit.formula.points import Points
from psi.fit.symbolic.config import FULL, SymbolicConfig
from psi.lab.data.kept import kept
from psi.law.expression import (
    Apply,
    Constant,
    Expression,
    Variable,
    evaluate,
    from_json,
    to_json,
)

UNLIMITED = 10**9
MOST_RUNS = 10**6


def proposals(points: Points, config: SymbolicConfig) -> list[Candidate]:
    """The trees on the Pareto fronts of all genetic searches, their numbers as free constants.

    As pyoperon made them: neither simplified nor without repetition.
    """
    every = [
        json.loads(str(found))
        for run in range(config.runs)
        for found in kept("searched", partial(_evolved, points, config, run))
    ]
    return [candidate(from_json(tree), points.names, constants) for tree, constants in every]


def _evolved(points: Points, config: SymbolicConfig, run: int) -> list[str]:
    """What one search has found: trees and their constants by name, as JSON."""
    from pyoperon.sklearn import SymbolicRegressor  # its import takes 0.3 s

    view = config.views[run % len(config.views)]
    rows = _sample(points, config, run)
    inputs = _inputs(rows, view.target)
    target = rows.log_rate - rows.log_rate.mean()
    regressor = SymbolicRegressor(
        allowed_symbols=",".join((*view.operations, "constant", "variable")),
        objectives=["mse", "length"],
        population_size=config.population,
        pool_size=config.population,
        generations=config.generations,
        # Threads race for a budget of evaluations; generations end alike on any number of them.
        max_evaluations=UNLIMITED,
        epsilon=0.0,
        max_length=config.length,
        optimizer_iterations=5,
        n_threads=config.threads,
        random_state=config.seed * MOST_RUNS + run,
    )
    features = np.stack([evaluate(tree, rows.names, rows.values, np) for tree in inputs], axis=1)
    regressor.fit(features, np.exp(target) if view.target == "rate" else target)
    variables = {each: inputs[int(x[1:]) - 1] for each, x in regressor.variables_.items()}
    found = [read(model["tree"].Nodes, variables) for model in regressor.pareto_front_]
    if view.target == "log":
        found = [(Apply("exp", (tree,)), constants) for tree, constants in found]
    else:
        found += [(_without_offset(tree), constants) for tree, constants in found]
    return [json.dumps([to_json(tree), constants]) for tree, constants in found]


def _inputs(points: Points, target: str) -> list[Expression]:
    """What a search is offered: the features, 1 − progress, and for log α their logarithms.

    A difference that must vanish exactly at the end of the budget is no matter of fitting.
    """
    inputs: list[Expression] = [Variable(name) for name in points.names]
    if "progress" in points.names:
        inputs.append(Apply("sub", (Constant(1.0), Variable("progress"))))
    if target == "rate":
        return inputs
    values = [evaluate(tree, points.names, points.values, np) for tree in inputs]
    logs = [Apply("log", (t,)) for t, v in zip(inputs, values, strict=True) if (v > 0).all()]
    return [*inputs, *logs]


def _without_offset(tree: Expression) -> Expression:
    """Linear scaling appends an offset, without which most rates are more sensible."""
    match tree:
        case Apply("add", (Variable(), rest)):
            return rest
        case _:
            return tree


def _sample(points: Points, config: SymbolicConfig, run: int) -> Points:
    """Points for a search that knows no weights: drawn in proportion to them."""
    rng = np.random.default_rng([config.seed, run])
    used = np.flatnonzero(points.weight > 0)
    weight = points.weight[used]
    same = bool(np.ptp(weight) == 0)
    rows = min(config.rows, len(used)) if same else config.rows
    return points.take(rng.choice(used, rows, replace=not same, p=weight / weight.sum()))


def read(
    postfix: list[Any], variables: Mapping[int, Expression]
) -> tuple[Expression, dict[str, float]]:
    """(a tree of pyoperon's nodes, its constants by name); `variables` by their hashes.

    Nodes are in postfix order, the first argument just before its operation and the last one
    farthest. A variable has a weight.
    """
    constants: dict[str, float] = {}

    def constant(value: float) -> Expression:
        name = f"k{len(constants)}"
        constants[name] = float(value)
        return Variable(name)

    stack: list[Expression] = []
    for node in postfix:
        if node.IsVariable:
            stack.append(Apply("mul", (constant(node.Value), variables[node.HashValue])))
        elif node.IsConstant:
            stack.append(constant(node.Value))
        else:
            stack.append(_applied(node.Type.name, [stack.pop() for _ in range(node.Arity)]))
    (tree,) = stack
    return tree, constants


def _applied(kind: str, arguments: list[Expression]) -> Expression:
    operation = kind.lower()
    if operation not in FULL:
        raise ValueError(f"pyoperon used {kind}, which no law may hold")
    if len(arguments) == 1 and operation == "sub":
        return Apply("neg", tuple(arguments))
    if len(arguments) == 1 and operation == "div":
        return Apply("div", (Constant(1.0), *arguments))
    if len(arguments) == 1:
        return Apply(operation, tuple(arguments))
    return reduce(lambda a, b: Apply(operation, (a, b)), arguments)
