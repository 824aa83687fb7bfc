"""`psi law verify` tries a law over its whole domain."""

import hashlib
import json
from pathlib import Path

from psi.commands.law import LawCommand


def test_law_verify_tries_a_law_over_its_domain(run, tmp_path):
    code, out, err = run("law", "verify", "momentum", "--json")
    found = json.loads(out)
    assert (code, found["ok"], found["kind"]) == (0, True, "formula")
    assert found["points"] == found["finite"] > 10_000
    content = Path(found["file"]).read_bytes()
    assert found["sha256"] == hashlib.sha256(content).hexdigest()
    code, out, err = run("law", "verify", "momentum", "--sha256", "00")
    assert code == 1
    assert out.endswith("NOT OK\n")
    (tmp_path / "law.json").write_bytes(content[:-20])
    code, out, err = run("law", "verify", str(tmp_path / "law.json"))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "not a law file" in err


def test_another_hash_is_exit_1():
    assert LawCommand.failed({"ok": False})
    assert not LawCommand.failed({"ok": True})
