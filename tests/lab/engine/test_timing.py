"""Times are taken in turns, after a run that warms up."""

from psi.lab.engine.timing import alternately, seconds


def test_turns_are_taken_after_one_that_warms_up():
    order = []
    spent = alternately([lambda: order.append("a"), lambda: order.append("b")], 2)
    assert "".join(order) == "ababab"
    assert spent.shape == (2, 2)
    assert (spent >= 0).all()
    first, best = seconds(lambda: order.append("c"), 2)
    assert order.count("c") == 3
    assert min(first, best) >= 0
