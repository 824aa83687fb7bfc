"""The error of a law, split into that of its scale and that of its shape."""

from dataclasses import replace

import numpy as np
import pytest

from psi.fit.config import FitConfig
from psi.fit.dataset import fit_surface
from psi.fit.decompose import split_error
from tests.fit.planted import SAMPLE, A, B, C, constants_of, scores_of, tables

CURVE = FitConfig(family="loss_power*polynomial", resamples=8)


def test_two_errors_by_hand():
    """Two tasks of weights 3 and 1 with means 1 and −1: m = ½, scale = √(¾·¼ + ¼·9/4) = √¾."""
    residual = np.array([0.0, 1.5, -1.0])
    scale, shape = split_error(
        residual, np.array([1.0, 2.0, 1.0]), np.array(["a", "a", "b"], object)
    )
    assert scale == pytest.approx(np.sqrt(0.75))
    assert shape == pytest.approx(np.sqrt((1 + 2 * 0.25) / 4))
    mean = 0.5
    total = np.average(residual**2, weights=[1, 2, 1])
    assert scale**2 + shape**2 + mean**2 == pytest.approx(total)
    assert split_error(residual, np.ones(3), np.full(3, "a", object))[0] == 0


def test_scale_and_shape_are_reported_apart():
    """Tasks whose rates are a factor apart: an absolute law is off by it, one of α/α_0 is not."""
    ideal, surface = tables(effect=0.8, noise=0.1)
    pure = fit_surface(SAMPLE, surface, ideal, CURVE).law
    scaled = fit_surface(SAMPLE, surface, ideal, replace(CURVE, scaled=True)).law
    each = np.log(ideal.groupby("task").scale.first())
    assert scores_of(pure)["error of the scale, nats"] == pytest.approx(each.std(ddof=0), rel=0.15)
    assert scores_of(scaled)["error of the scale, nats"] < 0.05
    assert scores_of(scaled)["error of the shape, nats"] == pytest.approx(0.1, rel=0.15)
    assert 0.09 < scores_of(pure)["error of the shape, nats"] < 0.16
    assert scaled.scale == pytest.approx(np.median(np.exp(each)))
    assert constants_of(scaled) == pytest.approx([A, B, C], rel=0.1)
    assert scaled.rates.high < 1.5 * A
