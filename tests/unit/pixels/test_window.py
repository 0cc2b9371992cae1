"""VOI windows: the formulas of PS3.3 C.11.2.1.2 and C.11.2.1.3 in numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.pixels.window import apply, first, full_range
from skiagraph.standard.rendering import VoiFunction, Window


def linear(x: float, c: float, w: float) -> float:
    """C.11.2.1.2.1, word for word, for an output of 0 to 1."""
    if x <= c - 0.5 - (w - 1) / 2:
        return 0.0
    if x > c - 0.5 + (w - 1) / 2:
        return 1.0
    return (x - (c - 0.5)) / (w - 1) + 0.5


def linear_exact(x: float, c: float, w: float) -> float:
    """C.11.2.1.3.2."""
    if x <= c - w / 2:
        return 0.0
    if x > c + w / 2:
        return 1.0
    return (x - c) / w + 0.5


def sigmoid(x: float, c: float, w: float) -> float:
    """C.11.2.1.3.1."""
    try:
        return 1 / (1 + math.exp(-4 * (x - c) / w))
    except OverflowError:
        return 0.0


FORMULAS = {
    VoiFunction.LINEAR: linear,
    VoiFunction.LINEAR_EXACT: linear_exact,
    VoiFunction.SIGMOID: sigmoid,
}


@given(
    st.sampled_from(VoiFunction),
    st.floats(-5000, 5000, allow_subnormal=False),
    st.floats(1, 10000),
    st.lists(st.integers(-32768, 65535), min_size=1, max_size=30),
)
def test_the_formulas_of_the_standard(function: VoiFunction, center: float, width: float, values: list[int]) -> None:
    shown = apply(np.array(values, np.float64), Window(center, width, function))
    expected = [FORMULAS[function](value, center, width) for value in values]
    assert np.allclose(shown, expected, atol=1e-9)


@pytest.mark.parametrize(
    ("window", "values", "expected"),
    [
        pytest.param(Window(2048, 4096), [0, 2047, 2048, 4095], [0, 2047 / 4095, 2048 / 4095, 1], id="LINEAR note"),
        pytest.param(Window(2048, 1), [2046, 2047, 2048, 2049], [0, 0, 1, 1], id="LINEAR width 1: threshold"),
        pytest.param(Window(0, 100), [-50.5, -50, 49, 49.5], [0, 0, 1, 1], id="LINEAR width 100: -50 … 49"),
        pytest.param(Window(0, 100, VoiFunction.LINEAR_EXACT), [-50, 0, 50], [0, 0.5, 1], id="LINEAR_EXACT"),
        pytest.param(
            Window(0.5, 0.5, VoiFunction.LINEAR_EXACT), [0.25, 0.5, 0.625], [0, 0.5, 0.75], id="width below 1"
        ),
        pytest.param(Window(10, 40, VoiFunction.SIGMOID), [10, 20], [0.5, 1 / (1 + math.exp(-1))], id="SIGMOID"),
        pytest.param(Window(0, 0.001, VoiFunction.SIGMOID), [-65535, 65535], [0, 1], id="SIGMOID far outside"),
    ],
)
def test_apply(window: Window, values: list[float], expected: list[float]) -> None:
    assert apply(np.array(values, np.float64), window).tolist() == pytest.approx(expected, abs=1e-12)


def test_full_range_reaches_both_ends() -> None:
    assert apply(np.array([0.0, 127.5, 255.0]), full_range(0, 255)).tolist() == [0, 0.5, 1]
    assert full_range(5, 5).valid


def element(*values: Any) -> dict[str, Any]:
    return {"vr": "DS", "Value": list(values)}


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"00281050": element(40), "00281051": element(400)}, Window(40, 400), id="one"),
        pytest.param(
            {"00281050": element(40, 500), "00281051": element(400, 2000)}, Window(40, 400), id="the first of several"
        ),
        pytest.param({"00281050": element("40.0"), "00281051": element("4E2")}, Window(40, 400), id="as strings"),
        pytest.param({"00281050": element(0, 40), "00281051": element(0, 400)}, Window(40, 400), id="width 0 is none"),
        pytest.param({"00281050": element(40), "00281051": element(-400)}, None, id="negative width"),
        pytest.param(
            {"00281050": element(1), "00281051": element(0.5)},
            Window(1, 0.5, VoiFunction.LINEAR_EXACT),
            id="LINEAR narrower than 1 is exact",
        ),
        pytest.param(
            {"00281050": element(1), "00281051": element(0.5), "00281056": element("SIGMOID")},
            Window(1, 0.5, VoiFunction.SIGMOID),
            id="VOI LUT Function",
        ),
        pytest.param(
            {"00281050": element(1), "00281051": element(5), "00281056": element("CUBIC")}, Window(1, 5), id="unknown"
        ),
        pytest.param({"00281050": element("NaN"), "00281051": element(5)}, None, id="not a number"),
        pytest.param({"00281050": element(5)}, None, id="no width"),
        pytest.param({"00281050": element(), "00281051": {"vr": "DS"}}, None, id="empty"),
    ],
)
def test_first(attributes: dict[str, Any], expected: Window | None) -> None:
    assert first(attributes) == expected
