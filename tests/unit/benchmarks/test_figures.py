"""Medians, spread, ratios and aims."""

from __future__ import annotations

import pytest
from benchmarks.figures import Aim, Figure, quantile, ratio


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        pytest.param([5.0], 0.9, 5.0, id="one value is every quantile"),
        pytest.param([3.0, 1.0, 2.0], 0.5, 2.0, id="order does not matter"),
        pytest.param([0.0, 10.0], 0.1, 1.0, id="linear between neighbours"),
        pytest.param([1.0, 2.0, 3.0], 1.0, 3.0, id="the greatest"),
    ],
)
def test_quantile(values: list[float], share: float, expected: float) -> None:
    assert quantile(values, share) == pytest.approx(expected)


def test_figure_pools_its_rounds() -> None:
    figure = Figure(((1.0, 2.0), (3.0,)))
    assert (figure.median, figure.low, figure.high) == (2.0, pytest.approx(1.2), pytest.approx(2.8))


def test_ratio_of_times_says_how_many_times_faster() -> None:
    found = ratio(Figure(((1.0,), (2.0,))), Figure(((10.0,), (10.0,))))
    assert (found.value, found.least, found.greatest) == (pytest.approx(10 / 1.5), 5.0, 10.0)


def test_ratio_of_rates_says_how_many_times_more() -> None:
    assert ratio(Figure(((30.0,),)), Figure(((10.0,),)), more_is_better=True).value == 3.0


@pytest.mark.parametrize(
    ("aim", "value", "met"),
    [
        pytest.param(Aim(2), 2.0, True, id="at least: reached exactly"),
        pytest.param(Aim(2), 1.99, False, id="at least: missed"),
        pytest.param(Aim(1.6, at_most=True), 1.6, True, id="at most: reached exactly"),
        pytest.param(Aim(1.6, at_most=True), 1.7, False, id="at most: missed"),
    ],
)
def test_aim(aim: Aim, value: float, met: bool) -> None:
    assert aim.met(value) is met
