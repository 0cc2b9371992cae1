"""Samples of code streams and cells of data sets: the same bits, each with its own idea of the sign."""

from __future__ import annotations

import numpy as np
import pytest

from pictures import image
from skiagraph.pixels.codecs import samples
from skiagraph.pixels.image import BadPixels, ImageParams


@pytest.mark.parametrize(
    ("given", "precision", "of", "expected"),
    [
        pytest.param(np.array([[0, 255]], "u1"), 8, image(allocated=8), [0, 255], id="as they are"),
        pytest.param(np.array([[0, 255]], "u1"), 8, image(allocated=8, signed=1), [0, -1], id="8 bits signed"),
        pytest.param(np.array([[0, 255]], "u1"), 8, image(stored=8, signed=1), [0, -1], id="into a larger cell"),
        pytest.param(np.array([[1, 0xFFF]], "u2"), 12, image(stored=12, signed=1), [1, -1], id="12 bits signed"),
        pytest.param(np.array([[1, 0xFFF]], "u2"), 16, image(stored=12, signed=1), [1, 0xFFF], id="precision counts"),
        pytest.param(np.array([[1, -1]], "i2"), 12, image(stored=12), [1, 0xFFF], id="signed stream, unsigned cells"),
        pytest.param(np.array([[1, -1]], "i1"), 8, image(stored=12, signed=1), [1, -1], id="signed both"),
        pytest.param(np.array([[1, 300]], "u2"), 9, image(allocated=8), [1, 300], id="more bits than allocated"),
        pytest.param(np.array([1, 2], "u1"), 8, image(allocated=8), [1, 2], id="flat"),
    ],
)
def test_to_cells(given: np.ndarray, precision: int, of: ImageParams, expected: list[int]) -> None:
    of = image(
        of.photometric_interpretation, of.bits_allocated, of.bits_stored, of.pixel_representation, rows=1, columns=2
    )
    found, described = samples.to_cells(given, precision, of)
    assert found.ravel().tolist() == expected
    assert found.dtype == described.dtype


def test_another_shape() -> None:
    with pytest.raises(BadPixels, match=r"\(3, 2\) instead of \(2, 3\)"):
        samples.to_cells(np.zeros((3, 2), "u1"), 8, image(allocated=8, rows=2, columns=3))


@pytest.mark.parametrize(
    ("cells", "of", "precision"),
    [
        (np.array([0, 0xFFF], "u2"), image(stored=12), 12),
        (np.array([0, 0x1000], "u2"), image(stored=12), 16),
        (np.array([-2048, 2047], "i2"), image(stored=12, signed=1), 12),
        (np.array([-2049, 0], "i2"), image(stored=12, signed=1), 16),
        (np.array([0, 0xFFFF], "u2"), image(), 16),
        (np.array([], "u2"), image(stored=12), 16),
    ],
)
def test_precision_that_loses_nothing(cells: np.ndarray, of: ImageParams, precision: int) -> None:
    assert samples.precision_of(cells, of) == precision
