"""Genetic searches propose structures, and their trees are read as pyoperon means them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyoperon
from pyoperon.sklearn import SymbolicRegressor

from psi.fit.symbolic.config import FULL
from psi.fit.symbolic.proposals import proposals, read
from psi.law.expression import Variable, evaluate, nodes
from psi.law.printing import text
from tests.fit.symbolic.planted import QUICK, relative


def test_another_seed_proposes_others():
    shapes = [
        {text(each.formula.tree) for each in proposals(relative(), replace(QUICK, seed=seed))}
        for seed in (0, 1)
    ]
    assert shapes[0] != shapes[1]


def test_trees_are_read_as_pyoperon_means_them():
    """Every tree of a front that uses every operation, against pyoperon's own evaluation."""
    rng = np.random.default_rng(3)
    x = rng.uniform(0.5, 3, (60, 2))
    target = np.tanh(x[:, 0]) ** x[:, 1] - np.exp(-x[:, 1]) / np.sqrt(x[:, 0])
    regressor = SymbolicRegressor(
        allowed_symbols=",".join((*FULL, "constant", "variable")),
        objectives=["mse", "length"], population_size=200, pool_size=200, generations=10,
        max_evaluations=10**9, max_length=25, random_state=5, optimizer_iterations=3,
    )  # fmt: skip
    regressor.fit(x, target)
    variables = {key: Variable(name) for key, name in regressor.variables_.items()}
    used = set()
    for model in regressor.pareto_front_:
        tree, constants = read(model["tree"].Nodes, variables)
        columns = [*x.T, *(np.full(60, value) for value in constants.values())]
        with np.errstate(all="ignore"):
            rate = evaluate(tree, ("X1", "X2", *constants), columns, np)
        expected = regressor.evaluate_model(model["tree"], x)
        np.testing.assert_allclose(np.broadcast_to(rate, 60), expected, rtol=2e-4, atol=1e-5)
        used |= {getattr(node, "operation", "") for node in nodes(tree)}
    assert {"sub", "div"} <= used or {"sub", "pow"} <= used


def test_reading_knows_the_order_of_arguments():
    """Postfix, the first argument last: (5 − x)/2."""
    node: Any = vars(pyoperon)["Node"]  # of a library without types
    x = node.Variable(1.0)
    x.HashValue = 7
    two, five = node.Constant(2.0), node.Constant(5.0)
    tree, constants = read([two, x, five, node.Sub(), node.Div()], {7: Variable("x")})
    names = ("x", *constants)
    assert evaluate(tree, names, [3.0, *constants.values()], np) == 1.0
