"""Which optimizer a training log names, and which shipped law is for it."""

import re

import numpy as np

from psi.advice.table import Table
from psi.schedulers.kin import Found, recognise

MONITOR = re.compile(r"(?:^|/)lr-([A-Za-z]\w*?)(?:[-/].*)?$")  # Lightning's: lr-AdamW/pg1
KNOWN = re.compile(
    r"(?<![a-z])(sgd|[nr]?adam[wx]?|adamax|adagrad|adadelta|adafactor|adan|rmsprop|lion|lamb|lars"
    r"|lbfgs|muon|prodigy|shampoo|sophia)(?![a-z])",
    re.IGNORECASE,
)
NESTEROV = re.compile(r"\bnesterov\W{0,4}true", re.IGNORECASE)
MOMENTUM = re.compile(r"momentum\W{0,4}(\d*\.?\d+)", re.IGNORECASE)
BETAS = re.compile(r"betas?\W{0,6}(\d*\.\d+)\W+(\d*\.\d+)", re.IGNORECASE)
USUAL = 0.9  # momentum, where it is there and its value is not
ASSUMED = "adam"


def optimizer_named(table: Table) -> Found | None:
    """The optimizer in a column's name, in an optimizer column or in the text around the table."""
    texts = [match[1] for name in table.cells if (match := MONITOR.search(name))]
    columns = [name for name in table.cells if name.lower() in ("optimizer", "optim", "opt")]
    cells = [text for name in columns for text in table.texts(name)[-1:]]
    around = "\n".join([*cells, table.words])
    texts += [match[1] for text in (around, *table.cells) if (match := KNOWN.search(text))]
    if not texts:
        return None
    settings = {"momentum": USUAL} if NESTEROV.search(around) else {}
    for name in table.cells:
        if "momentum" in name.lower():
            value = table.numbers(name).values
            known = value[np.isfinite(value)]
            settings["momentum"] = float(known[-1]) if len(known) else USUAL
    if match := MOMENTUM.search(around):
        settings["momentum"] = float(match[1])
    if match := BETAS.search(around):
        settings |= {"beta_1": float(match[1]), "beta_2": float(match[2])}
    return recognise([texts[0]], settings)


def law_for(optimizer: Found | None) -> tuple[str, str]:
    """The name of the law for an optimizer, and a sentence that says why it was taken."""
    if optimizer is None:
        return ASSUMED, f"law: {ASSUMED}, assumed, as the log names no optimizer; --law names one"
    if optimizer.law is None:
        none = f"there is none for {optimizer.said}; --law names another"
        return ASSUMED, f"law: {ASSUMED}, assumed, as {none}"
    return optimizer.law, f"law: {optimizer.law}, for the log names {optimizer.said}"
