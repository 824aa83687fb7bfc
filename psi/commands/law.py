"""psi law verify."""

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import tyro

import psi
from psi.commands.printing import print_domain
from psi.law.load import located
from psi.law.trial import trial


@dataclass(frozen=True)
class LawCommand:
    """Check a law file: that it loads, what it is, its hash, and Ψ over its whole domain.

    Exit 1 where Ψ is no rate somewhere in the domain, or the hash is not the one given; exit 2
    where the file is no law.
    Example: psi law verify law.json
    Example: psi law verify momentum --sha256 0123abcd
    """

    what: tyro.conf.Positional[Literal["verify"]]
    """What to do with it."""
    law: tyro.conf.Positional[str]
    """A law file, or the name of a shipped law (psi laws)."""
    sha256: str | None = None
    """What the file's SHA-256 must begin with, in hexadecimal."""
    json: bool = False
    """Print what was found as one JSON object."""

    def run(self) -> Any:
        """Do it; what --json prints."""
        path = located(self.law)
        law = psi.load(path)
        found = trial(law)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        same = self.sha256 is None or digest.startswith(self.sha256.lower())
        result = {
            "file": str(path), "sha256": digest, "law": str(law), "kind": law.document()["kind"],
            "features": list(law.features), "domain": [list(each) for each in law.domain],
            "target": law.target, "facts": list(law.facts),
            "rates": list(law.rates), "points": found.points, "finite": found.finite,
            "clipped": found.clipped, "ok": found.ok and same,
        }  # fmt: skip
        if not self.json:
            print(f"{path}: a {result['kind']}, {law}")
            print(f"sha256     {digest}{'' if same else f', not {self.sha256}'}")
            print_domain(law)
            print(
                f"trial      {found.finite:,} of {found.points:,} points of it give a rate, "
                f"from {found.low:.3g} to {found.high:.3g}; {found.clipped:,} are held in "
                f"[{law.rates.low:.3g}, {law.rates.high:.3g}]"
            )
            print("ok" if result["ok"] else "NOT OK")
        return result

    @staticmethod
    def failed(result: Any) -> bool:
        """Whether it is not as it should be: exit code 1."""
        return not result["ok"]
