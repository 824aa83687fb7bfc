"""What the command line refuses: one line, exit code 2, within two seconds, nothing left behind.

Tables and logs have tests of their own. Every row is a command; words in capitals stand for files
(`DATA` is a data set, `LAW` a law file, `FILE` a file that is neither, `EMPTY` an empty folder).
"""

import shutil

import jax
import pytest

from psi import cli
from psi.commands.demo import DemoCommand
from psi.commands.fit import FitCommand
from psi.commands.generate import GenerateCommand
from psi.commands.ideal import IdealCommand
from tests.commands.conftest import SAMPLE, law_file

__all__ = ["law_file"]
OUT = "--out OUT"
FIT = f"fit DATA {OUT}.json"

ROWS = """
nope
psi
-x
--generate
Fit DATA
laws extra
laws --jsn
laws --json=maybe
show
show NONE
show FILE
show EMPTY
show DATA
show CUT
show LAW extra
show LAW --png
show LAW --png OUT.pdf
show LAW --png OUT
show LAW --png EMPTY
show LAW --png NONE/OUT.png
show LAW --png=-
show LAW --epochs 0
show LAW --epochs -3
show LAW --epochs ten
show LAW --epochs 1.5
show LAW --parameters 100
show adam --parameters
show adamw
show ../adam
law
law verify
law check LAW
law verify NONE
law verify FILE
law verify LAW LAW
law verify CUT
law verify LAW --sha256
records
records NONE
records FILE
records EMPTY
records DATA --png OUT.jpg
records DATA --png NONE/OUT.png
records DATA --png -
records DATA --chek
report NONE
report EMPTY
report FILE
verify G0
verify g1
verify G1 G99
verify --quick
bench nope
bench engine --only planted
bench storage --table OUT.csv
bench fit --table OUT.txt
bench fit --table NONE/OUT.csv
bench fit --only nope
bench fit --table
diagnose
diagnose NONE.csv
diagnose EMPTY
diagnose FILE --law nope
demo --epochs 0
demo --draws 0
demo --seeds -1
demo --cells 0
demo --candidates 0
demo --held-out cifar
demo --baselines nope
demo --baselines prodigy
bench suite
bench suite nope --out OUT
bench suite smoke --out OUT --engine ry
bench suite smoke --out OUT --engine ray --address nowhere
bench suite smoke --out OUT --methods
bench table DATA --dry-run
compare
compare adam
compare NONE --tasks wine
compare FILE --tasks wine
compare adam --tasks
compare adam --tasks FILE
compare adam --tasks NONE.csv
compare adam --tasks wine wine
compare adam --tasks wine --optimizers sgd
compare adam --tasks wine --methods nope
compare adam --tasks wine --epochs 0
compare adam --tasks wine --vary width=4,8
compare adam --tasks wine --figure OUT.pdf
compare adam --tasks wine --figure NONE/OUT.png
compare adam --tasks wine --out FILE
compare adam --tasks wine --out DATA
compare adam --tasks wine --plugin NONE.py
bench table nope
bench engine extra
bench suite sealed --out OUT
bench suite smoke --out OUT --methods liner
bench suite smoke --out OUT --laws nope.json
bench suite smoke --out OUT --optimizers lion
demo --out FILE
demo --out FILE/OUT
demo --out -
demo --plugin NONE.py
generate
generate --out
generate --out -
generate --out=
generate --out FILE
generate --out FILE/OUT
generate --out EMPTY/../FILE/OUT
generate --out OUT --preset
generate --out OUT --preset huge
generate --out OUT --tasks
generate --out OUT --tasks wine wine
generate --out OUT --tasks wino
generate --out OUT --tasks teacher
generate --out OUT --tasks teacher--1
generate --out OUT --tasks teacher-0-fixd
generate --out OUT --tasks NONE.csv
generate --out OUT --tasks FILE.xlsx
generate --out OUT --epochs 0
generate --out OUT --epochs 1e3
generate --out OUT --seeds 0
generate --out OUT --seed -1
generate --out OUT --trajectories -1
generate --out OUT --trajectories 0 --cells 0
generate --out OUT --cells -2
generate --out OUT --candidates 0
generate --out OUT --min-lr 0
generate --out OUT --min-lr nan
generate --out OUT --max-lr inf
generate --out OUT --min-lr 1 --max-lr 0.5
generate --out OUT --optimizer lion
generate --out OUT --optimizers sgd lion
generate --out OUT --vary
generate --out OUT --vary width
generate --out OUT --vary width=
generate --out OUT --vary width=a,b
generate --out OUT --vary widht=8
generate --out OUT --vary epochs=2,3
generate --out OUT --vary normalised=yes
generate --out OUT --families nope
generate --out OUT --plugin NONE.py
generate --out OUT --plugin FILE
generate --out OUT --plugin BROKEN.py
generate --out OUT --plugin HOLLOW.py
generate --out OUT --batch 0
generate --out OUT --width 0
generate --out OUT --depth -1
generate --out OUT --activation sine
generate --out OUT --network vit
generate --out OUT --network transformer
generate --out OUT --weight-decay -1
generate --out OUT --label-smoothing 1
generate --out OUT --init-scale 0
generate --out OUT --precision float16
generate --out OUT --validation 0
generate --out OUT --validation 0.6 --test 0.6
generate --out OUT --split-seed -1
generate --out OUT --kind sorting
generate --out OUT --lanes 0
generate --out OUT --lanes many
generate --out OUT --engine spark
generate --out OUT --address a:1
generate --out OUT --engine ray --address 127.0.0.1:1
generate --out OUT --no-such-option 3
ideal
ideal NONE --out OUT
ideal EMPTY --out OUT
ideal FILE --out OUT
ideal DATA
ideal DATA --out FILE
ideal DATA --out -
ideal DATA --out OUT --horizon 0
ideal DATA --out OUT --horizon 7
ideal DATA --out OUT --horizon 1 1
ideal DATA --out OUT --horizon late
ideal DATA --out OUT --continuation up
ideal DATA --out OUT --continuation FILE
ideal DATA --out OUT --tasks iris
ideal DATA --out OUT --cells 0
ideal DATA --out OUT --states 0
ideal DATA --out OUT --orders 1
ideal DATA --out OUT --rates 2
ideal DATA --out OUT --rounds 0
ideal DATA --out OUT --seed -1
ideal DATA --out OUT --plugin NONE.py
fit
fit DATA
fit NONE --out OUT.json
fit EMPTY --out OUT.json
fit FILE --out OUT.json
fit DATA --out OUT
fit DATA --out OUT.txt
fit DATA --out OUT.safetensors
fit DATA --out OUT.json --kind network
fit DATA --out NONE/OUT.json
fit DATA --out EMPTY
fit DATA --out -
fit DATA --out OUT.json --kind curv
fit DATA --out OUT.json --features scaled
fit DATA --out OUT.json --family parabola
fit DATA --out OUT.safetensors --kind network --family linear
fit DATA --out OUT.safetensors --kind network --polish
fit DATA --out OUT.json --kind symbolic --no-schedule
fit DATA --out OUT.json --optimizer lion
fit DATA --out OUT.json --optimizer adam
fit DATA --out OUT.json --hold-out cifar
fit DATA --out OUT.json --runs -1
fit DATA --out OUT.json --generations 0
fit DATA --out OUT.json --resamples 1
fit DATA --out OUT.json --seed -1
fit DATA --out OUT.json --ideal NONE
fit DATA --out OUT.json --ideal EMPTY
""".strip().splitlines()


@pytest.fixture(scope="module", autouse=True)
def imported():
    """What a first command would import, and libraries compile then: not what is counted."""
    for command in (DemoCommand, FitCommand, GenerateCommand, IdealCommand):
        assert command.__doc__
    import psi.demo
    import psi.fit.dataset
    import psi.ideal.estimate
    import psi.lab.data.cluster
    import psi.report.figures
    import psi.verify.table  # noqa: F401


ROWS_DRAWN = "generate --out OUT --network transformer"
"""Whether a network can take rows is seen when these are drawn, by small programs of JAX."""
COMPILED = []
"""What JAX has compiled in this process, an event each."""


@pytest.fixture(scope="module", autouse=True)
def compilations():
    def note(event, *_, **__):
        COMPILED.extend([event] * ("backend_compile" in event))

    jax.monitoring.register_event_duration_secs_listener(note)


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("row", ROWS)
def test_kind_a_mistake_is_one_line_exit_2_and_leaves_nothing(
    row, tmp_path, law_file, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").write_text("not a law")
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "CUT").write_text(law_file.read_text()[:200])
    (tmp_path / "BROKEN.py").write_text("import no_such_module\n")
    (tmp_path / "HOLLOW.py").write_text("x = 1\n")
    shutil.copy(law_file, "LAW")
    words = [SAMPLE if word == "DATA" else word for word in row.split()]
    before, folders = files(tmp_path), sorted(tmp_path.rglob("*"))
    capsys.readouterr()
    compiled = len(COMPILED)
    code = cli.run(words)
    assert len(COMPILED) == compiled or row == ROWS_DRAWN  # a mistake is told before
    out, err = capsys.readouterr()
    assert (code, out) == (2, ""), out
    assert err.startswith("psi: ")
    assert err.count("\n") == 1, err
    assert len(err) < 500
    assert "Traceback" not in err
    assert sorted(tmp_path.rglob("*")) == folders
    assert files(tmp_path) == before
