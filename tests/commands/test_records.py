"""What `psi records` says of a data set."""

import json

from tests.commands.conftest import SAMPLE


def test_a_folder_without_records_is_refused(refused):
    refused(["records", "EMPTY"], ["holds no records"])


def test_the_sample_s_records_are_counted_by_task(run, tmp_path):
    code, out, err = run("records", SAMPLE, "--check", "--json", "--png", tmp_path / "data.png")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["rows"] == 6 * (2 * 225 + 2 * 6 * 5 * 2)
    assert [row["task"] for row in found["tasks"]] == ["wine", "teacher-0"]
    assert (tmp_path / "data.png").read_bytes().startswith(b"\x89PNG")
