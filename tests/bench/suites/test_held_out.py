"""The held-out tasks: what the list promises, and that no training task is on it."""

from psi.bench.suites.held_out import FIXED, HELD_OUT, STREAMS


def test_half_of_at_least_eight_held_out_tasks_are_streams():
    assert len(HELD_OUT) >= 8
    assert len(STREAMS) >= len(HELD_OUT) / 2
    assert {spec.name for spec in FIXED} == {"digits", "iris", "pydoc"}
    assert {"cnn", "transformer"} <= {spec.hyper.network for spec in HELD_OUT}
    assert len({(spec.name, spec.hyper) for spec in HELD_OUT}) == len(HELD_OUT)


def test_no_training_task_is_held_out():
    from experiments.closed_forms.tasks import TRAINING

    kept_out = {spec.name.split("-")[0] for spec in HELD_OUT}
    assert not kept_out & {spec.name.split("-")[0] for spec in TRAINING}
    assert not {"cnn", "transformer", "gru"} & {spec.hyper.network for spec in TRAINING}
