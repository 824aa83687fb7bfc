"""Diagnoses of trainings whose trouble is planted, and of losses that fall as they should."""

from pathlib import Path

import numpy as np
import pytest

from psi.advice.choosing import Columns
from psi.advice.diagnosis import diagnose
from psi.advice.findings import Finding
from psi.advice.log import Log, Series, read_log
from tests.advice.logs import STRANGE, log_of, trained


def names(log: Log, initial_loss: float | None = None) -> list[str]:
    return [each.name for each in diagnose(log, initial_loss)]


# Planted trouble


def test_a_rate_beyond_the_bound_is_too_high() -> None:
    found = diagnose(trained(np.full(12, 2.02)))
    assert [each.name for each in found] == ["rate too high"]
    assert "rises from" in found[0].text
    assert "at rate 2" in found[0].text


def test_a_loss_that_is_no_number_any_more_is_too_high_a_rate_from_there() -> None:
    rates = np.where(np.arange(30) < 10, 0.05, 40.0)
    log = trained(rates)
    first = int(np.argmax(~np.isfinite(log.loss)))
    assert first > 10
    found = diagnose(log)
    assert found[0].name == "rate too high"
    assert f"not finite in {30 - first} of 30 lines, first at epoch {first} at rate 40" in (
        found[0].text
    )
    assert found[0].span == (first, 29)


@pytest.mark.parametrize("rate", [1e-6, 1e-4])
def test_a_rate_far_too_low(rate: float) -> None:
    assert names(trained(np.full(40, rate))) == ["rate too low"]


def test_a_good_training_is_healthy() -> None:
    rates = 0.03 * (1 - np.arange(40) / 40)
    for seed in range(5):
        assert names(trained(rates, seed)) == ["healthy"]


def test_one_jump_in_a_flat_loss_is_no_ruin() -> None:
    loss = 2.3 + 0.01 * np.random.default_rng(0).normal(size=60)
    loss[30] = 5.0
    assert names(log_of(loss)) == ["spikes", "rate too low"]


def test_a_first_line_of_zero_is_no_loss_to_compare_with() -> None:
    loss = [0.0, *np.geomspace(2.2, 0.2, 39)]
    assert not {"rate too high", "rate too low"} & set(names(log_of(loss)))


def test_a_few_lines_say_little() -> None:
    assert names(log_of([2.0, 1.0, np.nan])) == ["rate too high", "too short"]
    assert "Of 7 finite losses nothing more" in diagnose(log_of(np.ones(7)))[0].text


@pytest.mark.parametrize("name", STRANGE)
def test_no_log_is_too_strange(name: str) -> None:
    found = diagnose(log_of(STRANGE[name], 0.1))
    assert all(isinstance(each, Finding) for each in found)
    assert found
    assert not any(word in each.text for each in found for word in ("nan", "inf"))


def test_a_file_is_read_and_diagnosed(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("epoch,nll\n" + "".join(f"{k},{2 + k}\n" for k in range(12)))
    columns = Columns(loss="nll")
    (found,) = diagnose(path, columns=columns)
    assert diagnose(str(path), columns=columns) == [found]
    assert found.name == "rate too high"
    with pytest.raises(ValueError, match="no column is a loss"):
        diagnose(path)


# Cases that users brought

CASES = Path(__file__).parents[1] / "cases"


def case(name: str, file: str = "log.csv") -> tuple[Log, list[Finding]]:
    log = read_log(CASES / f"diagnose_{name}" / file)
    return log, diagnose(log)


def test_case_diagnose_comment_first() -> None:
    log, _ = case("comment_first")
    assert (len(log.loss), log.at[0], log.at[-1]) == (30, 0, 29)


def test_case_diagnose_header_again() -> None:
    log, _ = case("header_again")
    assert log.at.tolist() == list(range(30))
    assert log.rate.tolist() == [0.01] * 15 + [0.001] * 15
    assert "the header stands again 1 time: a resumed run" in log.notes


def test_case_diagnose_last_line_cut() -> None:
    log, _ = case("last_line_cut")
    assert len(log.loss) == 29
    assert "line 31, the last, is cut (2 of 3 cells): left out" in log.notes


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("camel.csv", ["TrainLoss", "ValLoss", "LearningRate"]),
        ("total.csv", ["train_total_loss", "val_total_loss", "lr"]),
    ],
)
def test_case_diagnose_loss_names(file: str, names: list[str]) -> None:
    log, found = case("loss_names", file)
    assert [log.columns.loss, log.columns.validation, log.columns.rate] == names
    assert [each.name for each in found] == ["overfitting"]


def test_case_diagnose_loss_turns_zero() -> None:
    _, found = case("loss_turns_zero")
    assert [each.name for each in found] == ["loss is exactly 0", "gradients not finite"]
    assert "from 1.149 to exactly 0 at step 410 and stays there" in found[0].text
    assert "longer" not in found[0].text


def test_case_diagnose_nan_for_empty() -> None:
    log, found = case("nan_for_empty")
    assert (len(log.loss), len(log.validation.at)) == (30, 30)
    assert np.isfinite([*log.loss, *log.validation.value]).all()
    assert [each.name for each in found] == ["healthy"]


def test_case_diagnose_one_epoch_lightning() -> None:
    log, found = case("one_epoch_lightning", "metrics.csv")
    assert (log.columns.loss, len(log.loss)) == ("train_loss_step", 300)
    assert [each.name for each in found] == ["healthy"]


def test_case_diagnose_overfit() -> None:
    _, found = case("overfit")
    assert [each.name for each in found] == ["overfitting"]
    assert "lowest at epoch 15, 0.6313, and rises to 1.82 at epoch 59" in found[0].text


def test_case_diagnose_rate_lion() -> None:
    log, _ = case("rate_lion", "metrics.csv")
    assert (log.columns.rate, log.optimizer) == ("lr-Lion", ("Lion", None))
    assert set(log.rate) == {1e-4, 1e-5}


def test_case_diagnose_trainer_state() -> None:
    log, found = case("trainer_state", "trainer_state.json")
    assert (len(log.loss), log.unit, log.at[-1]) == (60, "step", 600)
    assert found[0].text.startswith("The loss falls from 2.05 to 0.0487")


def test_case_diagnose_unbounded_below() -> None:
    _, found = case("unbounded_below")
    assert [each.name for each in found] == ["loss without a floor"]
    assert "negative and has no floor in sight" in found[0].text
    assert "3,204 times the size of the first" in found[0].text


# Other columns


def test_nothing_is_healthy_and_to_be_continued_while_another_column_says_otherwise() -> None:
    t = np.arange(60.0)
    fine = log_of(2.3 * (1 + t / 6) ** -0.7, 0.1)
    falls = log_of(2.0 * np.exp(-2 * t / 60), 0.1)
    assert (names(fine), names(falls)) == (["healthy"], ["still falling"])
    bad = np.where(t < 50, 1.0, np.nan)
    for log in (fine, falls):
        for changed in (
            log._replace(validation=Series(t, 1 + 0.02 * np.maximum(t - 20, 20 - t))),
            log._replace(validation=Series(t, bad)),
            log._replace(validation=Series(t, np.zeros(60))),
            log._replace(gradient_norm=Series(t, bad)),
            log._replace(gradient_norm=Series(t, np.where(t < 40, 1.0, 0.0))),
            log._replace(gradient_norm=Series(t, 10 ** (t / 20))),
            log._replace(rate=np.where(t < 40, 0.1, 0.0)),
            log._replace(rate=np.where(t < 40, 0.1, np.nan)),
            log._replace(rate=np.full(60, -0.1)),
        ):
            assert not {"healthy", "still falling"} & set(names(changed))
    stands = falls._replace(validation=Series(t, np.full(60, 1.5) + 0.01 * (-1) ** t))
    assert names(stands) == ["validation stands"]


# False alarms


CURVES = {
    "exponential": lambda t: 2.2 * np.exp(-t / 0.2) + 0.1,
    "power": lambda t: 2.3 * (1 + 20 * t) ** -0.7,
    "slow power": lambda t: 2.3 * (1 + 200 * t) ** -0.3,
    "sigmoid": lambda t: 0.2 + 2.1 / (1 + np.exp((t - 0.3) / 0.08)),
}


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("lines", [10, 50, 1000])
def test_of_a_loss_that_falls_nobody_is_told_that_it_rises(curve: str, lines: int) -> None:
    """Noise of 2 and 10 %, independent or with half of it kept: 1 of 100 draws, seeds fixed."""
    rng = np.random.default_rng(0)
    t = np.arange(lines) / lines
    wrong = 0
    for draw in range(100):
        noise = rng.normal(size=lines)
        if draw % 2:
            for k in range(1, lines):
                noise[k] = 0.5 * noise[k - 1] + np.sqrt(0.75) * noise[k]
        loss = CURVES[curve](t) * (1 + (0.02, 0.1)[draw // 2 % 2] * noise)
        rates = np.where(t < 0.5, 0.1, 0.01)
        found = {each.name for each in diagnose(log_of(loss, rates))}
        wrong += bool(found & {"rate too high", "rate too low", "spikes", "noise floor"})
    assert wrong <= 1
