"""The display shutter: PS3.3 C.7.6.11."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.shutter import Shutter, apply, from_attributes


def element(*values: Any) -> dict[str, Any]:
    return {"vr": "XX", "Value": list(values)}


RECTANGLE = {
    "00181600": element("RECTANGULAR"),
    "00181602": element(2),
    "00181604": element(3),
    "00181606": element(1),
    "00181608": element(2),
}


def shown(shutter: Shutter, rows: int = 5, columns: int = 5) -> list[str]:
    picture = np.full((rows, columns), 9, np.uint8)
    apply(picture, shutter)
    return ["".join("#" if value == 9 else "." for value in row) for row in picture]


@pytest.mark.parametrize(
    ("shutter", "expected"),
    [
        pytest.param(
            Shutter(rectangle=(2, 4, 1, 3)),
            [".###.", ".###.", ".###.", ".....", "....."],
            id="RECTANGULAR, edges shown",
        ),
        pytest.param(Shutter(rectangle=(-5, 2, 4, 99)), [".....", ".....", ".....", "##...", "##..."], id="beyond"),
        pytest.param(Shutter(rectangle=(4, 2, 1, 5)), ["....."] * 5, id="edges crossed: nothing"),
        pytest.param(
            Shutter(circle=(3, 3, 2)), ["..#..", ".###.", "#####", ".###.", "..#.."], id="CIRCULAR, radius shown"
        ),
        pytest.param(
            Shutter(polygon=((1, 1), (1, 5), (5, 1))), ["#####", "####.", "###..", "##...", "#...."], id="POLYGONAL"
        ),
        pytest.param(
            Shutter(rectangle=(1, 3, 1, 5), circle=(3, 3, 2)),
            ["..#..", ".##..", "###..", ".##..", "..#.."],
            id="several: all have to be open",
        ),
    ],
)
def test_apply(shutter: Shutter, expected: list[str]) -> None:
    assert shown(shutter) == expected


def test_presentation_value() -> None:
    picture = np.full((1, 2), 9, np.uint8)
    apply(picture, Shutter(rectangle=(1, 1, 1, 1), gray=100))
    assert picture.tolist() == [[9, 100]]
    colour = np.full((1, 2, 3), 9, np.uint8)
    apply(colour, Shutter(rectangle=(1, 1, 1, 1), gray=100, rgb=(1, 2, 3)))
    assert colour.tolist() == [[[9] * 3, [1, 2, 3]]]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        pytest.param({}, None, id="none"),
        pytest.param(RECTANGLE, Shutter(rectangle=(2, 3, 1, 2)), id="RECTANGULAR"),
        pytest.param(
            RECTANGLE | {"00181622": element(65535)}, Shutter(rectangle=(2, 3, 1, 2), gray=255), id="P-Value white"
        ),
        pytest.param(
            {"00181600": element("CIRCULAR"), "00181610": element(5, 6), "00181612": element(7)},
            Shutter(circle=(5, 6, 7)),
            id="CIRCULAR",
        ),
        pytest.param(
            {"00181600": element("POLYGONAL"), "00181620": element(1, 2, 3, 4, 5, 6, 7)},
            Shutter(polygon=((1, 2), (3, 4), (5, 6))),
            id="POLYGONAL",
        ),
        pytest.param({"00181600": element("POLYGONAL"), "00181620": element(1, 2, 3, 4)}, None, id="two vertices"),
        pytest.param({"00181600": element("RECTANGULAR"), "00181602": element(2)}, None, id="edges missing"),
        pytest.param({"00181600": element("CIRCULAR"), "00181610": element(5)}, None, id="half a center"),
        pytest.param({"00181600": element("BITMAP")}, None, id="BITMAP is of presentation states"),
    ],
)
def test_from_attributes(attributes: dict[str, Any], expected: Shutter | None) -> None:
    assert from_attributes(attributes) == expected


def test_absurd_polygons_take_no_time() -> None:
    points = tuple((2**40 * (-1) ** number, -(2**40) * number) for number in range(2000))
    shown(Shutter(polygon=points))


def test_a_polygon_that_takes_too_long_to_draw() -> None:
    """10,000 edges, each across all of a high picture."""
    vertices = tuple((1 + 60_000 * (number % 2), 1 + number % 7) for number in range(10_000))
    with pytest.raises(BadPixels, match="too long edges"):
        apply(np.zeros((60_000, 8), np.uint8), Shutter(polygon=vertices))
