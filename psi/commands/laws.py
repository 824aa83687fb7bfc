"""psi laws: the laws that come with the package."""

import re
from dataclasses import dataclass
from textwrap import TextWrapper
from typing import Any

import psi
from psi.commands.printing import target_of
from psi.law.load import VERSIONED, shipped

HEAD = "Name, formula, facts, regret to tuned schedules in nats. psi show NAME has more."
REGRET = re.compile(
    r"regret (?:to tuned [a-z]+ )?(on (?:left-out|\d+) .*?)(?:, mean)?(?<!, low)(?<!, high)"
)
"""The scores that are listed: not those to schedules at one rate, nor the ends of intervals."""


@dataclass(frozen=True)
class LawsCommand:
    """List the laws that are shipped: psi.load and psi show take their names.

    Example: psi laws
    """

    json: bool = False
    """Print them as one JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        every = dict(shipped(former=True))
        laws = {name: law for name, law in every.items() if VERSIONED not in name}
        if not self.json:
            former = ", ".join(name for name in every if name not in laws)
            shown = [HEAD, *(_text(*each) for each in laws.items())] if laws else ["none yet"]
            print("\n".join([*shown, *[f"Of former versions: {former}"] * bool(former)]))
        return {"laws": [_row(name, law) for name, law in laws.items()]}


def _row(name: str, law: psi.Law) -> dict[str, Any]:
    return {
        "name": name, "optimizer": law.optimizer, "features": list(law.features),
        "formula": str(law), "domain": [list(each) for each in law.domain],
        "initial_loss": law.initial_loss, "scale": law.scale, "target": law.target,
        "facts": list(law.facts),
        "scores": [score._asdict() for score in law.scores],
    }  # fmt: skip


def _text(name: str, law: psi.Law) -> str:
    """Name and formula, facts, and scores, 80 columns wide."""
    scaled = "α_0 · " if law.scale else ""
    found = [(REGRET.fullmatch(score.name), score.value) for score in law.scores]
    scores = [f"{value:+.3f} {match[1]}" for match, value in found if match]
    formula, *feedback = str(law).replace("*", " * ").splitlines()  # lines break at blanks
    lines = [f"{name}: α = {scaled}{formula}", *(f"    {line}" for line in feedback)]
    lines += [f"    facts: {', '.join(law.facts)}"] * bool(law.facts)
    lines += [f"    best for the {target_of(law)}"] * bool(law.target)
    lines += [f"    {law.optimizer}: {', '.join(scores)}"] if scores else []
    fill = TextWrapper(80, subsequent_indent="    ", break_on_hyphens=False).fill
    return "\n".join(map(fill, lines))
