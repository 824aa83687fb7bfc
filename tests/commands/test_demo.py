"""What `psi demo` refuses; what it makes is in tests/test_demo.py."""

import pytest


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--epochs", "0"], ["epochs", ">= 1", "got 0"]),
        (["--epochs", "two"], ["--epochs", "two"]),
        (["--held-out", "cifar"], ["cifar", "allowed: breast_cancer, digits, wine"]),
        (["--draws", "0"], ["draws", "got 0"]),
        (["--out", "FILE/demo"], ["cannot write", "FILE/demo"]),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_exit_2(arguments, words, refused):
    refused(["demo", *arguments], words)


def test_demo_leaves_a_folder_of_other_files_alone(run, tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    code, _, error = run("demo", "--out", tmp_path)
    assert (code, error.count("\n")) == (2, 1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["thesis.tex"]
