"""`psi verify` says what was estimated and what is true."""

import json


def test_an_unknown_problem_is_refused(refused):
    refused(["verify", "G99"], ["G99", "G1, G2"])


def test_verify_says_what_was_estimated_and_what_is_true(run):
    code, out, err = run("verify", "G8", "G9", "--json")
    assert code == 0, err
    rows = json.loads(out)["rows"]
    assert [row["problem"] for row in rows] == ["G8", "G9"]
    for row in rows:
        assert row["ok"] is True
        assert row["relative_error"] == abs(row["estimate"] - row["truth"]) <= row["tolerance"]
        assert row["seconds"] > 0
