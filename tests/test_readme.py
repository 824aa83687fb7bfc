"""The README's examples run as they stand, and say what they should."""

import re
from pathlib import Path

from psi.cli import run

ROOT = Path(__file__).parents[1]


def test_the_optax_examples(capsys):
    first, second = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert max(len(code.strip().splitlines()) for code in (first, second)) <= 15
    names: dict = {}
    exec(compile(first, "README.md", "exec"), names)
    assert names["loss"] < 0.5 * 0.693
    assert "last rate" in capsys.readouterr().out
    exec(compile(second, "README.md", "exec"), names)
    assert names["loss"] < 0.5 * 0.693
    assert "alpha_0" in capsys.readouterr().out


def test_the_diagnosis_of_a_log(capsys, monkeypatch, tmp_path):
    said = re.search(r"    \$ psi (diagnose .*)\n((?:    .*\n)+)", (ROOT / "README.md").read_text())
    assert said is not None
    out = tmp_path / "digits.diagnosis.png"
    monkeypatch.chdir(ROOT)
    assert run([*said[1].split(), "--out", str(out)]) == 0
    got = capsys.readouterr().out.replace(f"{tmp_path}/", "")
    assert got == "".join(line[4:] + "\n" for line in said[2].splitlines())
