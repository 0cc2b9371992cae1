"""Which part of an image is shown, which way round and how large."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skiagraph.errors import BadRequest, PayloadTooLarge
from skiagraph.pixels.presentation import displayed_area
from skiagraph.pixels.presentation.displayed_area import DisplayedArea, Orientation, SizeMode, apply, place, unscaled
from skiagraph.standard.rendering import Viewport


def element(*values: Any) -> dict[str, Any]:
    return {"vr": "XX", "Value": list(values)}


def item(first: tuple[int, int], last: tuple[int, int], **more: Any) -> dict[str, Any]:
    return {"00700052": element(*first), "00700053": element(*last)} | {
        tag: element(*values) for tag, values in more.items()
    }


IMAGE = np.arange(1, 13, dtype=np.uint8).reshape(3, 4)
"""1  2  3  4 / 5  6  7  8 / 9 10 11 12"""
WHOLE = displayed_area.whole(4, 3)


@pytest.mark.parametrize(
    ("given_item", "expected"),
    [
        pytest.param(item((1, 1), (4, 3)), WHOLE, id="the whole image"),
        pytest.param(item((2, 2), (2, 2)), DisplayedArea(1, 1, 2, 2), id="one pixel"),
        pytest.param(item((4, 1), (1, 3)), WHOLE, id="corners as they are when the image is turned"),
        pytest.param(item((-1, 0), (5, 9)), DisplayedArea(-2, -1, 5, 9), id="more than the image"),
        pytest.param({"00700052": element(1, 1)}, None, id="a corner is missing"),
        pytest.param(
            item((1, 1), (4, 3), **{"00700100": ["MAGNIFY"], "00700103": [2.5]}),
            DisplayedArea(0, 0, 4, 3, SizeMode.MAGNIFY, 1.0, 2.5),
            id="MAGNIFY",
        ),
        pytest.param(
            item((1, 1), (4, 3), **{"00700100": ["TRUE SIZE"], "00700101": [2.0, 1.0], "00700103": [9]}),
            DisplayedArea(0, 0, 4, 3, SizeMode.TRUE_SIZE, 2.0),
            id="TRUE SIZE has a spacing",
        ),
        pytest.param(
            item((1, 1), (4, 3), **{"00700102": [1, 2]}), DisplayedArea(0, 0, 4, 3, aspect=0.5), id="aspect ratio"
        ),
        pytest.param(item((1, 1), (4, 3), **{"00700102": [0, 2], "00700100": ["?"]}), WHOLE, id="nonsense"),
    ],
)
def test_reading(given_item: dict[str, Any], expected: DisplayedArea | None) -> None:
    assert DisplayedArea.from_item(given_item) == expected


def test_far_away_is_brought_near() -> None:
    found = DisplayedArea.from_item(
        item((-(2**31), 1), (2**31 - 1, 1), **{"00700100": ["MAGNIFY"], "00700103": [1e30]})
    )
    assert found is not None
    assert max(abs(found.left), found.right) < 2**25
    assert found.magnification == 1000


@pytest.mark.parametrize(
    ("degrees", "flip", "expected"),
    [
        pytest.param(0, "N", IMAGE, id="as it is"),
        pytest.param(0, "Y", IMAGE[:, ::-1], id="flipped"),
        pytest.param(90, "N", np.rot90(IMAGE, -1), id="a quarter clockwise"),
        pytest.param(90, "Y", np.rot90(IMAGE, -1)[:, ::-1], id="rotated, then flipped"),
        pytest.param(180, "N", IMAGE[::-1, ::-1], id="upside down"),
        pytest.param(270, "N", np.rot90(IMAGE, 1), id="a quarter back"),
        pytest.param(45, "N", IMAGE, id="no quarters of a turn"),
    ],
)
def test_orientation(degrees: int, flip: str, expected: Any) -> None:
    orientation = Orientation.from_attributes({"00700042": element(degrees), "00700041": element(flip)})
    placement = place(WHOLE, orientation, None)
    assert (placement.height, placement.width) == expected.shape
    assert apply(IMAGE, placement).tolist() == expected.tolist()


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("wanted", [None, Viewport(60, 60), Viewport(30, 40, 1, 0.5, 2, 1.5)])
def test_points_lie_where_the_pixels_do(quarters: int, flip: bool, wanted: Viewport | None) -> None:
    """One bright pixel, found again at the point that its center is taken to."""
    placement = place(DisplayedArea(-1, 0, 5, 4), Orientation(quarters, flip), wanted)
    for row in range(3):
        for column in range(4):
            image = np.zeros((3, 4), np.uint8)
            image[row, column] = 255
            shown = apply(image, placement)
            ((x, y),) = placement.points(np.array([(column + 0.5, row + 0.5)])).tolist()
            if 0 <= x < placement.width and 0 <= y < placement.height:
                assert shown[int(y), int(x)] > 128, (row, column)


@pytest.mark.parametrize(
    ("area", "wanted", "expected"),
    [
        pytest.param(DisplayedArea(1, 1, 3, 3), None, [[6, 7], [10, 11]], id="a part"),
        pytest.param(DisplayedArea(-1, -1, 2, 1), None, [[0, 0, 0], [0, 1, 2]], id="beyond the upper left"),
        pytest.param(DisplayedArea(3, 2, 5, 4), None, [[12, 0], [0, 0]], id="beyond the lower right"),
        pytest.param(DisplayedArea(10, 10, 12, 11), None, [[0, 0]], id="beside the image"),
        pytest.param(
            DisplayedArea(1, 1, 2, 2, SizeMode.MAGNIFY, magnification=2), None, [[6, 6], [6, 6]], id="MAGNIFY"
        ),
        pytest.param(
            DisplayedArea(0, 0, 4, 3, SizeMode.MAGNIFY), Viewport(2, 9), [[2, 3], [6, 7], [10, 11]], id="MAGNIFY is cut"
        ),
        pytest.param(DisplayedArea(1, 1, 2, 2, aspect=2.0), None, [[6], [6]], id="pixels that are twice as high"),
        pytest.param(DisplayedArea(1, 1, 2, 2, aspect=0.5), None, [[6, 6]], id="twice as wide"),
        pytest.param(DisplayedArea(1, 1, 2, 2), Viewport(2, 3), [[6, 6], [6, 6]], id="to fit"),
        pytest.param(
            DisplayedArea(1, 1, 2, 2, SizeMode.TRUE_SIZE), Viewport(2, 3), [[6, 6], [6, 6]], id="TRUE SIZE too"
        ),
    ],
)
def test_what_is_shown(area: DisplayedArea, wanted: Viewport | None, expected: list[list[int]]) -> None:
    assert apply(IMAGE, place(area, Orientation(), wanted)).tolist() == expected


def test_colour() -> None:
    image = np.stack((IMAGE, IMAGE, IMAGE), axis=-1)
    assert apply(image, place(WHOLE, Orientation(1), None)).shape == (4, 3, 3)


def test_size_without_a_viewport_turns_with_the_image() -> None:
    assert unscaled(DisplayedArea(0, 0, 10, 6, aspect=2.0), Orientation(0)) == (10, 12)
    assert unscaled(DisplayedArea(0, 0, 10, 6, aspect=2.0), Orientation(1)) == (12, 10)


def test_fractions_are_of_the_displayed_area() -> None:
    """Of the whole of it, where only a region is shown."""
    placement = place(DisplayedArea(0, 0, 100, 50), Orientation(), Viewport(100, 100, 50, 0, 50, 50))
    corners = placement.fractions(np.array([(0.0, 0.0), (0.5, 0.0), (1.0, 1.0)]))
    assert corners.tolist() == [[-100, 0], [0, 0], [100, 100]]


@pytest.mark.parametrize("mode", SizeMode)
def test_too_large(mode: SizeMode) -> None:
    area = DisplayedArea(0, 0, 2**24, 2**24, mode, magnification=1000.0)
    with pytest.raises(PayloadTooLarge):
        place(area, Orientation(), None)
    with pytest.raises((BadRequest, PayloadTooLarge)):
        place(area, Orientation(), Viewport(32768, 32768))
    assert place(area, Orientation(), Viewport(100, 100)).width == 100


@given(
    st.tuples(*[st.integers(-50, 50)] * 4),
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from([0.3, 1.0, 2.0]),
    st.none() | st.tuples(st.integers(1, 80), st.integers(1, 80)),
    st.sampled_from(SizeMode),
)
@settings(max_examples=150, deadline=None)
def test_any_area_gives_a_picture_of_the_size_that_was_planned(
    corners: tuple[int, ...],
    quarters: int,
    flip: bool,
    aspect: float,
    size: tuple[int, int] | None,
    mode: SizeMode,
) -> None:
    (x0, x1), (y0, y1) = sorted(corners[:2]), sorted(corners[2:])
    area = DisplayedArea(x0, y0, x1 + 1, y1 + 1, mode, aspect, 1.7 if mode is SizeMode.MAGNIFY else 1.0)
    placement = place(area, Orientation(quarters, flip), None if size is None else Viewport(*size))
    assert apply(IMAGE, placement).shape == (placement.height, placement.width)
    if size is not None:
        assert placement.width <= size[0]
        assert placement.height <= size[1]
