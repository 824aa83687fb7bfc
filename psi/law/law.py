"""A fitted Ψ: a pure function of declared features, with its domain of validity."""

import json
import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from psi.law import features as features_
from psi.law.expression import Expression, check, evaluate, to_json
from psi.law.file import FORMAT, VERSION, Document, pack, write_atomic
from psi.law.namespace import Array, Namespace
from psi.law.network import Network
from psi.law.printing import text

OPTIMIZER = r"[a-z][a-z0-9_-]{0,63}"


class Range(NamedTuple):
    """A closed interval [low, high]."""

    low: float
    high: float


class Score(NamedTuple):
    """A figure measured on tasks that the fit did not see."""

    name: str
    value: float


class Constant(NamedTuple):
    """A fitted constant with its 95 % interval over tasks."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Provenance:
    """Where a law comes from: what would have to be rerun to make it again."""

    data_hash: str
    config_hash: str
    versions: tuple[str, ...]
    """`name==version` of the libraries that made it."""
    command: str = ""
    """What was run."""

    def document(self) -> Document:
        """The JSON object of a law file."""
        return asdict(self) | {"versions": list(self.versions)}


@dataclass(frozen=True)
class Law:
    """α = Ψ(features), for one point or, with trailing axes, for many.

    Raises ValueError at construction where features are unknown, the model does not fit them, or
    a range, the optimizer or the typical ε_0 makes no sense.
    """

    model: Expression | Network
    features: tuple[str, ...]
    """Names and their order (`psi.law.features.FEATURES`)."""
    domain: tuple[Range, ...]
    """Per feature, the range seen in training. `psi.law.clock` clips to it; the law does not."""
    rates: Range
    """The range of ideal rates seen in training. The clock clips to it."""
    optimizer: str
    """The optimizer it was fitted for: `sgd`, `momentum`, `adam`, or another by its name."""
    initial_loss: float
    """The typical ε_0 of the training tasks, in nats."""
    constants: tuple[Constant, ...] = ()
    scores: tuple[Score, ...] = ()
    provenance: Provenance | None = None
    scale: float | None = None
    """The typical α_0 of a law that is scale × shape, α = α_0 · Ψ; None: Ψ is the rate itself."""

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
        if len(self.domain) != len(self.features):
            raise ValueError(f"domain must have one range a feature, got {len(self.domain)}")
        for name, (low, high) in zip(self.features, self.domain, strict=True):
            if not -math.inf < low <= high < math.inf:
                raise ValueError(f"domain of {name} must be finite, low <= high: [{low}, {high}]")
            if name == "parameters" and low < 1:
                raise ValueError(f"domain of parameters must begin at 1 or more, got {low}")
        if not 0 < self.rates.low <= self.rates.high < math.inf:
            raise ValueError(f"rates must be 0 < low <= high, got {list(self.rates)}")
        if not 0 < self.initial_loss < math.inf:
            raise ValueError(f"initial_loss must be positive, got {self.initial_loss}")
        if self.scale is not None and not 0 < self.scale < math.inf:
            raise ValueError(f"scale must be positive and finite, got {self.scale}")
        if not re.fullmatch(OPTIMIZER, self.optimizer):
            raise ValueError(
                "optimizer must be a name such as sgd, momentum or adam (a letter, then letters, "
                f"digits, - and _; 64 at most), got {self.optimizer!r:.60}"
            )

    def __call__(self, features: Array, xp: Namespace = np) -> Array:
        """Ψ of shape (…) for features of shape (len(self.features), …), in their order.

        It is the rate α, or α/α_0 of a law that has a scale.

        Pass `xp=jax.numpy` inside a JAX program. Nothing is clipped: outside `domain` this
        extrapolates.
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
            return f"network {len(self.features)}-{widths} of ({', '.join(self.features)})"
        return text(self.model, digits=4)

    def save(self, path: str | Path) -> None:
        """Write the law: `.json` for a formula, `.safetensors` for a network. Atomic."""
        if isinstance(self.model, Network):
            content = pack(self.document(), self.model.arrays())
        else:
            content = json.dumps(self.document(), indent=1, allow_nan=False).encode()
        write_atomic(Path(path), content)

    def document(self) -> Document:
        """The law file's JSON object; `psi.law.load` reads it."""
        if isinstance(self.model, Network):
            kind, model = "network", {"transforms": list(self.model.transforms)}
        else:
            kind, model = "formula", to_json(self.model)
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
            "provenance": self.provenance and self.provenance.document(),
            "model": model,
        }
