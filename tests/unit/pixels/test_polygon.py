"""Filled polygons: in bands they are as at once."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from skiagraph.pixels import polygon


def zigzag(count: int, size: int, seed: int = 1) -> NDArray[np.float64]:
    """Corners at random."""
    return np.random.default_rng(seed).uniform(-0.2 * size, 1.2 * size, (count, 2))


def circle(count: int, size: int) -> NDArray[np.float64]:
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return size / 2 + size * 0.4 * np.stack((np.cos(angles), np.sin(angles)), axis=-1)


@pytest.mark.parametrize("points", [zigzag(40, 100), zigzag(7, 100), circle(50, 100)], ids=["many", "few", "circle"])
def test_bands_are_no_other_picture(points: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = Image.new("L", (100, 90), 0)
    ImageDraw.Draw(at_once).polygon([(x, y) for x, y in points.tolist()], fill=255, outline=255)
    monkeypatch.setattr(polygon, "_AT_ONCE", 100)
    banded = Image.new("L", (100, 90), 0)
    polygon.fill(banded, points)
    assert (np.asarray(at_once) == np.asarray(banded)).all()
    assert np.count_nonzero(banded) > 500


def test_what_was_drawn_stays() -> None:
    image = Image.new("L", (20, 20), 0)
    for left in (0.0, 10.0):
        polygon.fill(image, np.array([(left, 2.0), (left + 5, 2.0), (left + 5, 8.0), (left, 8.0)]))
    assert np.asarray(image)[5, [2, 7, 12, 17]].tolist() == [255, 0, 255, 0]


@pytest.mark.parametrize(
    ("points", "count"),
    [
        pytest.param([(0, 0), (9, 0), (9, 10), (0, 10)], 20, id="a square"),
        pytest.param([(0, -1e9), (9, -1e9), (9, 1e9), (0, 1e9)], 202, id="far beyond the picture"),
        pytest.param([(0, 0), (5, 100), (10, 0), (15, 100)], 400, id="a zigzag"),
    ],
)
def test_crossings(points: list[tuple[float, float]], count: int) -> None:
    assert polygon.crossings(np.array(points, np.float64), 100) == count + 4
