"""Which optimizer a training log names, and which shipped law is for it."""

import re

from psi.advice.table import Table

MONITOR = re.compile(r"(?:^|/)lr-([A-Za-z]\w*?)(?:[-/].*)?$")  # Lightning's: lr-AdamW/pg1
KNOWN = re.compile(
    r"\b(sgd|[nr]?adam[wx]?|adamax|adagrad|adadelta|adafactor|adan|rmsprop|lion|lamb|lars|lbfgs"
    r"|muon|prodigy|shampoo|sophia)\b",
    re.IGNORECASE,
)
MOMENTUM = re.compile(r"\bnesterov\W{0,4}true|momentum\W{0,4}0?\.\d*[1-9]", re.IGNORECASE)
LAWS = {"adam": "adam", "adamw": "adam", "sgd": "sgd", "sgd with momentum": "momentum"}
ASSUMED = "adam"


def optimizer_named(table: Table) -> str | None:
    """The optimizer in a column's name, in an optimizer column or in the text around the table."""
    texts = [match[1] for name in table.cells if (match := MONITOR.search(name))]
    columns = [name for name in table.cells if name.lower() in ("optimizer", "optim", "opt")]
    cells = [text for name in columns for text in table.texts(name)[-1:]]
    around = "\n".join([*cells, table.words])
    texts += [match[0] for text in (around, *table.cells) if (match := KNOWN.search(text))]
    if not texts:
        return None
    has_momentum = MOMENTUM.search(around) or any(
        "momentum" in name.lower() for name in table.cells
    )
    return "SGD with momentum" if texts[0].lower() == "sgd" and has_momentum else texts[0]


def law_for(optimizer: str | None) -> tuple[str, str]:
    """The name of the law for an optimizer, and a sentence that says why it was taken."""
    if optimizer is None:
        return ASSUMED, f"law: {ASSUMED}, assumed, as the log names no optimizer; --law names one"
    law = LAWS.get(optimizer.lower())
    if law is None:
        text = f"law: {ASSUMED}, assumed, as there is none for {optimizer}; --law names another"
        return ASSUMED, text
    return law, f"law: {law}, for the log names {optimizer}"
