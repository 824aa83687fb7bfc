"""Gradients of formulas under JAX: true inside the domain, as documented at its edges."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from psi.law.expression import (
    OPERATIONS,
    Apply,
    Constant,
    Expression,
    Variable,
    evaluate,
    from_json,
    nodes,
)
from tests.law.trees import trees_of

NAMES = ("a", "b", "c")

EDGES: list[tuple[Any, tuple[float, ...], tuple[float, ...]]] = [
    (["sqrt", "a"], (0.0,), (0.0,)),
    (["sqrt", "a"], (-1.0,), (0.0,)),
    (["sqrt", ["mul", "a", "a"]], (0.0,), (0.0,)),
    (["mul", "a", ["sqrt", "a"]], (0.0,), (0.0,)),
    (["log", "a"], (0.0,), (0.0,)),
    (["mul", "b", ["max", ["log", "a"], -1.0]], (0.0, 3.0), (0.0, -1.0)),
    (["pow", "a", 0.5], (0.0,), (0.0,)),
    (["pow", "a", 0.0], (0.0,), (0.0,)),
    (["pow", "a", 1.0], (0.0,), (1.0,)),
    (["pow", "a", 2.0], (0.0,), (0.0,)),
    (["pow", "a", -1.0], (0.0,), (0.0,)),
    (["pow", 0.0, "a"], (0.5,), (0.0,)),
    (["pow", 0.0, "a"], (0.0,), (0.0,)),
    (["pow", -2.0, "a"], (2.0,), (0.0,)),
    (["pow", "a", "b"], (0.0, 0.5), (0.0, 0.0)),
    (["pow", "a", "b"], (0.0, 0.0), (0.0, 0.0)),
    (["pow", "a", "b"], (0.0, 1.0), (1.0, 0.0)),
    (["pow", "a", "b"], (-2.0, 2.0), (-4.0, 0.0)),
    (["pow", "a", "b"], (-2.0, 0.5), (0.0, 0.0)),
    (["pow", ["sub", 1.0, "a"], "b"], (1.0, 0.7), (0.0, 0.0)),
    (["div", "a", "b"], (0.0, 2.0), (0.5, 0.0)),
    (["div", "a", "b"], (0.0, 0.0), (0.0, 0.0)),
    (["div", "a", "b"], (1.0, 0.0), (0.0, 0.0)),
    (["div", "a", 0.0], (1.0,), (0.0,)),
    (["div", 0.0, "a"], (1e-200,), (0.0,)),
    (["min", "a", "b"], (1.0, 1.0), (0.5, 0.5)),
    (["max", "a", "b"], (1.0, 1.0), (0.5, 0.5)),
    (["max", "a", 0.0], (0.0,), (0.5,)),
    (["exp", "a"], (1e3,), (0.0,)),
    # The value is finite, what it is made of is not.
    (["div", "b", ["exp", "a"]], (1e3, 2.0), (0.0, 0.0)),
    (["tanh", ["exp", "a"]], (1e3,), (0.0,)),
    (["min", ["mul", ["mul", 1e200, 1e200], "a"], 1.0], (2.0,), (0.0,)),
    (["min", ["mul", "b", ["exp", "a"]], 1.0], (1e3, 2.0), (0.0, 0.0)),
    (["pow", ["log", "a"], 0.0], (-1.0,), (0.0,)),
    (["add", "b", ["pow", ["tanh", ["add", "b", ["log", "a"]]], 0.0]], (-1.0, 2.0), (0.0, 1.0)),
    (["div", 1.0, ["div", 1.0, "a"]], (0.0,), (0.0,)),
]


def _formula(tree: Expression, names: tuple[str, ...]) -> Any:
    """Of a tuple of scalars: operations on them are compiled once for all trees."""
    return partial(evaluate, tree, names, xp=jnp)


def _scalars(values: Iterable[float]) -> tuple[jax.Array, ...]:
    return tuple(jnp.asarray(value, dtype=float) for value in values)


def _forward(formula: Any, values: tuple[jax.Array, ...]) -> list[float]:
    one, zero = _scalars((1.0, 0.0))
    steps = [tuple(one if k == j else zero for k in range(len(values))) for j in range(len(values))]
    return [float(jax.jvp(formula, (values,), (step,))[1]) for step in steps]


@pytest.mark.parametrize(("data", "point", "wanted"), EDGES)
def test_the_gradient_at_an_edge_is_as_documented(
    data: object, point: tuple[float, ...], wanted: tuple[float, ...]
) -> None:
    formula = _formula(from_json(data), NAMES)
    with jax.enable_x64(True):
        values = _scalars(point)
        assert jax.grad(formula)(values) == wanted
        assert _forward(formula, values) == list(wanted)


def test_compiled_and_mapped_the_gradient_at_an_edge_is_the_same() -> None:
    def all_edges(points: tuple[tuple[jax.Array, ...], ...]) -> list[Any]:
        formulas = [_formula(from_json(data), NAMES) for data, _, _ in EDGES]
        return [jax.grad(f)(point) for f, point in zip(formulas, points, strict=True)]

    with jax.enable_x64(True):
        points = [tuple(jnp.array([x, 1.0]) for x in point) for _, point, _ in EDGES]
        for got, (_, _, wanted) in zip(
            jax.jit(jax.vmap(all_edges))(tuple(points)), EDGES, strict=True
        ):
            assert tuple(float(each[0]) for each in got) == wanted
            assert jnp.isfinite(jnp.array([each[1] for each in got])).all()


@pytest.mark.parametrize(("data", "point", "wanted"), EDGES)
def test_no_value_is_changed_at_an_edge(
    data: object, point: tuple[float, ...], wanted: tuple[float, ...]
) -> None:
    tree = from_json(data)
    with jax.enable_x64(True), np.errstate(all="ignore"):
        got = np.asarray(_formula(tree, NAMES)(jnp.array(point)))
        assert np.array_equal(got, evaluate(tree, NAMES, np.array(point), np), equal_nan=True)


def test_a_mask_keeps_a_point_without_value_out_of_a_sum_and_its_gradient() -> None:
    formula = _formula(from_json(["mul", "b", ["log", "a"]]), ("a", "b"))

    def total(b: jax.Array, a: jax.Array) -> jax.Array:
        each = formula((a, b))
        return jnp.sum(jnp.where(jnp.isfinite(each), each, 0))

    with jax.enable_x64(True):
        a = jnp.array([-1.0, 0.0, 1.0, jnp.e])
        assert float(jax.grad(total)(2.0, a)) == pytest.approx(1.0)
        assert jax.grad(total, 1)(2.0, a).tolist() == pytest.approx([0, 0, 2, 2 / jnp.e])


def test_a_constant_may_be_traced_beside_features_of_many_points() -> None:
    formula = _formula(from_json(["mul", "k", ["pow", "a", "c"]]), ("a", "k", "c"))
    a = np.array([0.0, 0.5, 1.0, 2.0])
    with jax.enable_x64(True):
        k, c = jnp.array(3.0), jnp.array(0.5)
        assert formula((jnp.array(a), k, c)).tolist() == pytest.approx(list(3 * a**0.5))
        by_k, by_c = jax.grad(lambda k, c: formula((jnp.array(a), k, c)).sum(), (0, 1))(k, c)
    assert float(by_k) == pytest.approx(np.sum(a**0.5))
    assert float(by_c) == pytest.approx(np.sum(3 * a[1:] ** 0.5 * np.log(a[1:])))


def test_single_precision_stays_single() -> None:
    formula = _formula(from_json(["mul", 0.3, ["pow", "a", ["neg", "b"]]]), ("a", "b"))
    values = jnp.array([0.5, 0.7], jnp.float32)
    assert formula(values).dtype == jax.grad(formula)(values).dtype == jnp.float32


def test_compiled_the_guards_are_gone_from_the_value() -> None:
    tree = from_json(["mul", ["pow", "a", "b"], ["sqrt", ["div", "a", ["exp", "b"]]]])
    compiled = jax.jit(_formula(tree, NAMES)).lower(jnp.ones((2, 100))).compile().as_text() or ""
    assert compiled.count(" power(") == 1
    assert " is-finite(" not in compiled


def _points(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[tuple[float, ...]]:
    return st.tuples(numbers, numbers, numbers)


def _lifted(tree: Expression, point: tuple[float, ...]) -> tuple[Expression, Any, np.ndarray]:
    """The tree with its constants as variables, all the names, and their values."""
    values: dict[str, float] = dict(zip(NAMES, point, strict=True))

    def lift(node: Expression) -> Expression:
        match node:
            case Constant(value):
                name = f"k{len(values)}"
                values[name] = value
                return Variable(name)
            case Apply(operation, arguments):
                return Apply(operation, tuple(map(lift, arguments)))
        return node

    lifted = lift(tree)
    return lifted, tuple(values), np.array(list(values.values()), dtype=float)


def _magnitude(tree: Expression, names: tuple[str, ...], values: np.ndarray) -> tuple[float, bool]:
    """log of a bound on what a product of slopes and values can be; whether all are finite."""
    total, finite = 0.0, True
    for node in nodes(tree):
        if not isinstance(node, Apply):
            continue
        inner = [evaluate(each, names, values, np) for each in node.arguments]
        value = evaluate(node, names, values, np)
        slopes = OPERATIONS[node.operation].slopes
        found = [value, *(slope(np, value, *inner) for slope in slopes)]
        finite &= bool(np.isfinite(found).all())
        total += sum(np.log1p(abs(each)) for each in found if np.isfinite(each))
    return float(total), finite


edge_numbers = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.0, 3.0, 1e3])


@settings(max_examples=60, deadline=None)
@given(trees_of(edge_numbers, NAMES, max_leaves=8), _points(edge_numbers))
def test_gradients_at_the_edges_are_finite(tree: Expression, point: tuple[float, ...]) -> None:
    with np.errstate(all="ignore"), jax.enable_x64(True):
        lifted, names, values = _lifted(tree, point)
        if _magnitude(lifted, names, values)[0] > np.log(1e300):
            return  # the derivative itself may be too large a number
        formula = _formula(lifted, names)
        wanted = evaluate(lifted, names, values, np)
        got, gradient = jax.value_and_grad(formula)(_scalars(values))
        assert np.array_equal(np.isfinite(got), np.isfinite(wanted))
        assert np.isfinite(gradient).all()
        assert np.isfinite(_forward(formula, _scalars(values))).all()


def _tied(tree: Expression, names: tuple[str, ...], values: np.ndarray) -> bool:
    """Whether a min or max is asked of equals: max(0, min(a, a)) is flat on both sides of a = 0."""
    choices = [n for n in nodes(tree) if isinstance(n, Apply) and n.operation in ("min", "max")]
    pairs = [[evaluate(a, names, values, np) for a in choice.arguments] for choice in choices]
    return any(one == other for one, other in pairs)


H = 1e-5
inner_numbers = st.floats(-3, 3).map(lambda x: round(x, 3))


@settings(max_examples=60, deadline=None)
@given(trees_of(inner_numbers, NAMES, max_leaves=8), _points(inner_numbers))
@example(
    from_json(["mul", 0.3, ["mul", ["pow", "a", 0.7], ["pow", ["sub", 1.0, "b"], 1.5]]]),
    (2, 0.5, 0),
)
@example(
    from_json(["div", ["tanh", ["sqrt", "a"]], ["max", ["log", "b"], ["exp", "c"]]]), (2, 3, -1)
)
@example(from_json(["sub", ["min", "a", "b"], ["neg", ["pow", ["neg", "c"], 2.0]]]), (1, 2, 3))
def test_gradients_are_those_of_finite_differences(
    tree: Expression, point: tuple[float, ...]
) -> None:
    with np.errstate(all="ignore"), jax.enable_x64(True):
        lifted, names, values = _lifted(tree, point)
        magnitude, finite = _magnitude(lifted, names, values)
        if not finite or magnitude > np.log(1e6) or _tied(lifted, names, values):
            return
        gradient = jax.grad(_formula(lifted, names))(_scalars(values))
        for got, step in zip(gradient, H * np.eye(len(values)), strict=True):
            before, here, after = (
                evaluate(lifted, names, values + s * step, np) for s in (-1, 0, 1)
            )
            left, right = (here - before) / H, (after - here) / H
            # Else the point is at an edge, or at a tie, or too near.
            if abs(right - left) < 1e-3:
                assert float(got) == pytest.approx((left + right) / 2, rel=1e-3, abs=1e-3)
