"""Colours beside the pipeline: CIELab, labels, samples of other depths."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from skiagraph.pixels import color


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([65535, 32896, 32896], (255, 255, 255)),
        ([0, 32896, 32896], (0, 0, 0)),
        ([35579, 53665, 50857], (255, 0, 0)),
        ([65535, 0, 0], (0, 255, 255)),
        ([1, 2], None),
        ([1, 2, 70000], None),
        ([], None),
    ],
)
def test_from_cielab(values: list[int], expected: tuple[int, int, int] | None) -> None:
    """C.10.7.1.1: L* 0 to 100 as 0 to 65535, a* and b* from -128 to 127, 0 at 32896."""
    found = color.from_cielab(values)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) <= 3


def test_labels_next_to_each_other_look_different() -> None:
    colours = [color.distinct(number) for number in range(200)]
    assert colours[0] == (0, 0, 0)
    assert len(set(colours)) == 200
    assert all(max(abs(a - b) for a, b in zip(*pair, strict=True)) > 60 for pair in pairwise(colours))


@pytest.mark.parametrize(
    ("samples", "bits", "expected"),
    [
        (np.array([0, 100, 255], np.uint8), 8, [0, 100, 255]),
        (np.array([0, 100, 255], np.uint8), 16, [0, 0, 1]),
        (np.array([0, 1], np.uint8), 1, [0, 255]),
        (np.array([0xF000, 0xFFFF], np.uint16), 12, [0, 255]),
        (np.array([0, 2**31, 2**32 - 1], np.uint32), 32, [0, 128, 255]),
        (np.array([0.0, 0.5, 2.0, np.nan], np.float32), 32, [0, 128, 255, 0]),
    ],
)
def test_to_bytes(samples: np.ndarray, bits: int, expected: list[int]) -> None:  # type: ignore[type-arg]
    assert color.to_bytes(samples, bits).tolist() == expected
