"""Graphic layers, graphics and texts, as they are read."""

from __future__ import annotations

import base64
import itertools
import math
from typing import Any

import numpy as np
import pytest

from skiagraph.pixels import elements
from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.presentation import graphics
from skiagraph.pixels.presentation.graphics import Stroke, Text, Units


def element(*values: Any) -> dict[str, Any]:
    return {"vr": "XX", "Value": list(values)}


def graphic(kind: str, *points: Any, units: str = "PIXEL", **more: Any) -> dict[str, Any]:
    return {
        "00700005": element(units),
        "00700022": element(*points),
        "00700023": element(kind),
        **{tag: element(*values) for tag, values in more.items()},
    }


def strokes(*found: dict[str, Any], compound: tuple[dict[str, Any], ...] = ()) -> tuple[Stroke, ...]:
    annotation = {"00700002": element("L"), "00700009": element(*found), "00700209": element(*compound)}
    (read,) = graphics.read({"00700001": element(annotation)}, elements.NO_BULK)
    assert read.layer == "L"
    return read.strokes


def texts(item: dict[str, Any]) -> tuple[Text, ...]:
    (read,) = graphics.read({"00700001": element({"00700008": element(item)})}, elements.NO_BULK)
    return read.texts


@pytest.mark.parametrize(
    ("item", "colour"),
    [
        pytest.param({}, (255, 255, 255), id="nothing said: white"),
        pytest.param({"00700066": element(0)}, (0, 0, 0), id="gray value"),
        pytest.param({"00700066": element(32896)}, (128, 128, 128), id="P-Values have 16 bits"),
        pytest.param(
            {"00700066": element(0), "00700401": element(65535, 32896, 32896)}, (255, 255, 255), id="CIELab first"
        ),
        pytest.param({"00700067": element(65535, 0, 0)}, (255, 0, 0), id="retired RGB"),
        pytest.param({"00700066": element("x")}, (255, 255, 255), id="nonsense"),
    ],
)
def test_colours_of_layers(item: dict[str, Any], colour: tuple[int, int, int]) -> None:
    (layer,) = graphics.layers({"00700060": element({"00700002": element("L"), **item})})
    assert layer.name == "L"
    assert layer.colour == colour


def test_layers_in_their_order() -> None:
    items = ({"00700002": element(name), "00700062": element(order)} for name, order in (("A", 3), ("B", 1), ("C", 2)))
    assert [layer.name for layer in graphics.layers({"00700060": element(*items)})] == ["B", "C", "A"]


@pytest.mark.parametrize(
    ("item", "points"),
    [
        pytest.param(graphic("POINT", 1, 2), [[1, 2]], id="POINT"),
        pytest.param(graphic("POLYLINE", 1, 2, 3, 4, 5, 6), [[1, 2], [3, 4], [5, 6]], id="POLYLINE"),
        pytest.param(graphic("POLYLINE", 1, 2, 3, 4, 5), [[1, 2], [3, 4]], id="half a point is none"),
        pytest.param(
            graphic("POLYLINE", 1, 2, 3, 4, 5, 6, **{"00700021": [2]}), [[1, 2], [3, 4]], id="as many as are said"
        ),
        pytest.param(graphic("INTERPOLATED", 1, 2, 3, 4), [[1, 2], [3, 4]], id="INTERPOLATED of two points"),
        pytest.param(graphic("POLYLINE", 0, 0, 1e30, -1e30), [[0, 0], [1e6, -1e6]], id="far away is brought near"),
    ],
)
def test_points(item: dict[str, Any], points: list[list[float]]) -> None:
    (stroke,) = strokes(item)
    assert stroke.points.tolist() == points


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(graphic("POINT"), id="no points"),
        pytest.param(graphic("POLYLINE", 1, 2), id="one point"),
        pytest.param(graphic("CIRCLE", 1, 2), id="center alone"),
        pytest.param(graphic("ELLIPSE", 1, 2, 3, 4), id="one axis"),
        pytest.param(graphic("SPIRAL", 1, 2, 3, 4), id="unknown"),
        pytest.param({"00700023": element("POLYLINE")}, id="no data"),
        pytest.param(
            graphic("POLYLINE") | {"00700022": {"vr": "FL", "InlineBinary": base64.b64encode(b"\xff" * 16).decode()}},
            id="no numbers",
        ),
    ],
)
def test_what_is_no_graphic(item: dict[str, Any]) -> None:
    assert strokes(item) == ()


def test_circle() -> None:
    (stroke,) = strokes(graphic("CIRCLE", 10, 20, 13, 24))
    assert np.hypot(*(stroke.points - (10, 20)).T).tolist() == pytest.approx([5.0] * len(stroke.points))
    assert stroke.points[0] == pytest.approx(stroke.points[-1])


def test_ellipse() -> None:
    """Its axes may lie in any direction."""
    (stroke,) = strokes(graphic("ELLIPSE", 0, 0, 6, 8, 1, 7, 5, 1))
    center, major, minor = np.array((3.0, 4.0)), np.array((3.0, 4.0)), np.array((2.0, -3.0))
    assert stroke.points[0] == pytest.approx(center + major)
    quarter = stroke.points[(len(stroke.points) - 1) // 4]
    assert quarter == pytest.approx(center + minor)


def test_interpolated_goes_through_its_points() -> None:
    points = [(0.0, 0.0), (10.0, 10.0), (20.0, 0.0), (30.0, 5.0)]
    (stroke,) = strokes(graphic("INTERPOLATED", *(value for point in points for value in point)))
    line = [tuple(point) for point in stroke.points.tolist()]
    assert set(points) <= set(line)
    assert len(line) > len(points)
    steps = np.diff(stroke.points, axis=0)
    turns = [math.atan2(y, x) for x, y in steps.tolist()]
    assert max(abs(b - a) for a, b in itertools.pairwise(turns)) < 0.6, "smooth"


def test_interpolated_closed_is_smooth_where_it_closes() -> None:
    (stroke,) = strokes(graphic("INTERPOLATED", 0, 0, 10, 0, 10, 10, 0, 10, 0, 0))
    first, last = stroke.points[1] - stroke.points[0], stroke.points[-1] - stroke.points[-2]
    assert abs(math.atan2(*first) - math.atan2(*last)) < 0.6


def test_styles() -> None:
    style = {"00700251": element(0, 32896, 32896), "00700253": element(3.0), "00700254": element("DASHED")}
    item = graphic("POLYLINE", 0, 0, 1, 0, 1, 1, units="DISPLAY", **{"00700024": ["Y"], "00700232": [style]})
    (stroke,) = strokes(item)
    assert stroke.units is Units.DISPLAY
    assert stroke.filled
    assert (stroke.colour, stroke.fill, stroke.thickness, stroke.dashed) == ((0, 0, 0), None, 3.0, True)


@pytest.mark.parametrize(
    ("kind", "points", "lines"),
    [
        ("MULTILINE", (0, 0, 1, 1, 2, 2, 3, 3), 2),
        ("INFINITELINE", (0, 0, 1, 1), 1),
        ("CUTLINE", (0, 0, 1, 1), 1),
        ("RULER", (0, 0, 1, 1), 1),
        ("CROSSHAIR", (5, 5, 6, 5), 2),
        ("ARROW", (5, 5, 10, 5), 2),
        ("RECTANGLE", (0, 0, 4, 4), 1),
        ("ELLIPSE", (0, 2, 4, 2, 2, 0, 2, 4), 1),
        ("AXIS", (0, 0, 1, 1, 2, 0), 1),
        ("UNKNOWN", (0, 0, 1, 1), 0),
        ("RULER", (0, 0), 0),
    ],
)
def test_compound_graphics(kind: str, points: tuple[int, ...], lines: int) -> None:
    compound = {"00700294": element(kind), "00700022": element(*points), "00700226": element(7)}
    assert len(strokes(compound=(compound,))) == lines
    simple = graphic("POINT", 1, 1, **{"00700226": [7]})
    assert len(strokes(simple, compound=(compound,))) == 1, "simple graphics stand for it"
    assert len(strokes(graphic("POINT", 1, 1), compound=(compound,))) == 1 + lines, "those of another do not"


def test_text_in_a_box() -> None:
    item = {
        "00700006": element("a\r\nb"),
        "00700003": element("DISPLAY"),
        "00700010": element(0.1, 0.2),
        "00700011": element(0.3, 0.4),
        "00700012": element("CENTER"),
    }
    assert texts(item) == (Text("a\r\nb", (0.1, 0.2, 0.3, 0.4), Units.DISPLAY, None, Units.PIXEL, False, "CENTER"),)


def test_text_at_a_point_with_a_style() -> None:
    style = {"00700242": element("RIGHT"), "00700243": element("BOTTOM"), "00700241": element(0, 32896, 32896)}
    item = {
        "00700006": element("a"),
        "00700014": element(1, 2),
        "00700015": element("Y"),
        "00700231": element(style),
    }
    (text,) = texts(item)
    assert text == Text("a", None, Units.PIXEL, (1, 2), Units.PIXEL, True, "RIGHT", "BOTTOM", (0, 0, 0))


@pytest.mark.parametrize(
    "item",
    [
        pytest.param({"00700014": element(1, 2)}, id="no text"),
        pytest.param({"00700006": element(" \n"), "00700014": element(1, 2)}, id="blank"),
        pytest.param({"00700006": element("a")}, id="no place"),
        pytest.param({"00700006": element("a"), "00700010": element(1, 2)}, id="half a box"),
        pytest.param({"00700006": element("a"), "00700014": element(1)}, id="half a point"),
    ],
)
def test_what_is_no_text(item: dict[str, Any]) -> None:
    assert texts(item) == ()


def test_long_texts_are_cut_and_long_values_are_bulk_data() -> None:
    item = {"00700006": element("x" * 10**5), "00700014": element(1, 2)}
    assert len(texts(item)[0].text) == graphics.LONGEST_TEXT
    graphic_item = {"00700023": element("POLYLINE"), "00700022": {"vr": "FL", "BulkDataURI": "bulkdata/x"}}
    text_item = {"00700006": {"vr": "ST", "BulkDataURI": "bulkdata/y"}, "00700014": element(1, 2)}
    annotation = {"00700009": element(graphic_item), "00700008": element(text_item)}
    bulk = {"bulkdata/x": np.arange(4, dtype="<f4").tobytes(), "bulkdata/y": "é".encode()}
    (read,) = graphics.read({"00700001": element(annotation)}, bulk)
    assert read.strokes[0].points.tolist() == [[0, 1], [2, 3]]
    assert read.texts[0].text == "é"


def test_more_than_can_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphics, "MOST_OBJECTS", 2)
    assert len(strokes(*[graphic("POINT", 1, 1)] * 2)) == 2
    with pytest.raises(BadPixels, match="more graphics"):
        strokes(*[graphic("POINT", 1, 1)] * 3)
    monkeypatch.setattr(graphics, "MOST_POINTS", 3)
    with pytest.raises(BadPixels, match="more graphics"):
        strokes(graphic("POLYLINE", *range(8)))
