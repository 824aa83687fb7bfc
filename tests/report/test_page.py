"""The page of a demo: its table's figures by hand, self-contained, nothing unescaped."""

import copy
import json
import re

import pytest

from psi.report.page import CAPTIONS, legend, machine, page, table, write_page

METHOD = {
    "name": "Ψ <curve>", "tuned": False, "tuning_runs": 0, "peak_rate": None,
    "seeds": [100, 101, 102], "final_train_losses": [0.1, 0.2, 0.3],
    "final_val_losses": [0.2, None, 0.4], "accuracies": [0.5, 0.75, 1.0],
    "epochs_to_criterion": [3, None, 6], "score": -1.25,
    "regret": {"mean": 0.5, "low": -0.25, "high": 1.0},
}  # fmt: skip
SUMMARY = {
    "version": "1", "config": {"seed": 7}, "seconds": {"total": 59.6},
    "machine": {"cores": 2, "device": "cpu", "python": "3.11", "jax": "0.10"},
    "data": {"runs": 1000, "records": 2000, "tasks": ["digits", "wine"], "cells_sure": 30},
    "laws": [
        {"name": "Ψ <curve>", "file": "laws/curve.json", "text": "0.1 < 1",
         "constants": [{"name": "a", "value": 0.5, "low": 0.25, "high": 1.0}],
         "scores": [{"name": "held out", "value": 0.125}]},
        {"name": "Ψ network", "file": "laws/n", "text": "n", "constants": [], "scores": []},
    ],
    "task": {"name": "digits", "criterion": 0.25, "seeds": [100, 101, 102]},
    "methods": [METHOD],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "figures").mkdir()
    for name, _ in CAPTIONS:
        (tmp_path / "figures" / f"{name}.png").write_bytes(b"picture")
    (tmp_path / "summary.json").write_text(json.dumps(SUMMARY))
    return tmp_path


def test_a_row_of_the_table():
    """One of three seeds diverged; two met the criterion, after 3 and 6 epochs."""
    header, (row,) = table([METHOD])
    assert dict(zip(header, row, strict=True)) == {
        "method": "Ψ <curve>", "tuning runs": "0", "peak rate": "—", "train loss": "0.2000",
        "val. loss": "0.3000 (1 diverged)", "test accuracy": "75.00 %", "epochs to crit.": "4.5",
        "seeds there": "2/3", "score y": "-1.250", "regret [95 %]": "+0.500 [-0.250, +1.000]",
    }  # fmt: skip


def test_a_method_that_diverged_and_never_met_the_criterion():
    lost = METHOD | {"final_val_losses": [None] * 3, "epochs_to_criterion": [None] * 3}
    header, (row,) = table([lost | {"peak_rate": 0.125}])
    shown = dict(zip(header, row, strict=True))
    assert (shown["val. loss"], shown["epochs to crit."]) == ("diverged", "—")
    assert (shown["seeds there"], shown["peak rate"]) == ("0/3", "0.125")


def test_the_page_is_escaped_and_fetches_nothing(folder):
    text = page(SUMMARY, folder / "figures")
    assert text.count("<img") == text.count("src='data:image/png;base64,") == len(CAPTIONS)
    assert "Ψ &lt;curve&gt;" in text
    assert "<curve>" not in text
    assert "<script" not in text
    assert text.count("<h3>") == 2
    assert text.count("95 % over tasks") == 1  # a network has no constants
    assert "0.250 … 1.000" in text


def test_legend_and_machine_say_what_was_measured_where():
    assert "seeds 100–102" in legend(SUMMARY)
    assert "<= 0.2500" in legend(SUMMARY)
    assert machine(SUMMARY) == "2 cores, cpu, Python 3.11, jax 0.10; 60 s in all"


def test_a_page_is_made_again_from_its_folder(folder):
    assert write_page(folder) == SUMMARY
    assert (folder / "report.html").read_text() == page(SUMMARY, folder / "figures")


@pytest.mark.parametrize("fault", ["summary", "key", "figure"])
def test_a_folder_without_a_finished_demo_is_refused(folder, fault):
    if fault == "figure":
        (folder / "figures" / "psi.png").unlink()
    elif fault == "summary":
        (folder / "summary.json").write_text("{")
    else:
        summary = copy.deepcopy(SUMMARY)
        del summary["task"]
        (folder / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(ValueError, match="holds no finished demo"):
        write_page(folder)
    assert not (folder / "report.html").exists()


def test_nothing_is_wider_than_a_phone(folder):
    """At 390 pixels: pictures shrink, tables scroll in a box of their own, long words break."""
    text = page(SUMMARY, folder / "figures")
    assert "<meta name='viewport' content='width=device-width, initial-scale=1'>" in text
    style = text[text.index("<style>") : text.index("</style>")]
    assert "img{max-width:100%;height:auto}" in style
    assert "div.wide{overflow-x:auto}" in style
    assert text.count("<table>") == text.count("<div class='wide'><table>") > 1
    words = re.search(r"([^}]*)\{[^}]*overflow-wrap:anywhere\}\nh1,h2,h3,p,figcaption", style)
    assert words is not None
    assert "code" in words[1]
    assert "white-space:pre" not in style
    assert not re.search(r"(?<!max-)width:\d+(px|rem|em)", style)
