"""The README's example runs as it stands, and says what it should."""

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_optax_example(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert len(code.strip().splitlines()) <= 15
    laws = tmp_path / "out" / "demo" / "laws"
    laws.mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "law" / "golden" / "formula-v1.json", laws / "curve.json")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["loss"] < 0.5 * 0.693
    assert "last rate" in capsys.readouterr().out
