"""The figure of a power law of best rates."""

import numpy as np
import pytest

from psi.report.sweep import sweep_figure
from tests.report.conftest import labels
from tests.report.pictures import SPREADS, swept


def test_a_panel_a_fact_with_the_law_through_the_rates_at_the_others_means(drawn, tmp_path):
    groups, law, columns = swept(SPREADS["usual"])
    on_law = law.rate.value * np.prod(
        (np.array([each.facts for each in groups]) / law.middle) ** -0.5, axis=1
    )
    exact = [each._replace(rate=r) for each, r in zip(groups, on_law, strict=True)]
    sweep_figure(exact, law, columns, tmp_path / "a.png")
    panels = drawn().axes
    assert [panel.get_xlabel() for panel in panels] == list(columns.facts)
    assert panels[0].get_title() == "exponent −0.500\n95 %: −0.610 … −0.400"
    assert labels(drawn()) == ["groups, 95 %", "at an edge: not in the law", "power law"]
    for panel in panels:
        *dots, line = panel.lines
        assert sum(len(each.get_xdata()) for each in dots) == len(groups)
        ends, rates = np.log(line.get_data())
        slope = np.diff(rates) / np.diff(ends)
        assert slope == pytest.approx(-0.5)
        for each in dots:
            x, y = np.log(each.get_data())
            np.testing.assert_allclose(y, rates[0] + slope * (x - ends[0]))
