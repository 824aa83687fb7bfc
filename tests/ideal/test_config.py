"""What psi ideal may be asked for."""

import pytest

from psi.ideal.config import CONTINUATIONS, IdealConfig
from psi.ideal.continuation import CONTINUATIONS as PLAYED


def test_the_names_of_continuations_are_those_that_can_be_played():
    assert tuple(each.name for each in PLAYED) == CONTINUATIONS


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cells": 0}, "cells must be >= 1, got 0"),
        ({"orders": 1}, "orders must be >= 2"),
        ({"horizon": ()}, "horizon must be distinct"),
        ({"horizon": (2, 2)}, "horizon must be distinct"),
        ({"continuation": "exponential"}, "constant, linear or a law file"),
    ],
)
def test_configs_that_make_no_sense(change, words):
    with pytest.raises(ValueError, match=words):
        IdealConfig(**change)
