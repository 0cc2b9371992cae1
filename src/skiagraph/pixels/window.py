"""VOI windows: PS3.3 C.11.2.1.2 and C.11.2.1.3, to the letter of their formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels import elements
from skiagraph.standard.rendering import VoiFunction, Window
from skiagraph.values import Attributes


def apply(values: NDArray[Any], window: Window) -> NDArray[Any]:
    """Map modality values to 0.0 … 1.0.

    LINEAR and LINEAR_EXACT reach both ends, SIGMOID neither of them.
    """
    center, width = window.center, window.width
    shown: NDArray[Any]
    if window.function is VoiFunction.SIGMOID:
        # exp overflows far below the center: the limit there is 0
        shown = 1.0 / (1.0 + np.exp(np.minimum(-4.0 * (values - center) / width, 700.0)))
    elif window.function is VoiFunction.LINEAR_EXACT:
        shown = _ramp(values, center, width)
    elif width == 1:  # the formula's third case is empty: a threshold
        shown = (values > center - 0.5).astype(values.dtype)
    else:
        shown = _ramp(values, center - 0.5, width - 1.0)
    return shown


def _ramp(values: NDArray[Any], center: float, width: float) -> NDArray[Any]:
    shown: NDArray[Any] = values - center
    shown /= width
    shown += 0.5
    return np.clip(shown, 0.0, 1.0, out=shown)


def full_range(low: float, high: float) -> Window:
    """The window that maps `low` to black and `high` to white."""
    return Window((low + high) / 2, max(high - low, np.finfo(float).tiny), VoiFunction.LINEAR_EXACT)


def first(attributes: Attributes) -> Window | None:
    """The first valid window of a data set or functional group: (0028,1050), (0028,1051), (0028,1056)."""
    try:
        function = VoiFunction(elements.text(attributes, "00281056") or "LINEAR")
    except ValueError:
        function = VoiFunction.LINEAR
    for center, width in zip(
        elements.numbers(attributes, "00281050"), elements.numbers(attributes, "00281051"), strict=False
    ):
        if function is VoiFunction.LINEAR and 0 < width < 1:
            # Not allowed, but written for maps of small real numbers, and plain what is meant
            return Window(center, width, VoiFunction.LINEAR_EXACT)
        window = Window(center, width, function)
        if window.valid:
            return window
    return None
