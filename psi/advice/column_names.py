"""Which column of a training log is which, by the words of its name.

`TrainLoss`, `train/total_loss` and `train_loss_epoch` are words in CamelCase, with slashes or with
underscores; a name has a role if its words are those of the role and otherwise only words that do
not change what is meant.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
TRAIN = frozenset(("train", "training", "trn"))
HELD_OUT = ("val", "validation", "valid", "eval", "evaluation", "dev", "test", "testing")
JOINED = re.compile(
    rf"({'|'.join((*TRAIN, *HELD_OUT, 'total', 'avg', 'mean', 'log'))})?(loss|lr)(es)?"
)
SAME = {"losses": "loss", "gradient": "grad", "gradients": "grad", "grads": "grad", "norms": "norm"}
# Said of a loss or a count, these leave it the one that is looked for, the earlier the better.
FILLERS = (
    "total", "overall", "all", "sum", "global", "trainer", "training", "train", "metrics", "log",
    "logs",
    "avg", "average", "mean", "epoch", "running", "step", "batch", "iter", "current", "num",
)  # fmt: skip
NOT_A_LOSS = frozenset(("best", "min", "max", "std", "var", "scale", "weight", "ratio", "time"))
NOT_A_RATE = frozenset((
    "loss", "mult", "multiplier", "decay", "scheduler", "schedule", "factor", "scale", "ratio",
    "warmup", "patience", "gamma", "momentum", "min", "max", "name", "final", "time",
))  # fmt: skip
COUNTS = ("step", "steps", "iteration", "iterations", "iter", "iters", "itr", "it", "update",
          "updates", "timestep", "timesteps", "batch", "batches")  # fmt: skip
COUNTED = {"trainer", "train", "global", "training", "num", "current", "total"}
EPOCHS = ("epoch", "epochs", "ep")
PARTS = frozenset((
    "box", "cls", "obj", "dfl", "seg", "pose", "kobj", "rle", "angle", "giou", "l", "sem",
))  # fmt: skip
"""The parts of the loss that YOLO logs, and no total."""


class Role(NamedTuple):
    """A quantity that a column may hold; `RANKS` has the rules by which its name says so."""

    field: str
    """Its field in `Columns`."""
    title: str
    """What it is called in a sentence."""


ROLES = (
    Role("at", "position"),
    Role("loss", "training loss"),
    Role("validation", "validation loss"),
    Role("rate", "learning rate"),
    Role("gradient_norm", "gradient norm"),
    Role("update_ratio", "update ratio"),
)


@lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """The words of a name in lower case; "lr" for learning rate, and wandb's run left out."""
    found: list[str] = []
    for each in WORD.findall(name.rsplit(" - ", 1)[-1]):
        word = SAME.get(str(each).lower(), str(each).lower())
        joined = JOINED.fullmatch(word)
        found += [part for part in joined.groups()[:2] if part] if joined else [word]
    text = " ".join(found)
    for long, short in (("learning rate", "lr"), ("learningrate", "lr"), ("gnorm", "grad norm")):
        text = text.replace(long, short)
    return tuple(re.sub(r"\bgradnorm\b", "grad norm", text).split())


def ranked(role: str, names: Iterable[str]) -> list[str]:
    """The columns whose names have a role, the best first."""
    found = [(rank, name) for name in names if (rank := RANKS[role](words(name))) is not None]
    return [name for _, name in sorted(found, key=lambda each: each[0])]


Rank = tuple[int, ...] | None


def _loss(all_words: Sequence[str]) -> Rank:
    rest = [word for word in all_words if word not in TRAIN]
    if "loss" not in rest or set(rest) - {"loss", *FILLERS}:
        return None
    fillers = [FILLERS.index(word) for word in rest if word != "loss"]
    return max(fillers, default=-1), len(all_words)


def _validation(all_words: Sequence[str]) -> Rank:
    held_out = [HELD_OUT.index(word) for word in all_words if word in HELD_OUT]
    rank = _loss([word for word in all_words if word not in HELD_OUT])
    return (held_out[0], *rank) if held_out and rank and not TRAIN & set(all_words) else None


def _rate(all_words: Sequence[str]) -> Rank:
    if all_words == ("rate",):
        return (9,)
    if "lr" not in all_words or NOT_A_RATE & set(all_words):
        return None
    return all_words.index("lr"), len(all_words) - all_words.index("lr")


def _gradient_norm(all_words: Sequence[str]) -> Rank:
    if not {"grad", "norm"} <= set(all_words) or {"max", "threshold"} & set(all_words):
        return None
    return int("total" not in all_words), len(all_words)


def _update_ratio(all_words: Sequence[str]) -> Rank:
    text = " ".join(all_words)
    known = re.fullmatch(r"update ratio|update (to )?weights?( ratio)?", text)
    return (len(all_words),) if known else None


def _count(all_words: Sequence[str], known: Sequence[str]) -> Rank:
    all_words = all_words[all_words[:1] == ("time",) :]  # Stable Baselines': time/total_timesteps
    rest = [word for word in all_words if word in known]
    others = set(all_words) - set(rest) - COUNTED
    return (known.index(rest[0]), len(all_words)) if len(rest) == 1 and not others else None


RANKS = {
    "step": lambda each: _count(each, COUNTS),
    "epoch": lambda each: _count(each, EPOCHS),
    "loss": _loss,
    "validation": _validation,
    "rate": _rate,
    "gradient_norm": _gradient_norm,
    "update_ratio": _update_ratio,
}


def parts(names: Iterable[str], held_out: bool) -> list[str]:
    """The columns of a loss in parts of which no total is logged, as YOLO writes them."""
    of_split = [name for name in names if bool(set(HELD_OUT) & set(words(name))) is held_out]
    return [
        name for name in of_split
        if "loss" in words(name) and PARTS & set(words(name)) and not NOT_A_LOSS & set(words(name))
    ]  # fmt: skip


def only_loss(names: Iterable[str], held_out: bool) -> list[str]:
    """Columns that are a loss by some other word, e.g. ce_loss; of use where there is one."""
    split = [name for name in names if bool(set(HELD_OUT) & set(words(name))) is held_out]
    return [n for n in split if "loss" in words(n) and not NOT_A_LOSS & set(words(n))]
