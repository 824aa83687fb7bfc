"""psi laws: the laws that come with the package."""

from dataclasses import dataclass
from textwrap import TextWrapper
from typing import Any

import psi
from psi.commands.printing import target_of
from psi.law.load import shipped

SCORE = "regret to tuned linear"
HEAD = f"Name, formula, domain, {SCORE} in nats. psi show NAME has more."


@dataclass(frozen=True)
class LawsCommand:
    """List the laws that are shipped: psi.load and psi show take their names.

    Example: psi laws
    """

    json: bool = False
    """Print them as one JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        laws = dict(shipped())
        if not self.json:
            print(
                "\n".join(
                    [HEAD, *(_text(*each) for each in laws.items())] if laws else ["none yet"]
                )
            )
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
    """Name and formula, domain, and scores, 80 columns wide."""
    scaled = "α_0 · " if law.scale else ""
    ranges = zip(law.features, law.domain, strict=True)
    seen = {each: f"{each} {low:.3g} to {high:.3g}" for each, (low, high) in ranges}
    facts = ", ".join(seen.pop(each) for each in law.facts)
    judged = [score for score in law.scores if score.name.startswith(SCORE)]
    scores = [f"{score.value:+.3f} {score.name.split(', ')[-1]}" for score in judged]
    lines = [f"{name}: α = {scaled}{law}", f"    {', '.join(seen.values())}"]
    lines += [f"    facts: {facts}"] * bool(facts)
    lines += [f"    best for the {target_of(law)}"] * bool(law.target)
    lines += [f"    {law.optimizer}: {', '.join(scores)}"] if scores else []
    fill = TextWrapper(80, subsequent_indent="    ", break_on_hyphens=False).fill
    return "\n".join(map(fill, lines))
