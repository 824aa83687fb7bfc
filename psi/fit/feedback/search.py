"""The search of a feedback's weights: an evolution strategy over whole trainings.

Every generation draws tasks and a seed of its own; all lanes share them, so that they are compared
on the same initial weights and minibatches. What a policy sees is one half of the validation rows,
what it is scored on the other. The answer is the mean of the strategy's centres over the second
half of the generations: the centre itself wanders with the noise of tasks.
"""

import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, get_args, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from psi.atlas.training import Plan
from psi.fit.feedback.descent import CUT, STEP, Descent, begun, descended
from psi.fit.feedback.family import CAPS, OF_VALIDATION, check_inputs
from psi.fit.feedback.objective import drawn, objective
from psi.fit.feedback.pool import Pool, losses, scored
from psi.lab.data.folder import alone_in
from psi.lab.data.store import digest
from psi.lab.engine.evolution import strategy
from psi.lab.engine.policy import Policy
from psi.lab.engine.seeds import POLISH
from psi.law.checks import at_least, check_positive, unknown
from psi.law.file import write_atomic
from psi.law.law import Law
from psi.progress import Report, silent

Method = Literal["cma", "snes", "openes", "gradient"]


@dataclass(frozen=True)
class SearchConfig:
    """How a search goes. Raises ValueError where a number or a name makes no sense."""

    generations: int = 80
    lanes: int = 24
    """Laws a generation, each trained on all its tasks."""
    spread: float = 0.6
    """Of the first lanes, times each constant's own."""
    method: Method = "cma"
    """An evolution strategy, or descent along hypergradients, which has no lanes."""
    inputs: tuple[str, ...] = OF_VALIDATION
    """Names of psi.fit.feedback.family.INPUTS."""
    held: tuple[str, ...] = ()
    """Constants that are not searched."""
    operations: float = 4e8
    """The most that a training may take, with padding."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_inputs(self.inputs)
        if self.method not in get_args(Method):
            raise ValueError(unknown("search method", self.method, get_args(Method)))
        at_least(self, generations=2, lanes=4, seed=0)
        if self.method == "openes" and self.lanes % 2:
            raise ValueError(f"openes takes lanes in pairs, got {self.lanes}")
        check_positive("spread", self.spread)
        check_positive("operations", self.operations)


@runtime_checkable
class Searchable(Protocol):
    """Policies around a law of facts, each made of an array of constants."""

    @property
    def base(self) -> Law:
        """The law of facts."""
        ...

    @property
    def words(self) -> list[str]:
        """What tells it from others around the same base."""
        ...

    @property
    def statistics(self) -> bool:
        """Whether they see norms of gradients and updates."""
        ...

    @property
    def constants(self) -> tuple[str, ...]:
        """Names of what a search moves, in order."""
        ...

    @property
    def start(self) -> Float[np.ndarray, " constant"]:
        """The constants of the base alone."""
        ...

    @property
    def spreads(self) -> Float[np.ndarray, " constant"]:
        """How far a search looks at first along each constant."""
        ...

    def within(self, constants: Float[np.ndarray, "*lane constant"]) -> np.ndarray:
        """The constants, those that have limits within them."""
        ...

    def policy(self) -> Callable[[Array], Policy]:
        """What makes the constants of a lane its policy; the same object for equal families."""
        ...


def plan_of(optimizer: str, family: Searchable) -> Plan:
    """What trains a family's policies; norms are measured where these see them."""
    return Plan(optimizer, family.policy(), validates=True, measures=family.statistics)


class Searched(NamedTuple):
    """What a search came to."""

    constants: Float[np.ndarray, " constant"]
    """The mean of the centres over the second half of the generations."""
    centres: Float[np.ndarray, "generation constant"]
    regret: Float[np.ndarray, " generation"]
    """Mean over tasks and lanes, of tasks that differ from one generation to the next."""


def search(
    pool: Pool,
    family: Searchable,
    start: Float[np.ndarray, " constant"],
    config: SearchConfig,
    folder: Path,
    report: Report = silent,
) -> Searched:
    """Search the constants of a family's laws on the tasks of a pool.

    The same call goes on from the last generation that `folder` has, to the same bits.

    Args:
        pool: the tasks; none of those that laws are compared on.
        family: the laws.
        start: the constants of the first centre.
        config: how.
        folder: where `state.npz` is kept.
        report: gets the generations done.

    Raises:
        ValueError: the folder holds another search, or another run writes to it; or config.held is
            none of the constants.
    """
    moved = _moved(family, config)
    with alone_in(folder):
        return _searched(pool, family, start, moved, config, folder, report)


def _searched(
    pool: Pool,
    family: Searchable,
    start: Float[np.ndarray, " constant"],
    moved: np.ndarray,
    config: SearchConfig,
    folder: Path,
    report: Report,
) -> Searched:
    key = jax.random.key(config.seed)
    identity = _identity(pool, family, start, config)
    lanes_at = partial(_lanes, family, start, moved)
    method = _descending if config.method == "gradient" else _evolving
    advance, state = method(pool.optimizer, family, moved, lanes_at, config, key)
    kept = _read(folder / "state.npz", identity, state)
    state, centres, regrets = kept or (state, [], [])
    for generation in range(len(centres), config.generations):
        note = f"regret {regrets[-1]:.2f}" if regrets else "compiling"
        report(generation, config.generations, note)
        some = pool.take(drawn(pool, np.random.default_rng([config.seed, generation])))
        seed = POLISH.array(1, config.seed * config.generations + generation)
        draw = jax.random.fold_in(key, generation)
        state, centre, regret = advance(state, draw, some, seed)
        centres.append(lanes_at(centre[None])[0])
        regrets.append(regret)
        _write(folder / "state.npz", identity, state, centres, regrets)
    report(config.generations, config.generations, "")
    late = np.array(centres)[len(centres) // 2 :]
    return Searched(family.within(late.mean(0)), np.array(centres), np.array(regrets))


Advance = Callable[[Any, Any, Pool, np.ndarray], tuple[Any, np.ndarray, float]]
"""(state, key, tasks, seed) → (state, centre in units of spreads, mean regret)."""
LanesAt = Callable[[np.ndarray], np.ndarray]


def _evolving(
    optimizer: str, family: Searchable, moved: np.ndarray, lanes_at: LanesAt, config: SearchConfig,
    key: Array,
) -> tuple[Advance, Any]:  # fmt: skip
    """Generations of an evolution strategy."""
    plan = plan_of(optimizer, family)
    ask, tell, begin = strategy(
        config.lanes, config.spread, np.zeros((1, len(moved))), key, config.method
    )

    def advance(
        state: Any, draw: Array, some: Pool, seed: np.ndarray
    ) -> tuple[Any, np.ndarray, float]:
        found, state = ask(draw, state)
        lanes = lanes_at(np.asarray(found, float)[0])
        regret = scored(some, losses(some, plan, lanes, seed)) - some.reference[:, None]
        fitness = jnp.asarray(objective(regret)[None], found.dtype)
        state = tell(draw, found, fitness, state)
        return state, np.asarray(state.mean, float)[0], float(regret.mean())

    return advance, begin


def _descending(
    optimizer: str, family: Searchable, moved: np.ndarray, lanes_at: LanesAt, config: SearchConfig,
    key: Array,
) -> tuple[Advance, Any]:  # fmt: skip
    """Steps along hypergradients."""
    del config, key
    plan = plan_of(optimizer, family)._replace(slopes=True)
    start = lanes_at(np.zeros((1, len(moved))))[0]
    directions = np.zeros((len(moved), len(family.spreads)))
    directions[np.arange(len(moved)), moved] = family.spreads[moved]

    def advance(
        state: Descent, draw: Array, some: Pool, seed: np.ndarray
    ) -> tuple[Descent, np.ndarray, float]:
        del draw
        at = lanes_at(np.asarray(state.z, float)[None])[0]
        state, regret = descended(state, some, plan, at, directions, seed)
        # Where a constant is at its limit, z waits there and does not run on.
        z = ((lanes_at(np.asarray(state.z, float)[None])[0] - start) / family.spreads)[moved]
        return state._replace(z=jnp.asarray(z, state.z.dtype)), z, regret

    return advance, begun(len(moved))


def _identity(pool: Pool, family: Searchable, start: np.ndarray, config: SearchConfig) -> str:
    """A hash of all that decides what a search comes to."""
    tasks = [[each.task.to_json(), *each[2:]] for each in pool.entries]
    ends = [family.within(np.full(len(start), end)).tolist() for end in (-np.inf, np.inf)]
    rules = [list(CAPS), family.spreads.tolist(), ends, CUT, STEP]
    laws = [family.words, family.base.document(), rules]
    return digest([asdict(config), laws, start.tolist(), pool.reference.tolist(), tasks])


def _moved(family: Searchable, config: SearchConfig) -> np.ndarray:
    """Places of the constants that are searched."""
    for name in config.held:
        if name not in family.constants:
            raise ValueError(unknown("constant", name, family.constants))
    return np.flatnonzero([name not in config.held for name in family.constants])


def _lanes(family: Searchable, start: np.ndarray, moved: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The constants at z, which is in units of each constant's spread."""
    lanes = np.tile(start, (len(z), 1))
    lanes[:, moved] += z * family.spreads[moved]
    return family.within(lanes)


def _write(path: Path, identity: str, state: Any, centres: list[Any], regrets: list[float]) -> None:
    leaves = {f"leaf-{k}": np.asarray(leaf) for k, leaf in enumerate(jax.tree.leaves(state))}
    content = io.BytesIO()
    arrays: Any = {"identity": identity, "centres": centres, "regrets": regrets} | leaves
    np.savez(content, **arrays)
    write_atomic(path, content.getvalue())


def _read(path: Path, identity: str, like: Any) -> tuple[Any, list[Any], list[float]] | None:
    """What was kept of this very search; ValueError where it was another's."""
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as kept:
        if str(kept["identity"]) != identity:
            raise ValueError(f"{path.parent} holds another search: take another folder")
        shapes, tree = jax.tree.flatten(like)
        leaves = [jnp.asarray(kept[f"leaf-{k}"], a.dtype) for k, a in enumerate(shapes)]
        return jax.tree.unflatten(tree, leaves), [*kept["centres"]], kept["regrets"].tolist()
