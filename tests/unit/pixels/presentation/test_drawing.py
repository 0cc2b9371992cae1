"""Drawing the layers of a presentation state."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from skiagraph.pixels import polygon
from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.presentation import displayed_area, drawing
from skiagraph.pixels.presentation.displayed_area import DisplayedArea, Orientation, Placement
from skiagraph.pixels.presentation.drawing import Drawn
from skiagraph.pixels.presentation.graphics import Stroke, Text, Units
from skiagraph.standard.rendering import Viewport

WHITE, RED, GRAY = (255, 255, 255), (255, 0, 0), (128, 128, 128)


def placed(width: int = 40, height: int = 30, quarters: int = 0) -> Placement:
    return displayed_area.place(DisplayedArea(0, 0, width, height), Orientation(quarters), None)


def stroke(*points: tuple[float, float], **more: Any) -> Stroke:
    return Stroke(np.array(points, np.float64), more.pop("units", Units.PIXEL), **more)


def words(text: str = "Text", box: tuple[float, float, float, float] | None = (2, 2, 38, 28), **more: Any) -> Text:
    return Text(text, box, Units.PIXEL, more.pop("anchor", None), Units.PIXEL, more.pop("visible", False), **more)


def layer(
    *strokes: Stroke,
    texts: Sequence[Text] = (),
    planes: Sequence[NDArray[np.bool_]] = (),
    colour: tuple[int, int, int] = WHITE,
) -> Drawn:
    return colour, [partial(np.array, plane) for plane in planes], strokes, texts


def drawn(*layers: Drawn, placement: Placement | None = None, ground: int = 0) -> NDArray[np.uint8]:
    placement = placement or placed()
    return drawing.draw(np.full((placement.height, placement.width), ground, np.uint8), placement, layers)


def test_nothing_to_draw() -> None:
    assert not drawn().any()
    assert not drawn(layer()).any()


def test_a_line_is_where_it_should_be() -> None:
    shown = drawn(layer(stroke((5, 10), (35, 10))))
    assert shown[9:11, 8:32].max(axis=0).min() > 100
    assert not shown[:8].any()
    assert not shown[13:].any()
    assert not shown[:, :3].any()


def test_a_line_turns_with_the_image_and_not_with_the_display() -> None:
    turned = placed(40, 30, 1)  # 30 × 40
    assert (turned.width, turned.height) == (30, 40)
    of_image = drawn(layer(stroke((5, 5), (35, 5))), placement=turned)
    assert of_image[:, 24:26].max() > 100
    assert not of_image[:, :20].any()
    of_display = drawn(layer(stroke((0.1, 0.25), (0.9, 0.25), units=Units.DISPLAY)), placement=turned)
    assert of_display[9:11].max() > 100
    assert not of_display[15:].any()


def test_lines_keep_their_width_when_the_image_is_enlarged() -> None:
    placement = displayed_area.place(DisplayedArea(0, 0, 4, 3), Orientation(), Viewport(400, 300))
    shown = drawn(layer(stroke((0, 1), (4, 1))), placement=placement)
    assert 1 <= (shown[:, 200] > 60).sum() <= 3


def test_filled() -> None:
    square = (stroke((5, 5), (15, 5), (15, 15), (5, 15), (5, 5), filled=True),)
    assert drawn(layer(*square))[7:13, 7:13].min() == 255
    assert drawn(layer(stroke((5, 5), (15, 5), (15, 15), (5, 15), (5, 5))))[8:12, 8:12].max() == 0


def test_a_filling_of_its_own_lies_under_the_line() -> None:
    shown = drawn(layer(stroke((5, 5), (15, 5), (15, 15), (5, 15), (5, 5), filled=True, fill=GRAY)))
    assert shown[10, 10] == 128
    assert shown[4:6, 8:12].max() > 200


def test_dashes() -> None:
    row = drawn(layer(stroke((0, 10), (40, 10), dashed=True)))[9:11].max(axis=0) > 60
    changes = int((row[1:] != row[:-1]).sum())
    assert changes > 3


def test_a_point_is_a_dot() -> None:
    shown = drawn(layer(stroke((20, 15))))
    assert shown[15, 20] == 255
    assert not shown[:10].any()


def test_colour_makes_a_picture_of_colour() -> None:
    shown = drawn(layer(stroke((0, 10), (40, 10), thickness=3.0), colour=RED), ground=50)
    assert shown.shape == (30, 40, 3)
    assert shown[10, 20].tolist() == [255, 0, 0]
    assert shown[25, 20].tolist() == [50, 50, 50]
    gray = drawn(layer(stroke((0, 10), (40, 10), thickness=3.0), colour=GRAY))
    assert gray.shape == (30, 40)
    assert gray[10, 20] == 128


def test_higher_layers_lie_over_lower_ones() -> None:
    line = stroke((0, 10), (40, 10), thickness=4.0)
    assert drawn(layer(line), layer(line, colour=GRAY))[10, 20] == 128
    assert drawn(layer(line, colour=GRAY), layer(line))[10, 20] == 255


def test_overlays_turn_with_the_image() -> None:
    plane = np.zeros((30, 40), np.bool_)
    plane[0, 0] = True
    shown = drawn(layer(planes=(plane,)), placement=placed(40, 30, 1))
    assert shown[0, 29] == 255
    assert (shown > 0).sum() == 1


def test_text_stands_upright_in_its_box() -> None:
    placement = placed(80, 60, 2)  # upside down
    shown = drawn(layer(texts=(words("L", (40, 30, 70, 55)),)), placement=placement)
    rows, columns = np.nonzero(shown > 128)
    assert rows.min() >= 5 - 2
    assert rows.max() <= 30 + 2
    assert columns.min() >= 8
    left = (shown[:, columns.min() : columns.min() + 2] > 128).sum()
    assert left >= (shown[:, columns.max()] > 128).sum(), "the stem of an L is on its left"
    foot = shown[rows.max() - 1 : rows.max() + 1, columns.min() : columns.max() + 1]
    assert (foot > 100).any(axis=0).all(), "its foot is below"


def test_text_has_an_edge_that_sets_it_off() -> None:
    on_white = drawn(layer(texts=(words(),)), ground=255)
    assert on_white.min() < 50
    on_black = drawn(layer(texts=(words(),), colour=(0, 0, 0)))
    assert on_black.max() > 200


@pytest.mark.parametrize(("where", "low", "high"), [("LEFT", 0, 100), ("CENTER", 60, 140), ("RIGHT", 100, 200)])
def test_text_is_aligned(where: str, low: int, high: int) -> None:
    text = words("iii", (0, 0, 200, 30), horizontal=where)
    columns = np.nonzero(drawn(layer(texts=(text,)), placement=placed(200, 30)).any(axis=0))[0]
    assert low <= columns.min()
    assert columns.max() <= high


def test_text_beside_a_point_that_a_line_leads_to() -> None:
    shown = drawn(layer(texts=(words("i", None, anchor=(10, 30), visible=True),)), placement=placed(80, 60))
    assert shown[29:32, 9:12].max() == 255, "a dot"
    assert shown[:, 20:].any()
    hidden = drawn(layer(texts=(words("i", None, anchor=(10, 30)),)), placement=placed(80, 60))
    assert not hidden[29:32, 9:12].any()


def test_text_stays_in_the_picture() -> None:
    shown = drawn(layer(texts=(words("wide text", (35, 25, 60, 29)),)), placement=placed(80, 30))
    assert shown[:, 78:].max() < 255
    assert shown[-1].max() < 255


def test_what_lies_outside_is_not_drawn() -> None:
    far = stroke((1e6, 1e6), (1e6, -1e6))
    text = words("outside", (500, 500, 600, 520))
    assert not drawn(layer(far, texts=(text,))).any()


def test_a_line_across_from_very_far() -> None:
    shown = drawn(layer(stroke((-1e6, 10), (1e6, 10))))
    assert shown[9:11].max(axis=0).min() > 100


@pytest.mark.parametrize(
    ("limit", "content"),
    [
        ("MOST_OBJECTS", layer(*[stroke((1, 1))] * 3)),
        ("MOST_POINTS", layer(stroke((1, 1), (2, 2), (3, 3)))),
        ("MOST_FILLED", layer(stroke((1, 1), (2, 2), (3, 3), filled=True))),
        ("MOST_CHARACTERS", layer(texts=(words("abc"),))),
        ("MOST_TEXTS", layer(texts=(words("a"),) * 3)),
    ],
)
def test_limits(monkeypatch: pytest.MonkeyPatch, limit: str, content: Drawn) -> None:
    monkeypatch.setattr(drawing, limit, 3)
    drawn(content)
    monkeypatch.setattr(drawing, limit, 2)
    with pytest.raises(BadPixels, match="the limit is 2"):
        drawn(content)


@pytest.mark.parametrize(
    ("limit", "most", "what"), [("MOST_LENGTH", 50, "longer than 50"), ("MOST_COVERED", 50, "more than 50 pixels")]
)
def test_limits_of_work(monkeypatch: pytest.MonkeyPatch, limit: str, most: int, what: str) -> None:
    drawn(layer(stroke((0, 10), (40, 10))))
    monkeypatch.setattr(drawing, limit, most)
    with pytest.raises(BadPixels, match=what):
        drawn(layer(stroke((0, 10), (40, 10))))


def test_limit_of_fillings(monkeypatch: pytest.MonkeyPatch) -> None:
    filled = layer(*[stroke((0, 0), (20, 20), (20, 0), filled=True)] * 3)
    drawn(filled)
    monkeypatch.setattr(polygon, "MOST_CROSSINGS", 150)
    with pytest.raises(BadPixels, match="too long edges"):
        drawn(filled)


def test_colours_are_blended_in_bands_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    content = layer(stroke((3, 4), (30, 22)), stroke((5, 5), (30, 5), (17, 25), filled=True), texts=(words("abc"),))
    at_once = drawn(content)
    monkeypatch.setattr(drawing, "_BAND", 64)
    assert (drawn(content) == at_once).all()


def test_limit_of_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "MOST_PASSES", 2)
    with pytest.raises(BadPixels, match="layers and colours"):
        drawn(*[layer(stroke((1, 1)))] * 3)


_coordinate = st.floats(-1e6, 1e6) | st.floats(-10, 60)


@given(st.lists(st.tuples(_coordinate, _coordinate), min_size=2, max_size=12))
@settings(max_examples=60, deadline=None)
def test_clipping_changes_nothing_inside(points: list[tuple[float, float]]) -> None:
    """Every part that is left lies on the line, near the picture; what is inside is left."""
    line = np.array(points)
    parts = drawing._clipped(line, (40, 30))
    for part in parts:
        assert len(part) >= 2
        assert part.min() >= -101
        assert (part <= (141, 131)).all()
    kept = {tuple(point) for part in parts for point in part.tolist()}
    inside = {(x, y) for x, y in points if 0 <= x <= 40 and 0 <= y <= 30}
    assert all(min((abs(x - a) + abs(y - b) for a, b in kept), default=1e9) < 1e-3 for x, y in inside)
