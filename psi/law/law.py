"""A fitted Ψ: a pure function of declared features, with its domain of validity."""

import json
import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from psi.law import features as features_
from psi.law.checks import check_positive
from psi.law.expression import Expression, Variable, check, evaluate, nodes, to_json
from psi.law.feedback import Feedback, check_feedback, recursion
from psi.law.file import FORMAT, VERSION, Document, pack, write_atomic
from psi.law.namespace import Array, Namespace
from psi.law.network import Network
from psi.law.printing import text

OPTIMIZER = r"[a-z][a-z0-9_-]{0,63}"
TARGETS = ("train", "validation")


class Range(NamedTuple):
    """A closed interval [low, high]."""

    low: float
    high: float


class Score(NamedTuple):
    """A figure measured on tasks that the fit did not see."""

    name: str
    value: float


class FittedConstant(NamedTuple):
    """A fitted constant with its 95 % interval over tasks."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Provenance:
    """Where a law comes from: what would have to be run again to make it again."""

    data_hash: str
    config_hash: str
    versions: tuple[str, ...]
    """`name==version` of the libraries that were used."""
    command: str = ""


@dataclass(frozen=True)
class Law:
    """A fitted Ψ, which gives the learning rate α = Ψ(features) at one point or at many.

    It is immutable and compares by value. Called outside its domain it extrapolates; used through
    a scheduler or `psi.law.clock`, its features and rates are clipped to `domain` and `rates`, but
    for the facts in `extrapolates`.

    Args:
        model: a formula (`psi.law.parsing.parse` makes one of text) or a network.
        features: names of what Ψ sees, in order: of "loss" ε [nats], "epoch" i, "loss_ratio" ε/ε_0,
            "progress" i/T, and the facts "parameters" P, "budget" T, "batch", "steps", "rows",
            "stream", "chance_loss", "classes", "weight_rms", "initial_grad_norm"; and what a clock
            remembers of the losses, "val_excess", "feedback", … (psi/law/law_file.md).
        domain: for each feature the range [low, high] seen in training.
        rates: the range of ideal rates seen in training.
        optimizer: the optimizer it was fitted for: "sgd", "momentum" (heavy ball, 0.9), "adam", or
            another by the name it was trained under.
        initial_loss: the typical ε_0 of the training tasks, in nats.
        constants: fitted constants with 95 % intervals over tasks.
        scores: what was measured, on tasks that the fit did not see.
        provenance: hashes, versions and command: what it takes to make the law again.
        scale: the typical α_0 of a law that is scale × shape, α = α_0 · Ψ; None: Ψ is the rate.
        target: the loss that its rates are best for, "train" or "validation"; None: not declared.
        extrapolates: facts whose law goes on beyond their domain, as a power law does.
        typical: of each of its facts, in their order, what stands in where that is not known; ():
            the geometric middle of the domain.
        feedback: the rule of the feature "feedback", for a law that sees it.

    Raises:
        ValueError: a feature is unknown, the model does not fit the features, or a range, the
            optimizer, initial_loss, scale, target, extrapolates, typical or feedback makes no
            sense.

    Example:
        >>> import psi
        >>> from psi.law import Range, parse
        >>> law = psi.Law(
        ...     model=parse("0.5*loss_ratio^0.5*(1 - progress)"),
        ...     features=("loss_ratio", "progress"),
        ...     domain=(Range(0.001, 2.0), Range(0.0, 0.95)),
        ...     rates=Range(1e-4, 0.5),
        ...     optimizer="momentum",
        ...     initial_loss=2.3,
        ... )
        >>> print(law)
        0.5*loss_ratio^0.5*(1 - progress)
        >>> float(law([0.25, 0.5]))  # at ε/ε_0 = 0.25, i/T = 0.5
        0.125
    """

    model: Expression | Network
    features: tuple[str, ...]
    domain: tuple[Range, ...]
    rates: Range
    optimizer: str
    initial_loss: float
    constants: tuple[FittedConstant, ...] = ()
    scores: tuple[Score, ...] = ()
    provenance: Provenance | None = None
    scale: float | None = None
    target: str | None = None
    extrapolates: tuple[str, ...] = ()
    typical: tuple[float, ...] = ()
    feedback: Feedback | None = None

    def __post_init__(self) -> None:
        features_.check_names(self.features)
        if isinstance(self.model, Network):
            if len(self.model.transforms) != len(self.features):
                raise ValueError(
                    f"the network takes {len(self.model.transforms)} features, "
                    f"the law declares {len(self.features)}"
                )
        else:
            check(self.model, self.features)
            if "feedback" in self.features and Variable("feedback") not in nodes(self.model):
                raise ValueError("a law with feedback has it in its formula, as exp(feedback) say")
        if len(self.domain) != len(self.features):
            raise ValueError(f"domain must have one range a feature, got {len(self.domain)}")
        for name, (low, high) in zip(self.features, self.domain, strict=True):
            if not -math.inf < low <= high < math.inf:
                raise ValueError(f"domain of {name} must be finite, low <= high: [{low}, {high}]")
            if name == "parameters" and low < 1:
                raise ValueError(f"domain of parameters must begin at 1 or more, got {low}")
            if name in features_.FACTS and not (low > 0 or (name == "stream" and low == 0)):
                raise ValueError(f"domain of the fact {name} must begin above 0, got {low}")
        if not 0 < self.rates.low <= self.rates.high < math.inf:
            raise ValueError(f"rates must be 0 < low <= high, got {list(self.rates)}")
        check_positive("initial_loss", self.initial_loss)
        if self.scale is not None:
            check_positive("scale", self.scale)
        if self.target not in (None, *TARGETS):
            raise ValueError(f"target must be {' or '.join(TARGETS)}, got {self.target!r:.60}")
        named = set(self.extrapolates)
        if not named <= set(self.facts) or len(named) < len(self.extrapolates):
            rule = f"extrapolates must be distinct facts that the law sees, of {self.facts}"
            raise ValueError(f"{rule}; got {self.extrapolates}")
        self._check_typical()
        check_feedback(self.feedback, self.features, self.caps)
        if not re.fullmatch(OPTIMIZER, self.optimizer):
            raise ValueError(
                "optimizer must be a name such as sgd, momentum or adam (a letter, then letters, "
                f"digits, - and _; 64 at most), got {self.optimizer!r:.60}"
            )

    def _check_typical(self) -> None:
        ranges = dict(zip(self.features, self.domain, strict=True))
        within = [ranges[name] for name in self.facts] if self.typical else []
        if len(within) != len(self.typical) or not all(
            low <= value <= high for value, (low, high) in zip(self.typical, within, strict=True)
        ):
            rule = f"typical must be a number within the domain for each of {self.facts}, or ()"
            raise ValueError(f"{rule}; got {self.typical}")

    @property
    def remembers(self) -> bool:
        """Whether it sees something that a clock remembers of the losses."""
        return not set(features_.MEMORY).isdisjoint(self.features)

    @property
    def caps(self) -> Range | None:
        """The limits of the feedback u; None for a law that does not see it."""
        seen = dict(zip(self.features, self.domain, strict=True))
        return seen.get("feedback")

    @property
    def facts(self) -> tuple[str, ...]:
        """The features that are facts, known before training."""
        return tuple(name for name in self.features if name in features_.FACTS)

    def __call__(self, features: Array, xp: Namespace = np) -> Array:
        """Evaluate Ψ. Nothing is clipped: outside `domain` this extrapolates.

        Args:
            features: shape (len(self.features), …), in their order and units; trailing axes are
                points.
            xp: the array namespace, `numpy` or, inside a JAX program, `jax.numpy`.

        Returns:
            The rate α, shape (…); α/α_0 of a law that has a scale.

        Raises:
            ValueError: the first axis of `features` is not as long as `self.features`.

        Example:
            >>> import numpy as np
            >>> import psi
            >>> law = psi.load("sgd@0.1.0")
            >>> ratio, progress, parameters = np.linspace(1.0, 0.1, 5), np.linspace(0, 0.8, 5), 1e4
            >>> law(np.stack(np.broadcast_arrays(ratio, progress, parameters))).shape
            (5,)
        """
        features = xp.asarray(features, dtype=float)
        if features.shape[:1] != (len(self.features),):
            raise ValueError(f"features must be {self.features}, got shape {features.shape}")
        if isinstance(self.model, Network):
            return self.model(features, xp)
        rate = xp.asarray(evaluate(self.model, self.features, features, xp), dtype=float)
        shape = features.shape[1:]
        return rate if rate.shape == shape else xp.broadcast_to(rate, shape)

    def __str__(self) -> str:
        if isinstance(self.model, Network):
            widths = "-".join(str(layer.bias.size) for layer in self.model.layers)
            shown = f"network {len(self.features)}-{widths} of ({', '.join(self.features)})"
            return "\n".join([shown, *self._feedback_text()])
        return "\n".join([text(self.model, digits=4), *self._feedback_text()])

    def _feedback_text(self) -> list[str]:
        return [f"feedback ← {text(rule, digits=4)}"] if (rule := self.recursion) else []

    @property
    def recursion(self) -> Expression | None:
        """u_i as a formula of the features, of which "feedback" is u_{i−1}; None without one."""
        rule, caps = self.feedback, self.caps
        return None if rule is None or caps is None else recursion(rule, caps)

    def save(self, path: str | Path) -> None:
        """Write the law file, whole or not at all; `psi.load` reads it.

        Args:
            path: where; by custom `.json` for a formula and `.safetensors` for a network.

        Raises:
            ValueError: the path is a folder.
            OSError: it cannot be written.

        Example:
            >>> import pathlib, tempfile
            >>> import psi
            >>> path = pathlib.Path(tempfile.mkdtemp(), "mine.json")
            >>> psi.load("adam").save(path)
            >>> psi.load(path) == psi.load("adam")
            True
        """
        write_atomic(Path(path), self.content())

    def content(self) -> bytes:
        """The content of its file."""
        if isinstance(self.model, Network):
            return pack(self.document(), self.model.arrays())
        return json.dumps(self.document(), indent=1, allow_nan=False).encode()

    def document(self) -> Document:
        """The law as the JSON object of its file (psi/law/law_file.md), without network weights.

        Returns:
            A dict of numbers, text, lists and dicts.

        Example:
            >>> import psi
            >>> law = psi.load("adam").document()
            >>> law["kind"], law["optimizer"]
            ('formula', 'adam')
        """
        if isinstance(self.model, Network):
            kind, model = "network", {"transforms": list(self.model.transforms)}
        else:
            kind, model = "formula", to_json(self.model)
        made, rule = self.provenance, self.feedback
        return {
            "format": FORMAT,
            "version": VERSION,
            "kind": kind,
            "features": list(self.features),
            "domain": [list(each) for each in self.domain],
            "rates": list(self.rates),
            "optimizer": self.optimizer,
            "initial_loss": self.initial_loss,
            "constants": [list(each) for each in self.constants],
            "scores": [list(each) for each in self.scores],
            "scale": self.scale,
            "target": self.target,
            "extrapolates": list(self.extrapolates),
            "typical": list(self.typical),
            "feedback": rule and {"keep": rule.keep, "change": to_json(rule.change)},
            "provenance": made and asdict(made) | {"versions": list(made.versions)},
            "model": model,
        }
