"""Hostile files, loaded under an audit hook: nothing runs, nothing is written, and it is quick."""

import json
import pickle
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from psi.law.law import Law

ROOT = Path(__file__).parents[2]
SECONDS, BYTES = 0.1, 20e6

PROGRAM = """
import json, sys, time, tracemalloc
from pathlib import Path
import psi

folder = Path(sys.argv[1])
for good in sys.argv[2:]:  # what loading imports, it has imported now
    psi.load(good)
FORBIDDEN = ("exec", "compile", "import", "socket", "subprocess", "os.", "shutil", "ctypes",
             "marshal", "pickle", "tempfile", "pty", "webbrowser", "urllib")
events, armed = [], False

def hook(event, arguments):
    writes = event == "open" and arguments[1] is not None and set(str(arguments[1])) & set("wax+")
    if armed and (writes or event.startswith(FORBIDDEN)):
        events.append(event)

sys.addaudithook(hook)
found = {}
for path in sorted(folder.iterdir()):
    for measure in ("seconds", "bytes"):  # tracing takes its own time
        events.clear()
        if measure == "bytes":
            tracemalloc.start()
        start, armed = time.perf_counter(), True
        try:
            psi.load(path)
            outcome = "loaded"
        except psi.LawFileError:
            outcome = "refused"
        except BaseException as error:
            outcome = repr(error)[:200]
        armed = False
        if measure == "seconds":
            seconds = time.perf_counter() - start
        else:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    found[path.name] = [outcome, list(events), seconds, peak]
print(json.dumps(found))
"""


class _Runs:
    """Unpickling it runs a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("echo exploded",)


STRINGS = (
    "__import__('os').system('echo exploded')", "().__class__.__base__.__subclasses__()",
    "lambda: 1", "exec(open('/etc/passwd').read())", "loss.__class__", "{{7*7}}", "$(id)",
    "E**(9**9**9)", "loss; import os", "../../../../etc/passwd", "file:///etc/passwd", "a" * 10_000,
)  # fmt: skip


def _safetensors(header: Any, data: bytes = b"", size: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def _networks(law: Law) -> dict[str, bytes]:
    """Headers that lie about what follows."""
    document = json.dumps(law.document())
    meta = {"__metadata__": {"psi-law": document}}
    eight = bytes(8)

    def one(**change: Any) -> dict[str, Any]:
        return meta | {"shift": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]} | change}

    two = one() | {"scale": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}
    deep = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    nan = {"shift": np.full(3, np.nan), "scale": np.ones(3)}
    return {
        "claims a header of 2^63": _safetensors(meta, size=2**63),
        "claims a header of 2^55": _safetensors(meta, size=2**55),
        "claims a tensor of 2^63": _safetensors(one(shape=[2**63 - 1]), eight),
        "claims a shape that overflows": _safetensors(one(shape=[2**32, 2**32]), eight),
        "claims data to 2^62": _safetensors(one(data_offsets=[0, 2**62]), eight),
        "offsets upside down": _safetensors(one(data_offsets=[8, 0]), eight),
        "offsets below zero": _safetensors(one(data_offsets=[-8, 0]), eight),
        "offsets that overlap": _safetensors(two, eight),
        "a shape below zero": _safetensors(one(shape=[-1]), eight),
        "a shape of text": _safetensors(one(shape="1"), eight),
        "another dtype": _safetensors(one(dtype="O"), eight),
        "a path for a name": _safetensors(meta | {"../x": one()["shift"]}, eight),
        "no metadata": _safetensors({"shift": one()["shift"]}, eight),
        "deep in a header": _safetensors(deep),
        "deep in the metadata": _safetensors({"__metadata__": {"psi-law": deep.decode()}}),
        "a key twice in a header": _safetensors(b'{"__metadata__":{},"__metadata__":{}}'),
        "arrays too few": _safetensors(meta),
        "NaN weights": save(nan, metadata={"psi-law": document}),
        "weights of whole numbers": save({"shift": np.ones(3, int)}, {"psi-law": document}),
        "more behind the end": _safetensors(one(), eight * 1000),
    }


def hostile(formula: Law, network: Law) -> dict[str, bytes]:
    """By name; none of them is a law."""
    document = formula.document()

    def text(**change: Any) -> bytes:
        return json.dumps(document | change).encode()

    files = {f"pickle {k}": pickle.dumps(_Runs(), protocol=k) for k in range(6)}
    files |= {
        f"model {k}": text(model=["mul", each, "loss_ratio"]) for k, each in enumerate(STRINGS)
    }
    files |= {f"operation {k}": text(model=[each, 1.0]) for k, each in enumerate(STRINGS[:4])}
    files |= {
        "a kind to import": text(kind="os"),
        "a version of true": text(version=True),
        "a key twice": text().replace(b'"kind"', b'"kind": "formula", "kind"', 1),
        "1e999": text().replace(b"0.001]", b"1e999]"),
        "a number of 10^5 digits": text().replace(b"0.001]", b"1" * 100_000 + b"]"),
        "deep lists": b"[" * 400_000,
        "deep objects": b'{"a":' * 100_000,
        "deep formula": text(model=_deep(600)),
        "wide formula": text(model=["add", *[1.0] * 100_000]),
        "many features": text(features=["loss"] * 50_000),
        "long strings": text(optimizer="x" * 900_000),
        "a megabyte and one": text().ljust(1_000_001),
        "zeros": bytes(2_000_000),
    }
    return files | _networks(network)


def _deep(levels: int) -> Any:
    tree: Any = "progress"
    for _ in range(levels):
        tree = ["neg", tree]
    return tree


def test_hostile_files_do_nothing_and_take_little(
    formula_law: Law, network_law: Law, tmp_path: Path
) -> None:
    files = hostile(formula_law, network_law)
    assert len(files) >= 40
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name, content in files.items():
        (folder / name.replace("/", "_")).write_bytes(content)
    golden = ROOT / "tests" / "law" / "golden"
    good = [str(golden / name) for name in ("formula-v2.json", "network-v1.safetensors")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), *good],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "exploded" not in done.stdout
    found = json.loads(done.stdout)
    assert len(found) == len(files)
    for name, (outcome, events, seconds, peak) in found.items():
        assert (outcome, events) == ("refused", []), name
        assert seconds <= SECONDS, name
        assert peak <= BYTES, name


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """A pipe would be waited for, a device has no end."""
    import os

    import psi

    os.mkfifo(tmp_path / "pipe.json")
    for path in (tmp_path / "pipe.json", Path("/dev/zero"), tmp_path):
        with pytest.raises(psi.LawFileError, match="not a file"):
            psi.load(path)
