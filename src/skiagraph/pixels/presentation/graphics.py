"""Graphic layers and what is drawn in them: PS3.3 C.10.5 Graphic Annotation, C.10.7 Graphic Layer, C.10.12 styles.

Every graphic becomes a line of points; what it was does not matter to the drawing. Compound graphics (C.10.13) have
simple ones beside them that show the same (their Compound Graphic Instance ID tells); those without are drawn.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels import color, elements
from skiagraph.pixels.elements import Bulk
from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.presentation import references
from skiagraph.pixels.presentation.references import Scope
from skiagraph.values import Attributes

MOST_OBJECTS = 100_000
"""Texts and graphics of one presentation state."""
MOST_POINTS = 2_000_000
"""Points of all of them."""
LONGEST_TEXT = 2_000
"""Characters of one text; the rest is not shown."""

RGB = tuple[int, int, int]

GRAPHIC_DATA, TEXT_VALUE = "00700022", "00700006"
_FURTHEST = 1e6
_ROUND = 128  # points of a circle
_STEPS = 8  # of a curve between two points


class Units(enum.Enum):
    """Annotation units: of the image (as stored, corners of pixels being whole), or fractions of the displayed area."""

    PIXEL = "PIXEL"
    DISPLAY = "DISPLAY"


@dataclass(frozen=True, slots=True)
class Layer:
    """A graphic layer."""

    name: str
    order: int = 0
    """Those with greater numbers are drawn over those with smaller ones."""
    gray: int = 255
    """Recommended Display Grayscale Value, as 8 bits."""
    rgb: RGB | None = None
    """Recommended Display CIELab Value, as sRGB; before the gray one."""

    @property
    def colour(self) -> RGB:
        return self.rgb or (self.gray, self.gray, self.gray)


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """A line through points."""

    points: NDArray[np.float64]
    """(n, 2), x before y; of one point, a dot."""
    units: Units | None
    """None for pixels of the picture."""
    filled: bool = False
    colour: RGB | None = None
    """None for that of the layer."""
    fill: RGB | None = None
    """Of what is filled; None for that of the line."""
    thickness: float = 1.0
    """Times the usual one."""
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A text in a box, or beside a point."""

    text: str
    box: tuple[float, float, float, float] | None
    """Two corners."""
    box_units: Units
    anchor: tuple[float, float] | None
    anchor_units: Units
    anchor_visible: bool
    """A line leads to it."""
    horizontal: str = "LEFT"
    """LEFT, CENTER or RIGHT."""
    vertical: str = "TOP"
    """TOP, CENTER or BOTTOM."""
    colour: RGB | None = None


@dataclass(frozen=True, slots=True)
class Annotation:
    """What is drawn in a layer of some images."""

    scope: Scope
    layer: str
    strokes: tuple[Stroke, ...]
    texts: tuple[Text, ...]


def layers(attributes: Attributes) -> tuple[Layer, ...]:
    """Graphic Layer Sequence (0070,0060), from the lowest layer to the highest."""
    found = {}
    for item in elements.items(attributes, "00700060"):
        name = elements.text(item, "00700002")
        gray = elements.integer(item, "00700066")
        rgb = color.from_cielab(elements.integers(item, "00700401"))
        if gray is None and rgb is None:
            values = elements.integers(item, "00700067")  # Recommended Display RGB Value, retired
            if len(values) == 3:
                rgb = _byte(values[0]), _byte(values[1]), _byte(values[2])
        found[name] = Layer(name, elements.integer(item, "00700062") or 0, 255 if gray is None else _byte(gray), rgb)
    return tuple(sorted(found.values(), key=lambda layer: layer.order))


def _byte(value: int) -> int:
    """16 bits as 8."""
    return (min(max(value, 0), 65535) * 255 + 32767) // 65535


def read(attributes: Attributes, bulk: Bulk) -> tuple[Annotation, ...]:
    """Graphic Annotation Sequence (0070,0001).

    Raises
    ------
    BadPixels
        There is more in it than `MOST_OBJECTS` and `MOST_POINTS` allow.
    """
    found = []
    objects = points = 0
    for item in elements.items(attributes, "00700001"):
        strokes, simple = [], set()
        for graphic in elements.items(item, "00700009"):
            simple.add(elements.integer(graphic, "00700226"))
            stroke = _graphic(graphic, bulk)
            if stroke is not None:
                strokes.append(stroke)
                points += len(stroke.points)
        texts = []
        for entry in elements.items(item, "00700008"):
            simple.add(elements.integer(entry, "00700226"))
            text = _text(entry, bulk)
            if text is not None:
                texts.append(text)
        for compound in elements.items(item, "00700209"):
            number = elements.integer(compound, "00700226")
            if number is None or number not in simple:
                strokes += _compound(compound, bulk)
        objects += len(strokes) + len(texts)
        if objects > MOST_OBJECTS or points > MOST_POINTS:
            raise BadPixels(
                f"The presentation state has more graphics than this server draws: at most {MOST_OBJECTS} of them,"
                f" with {MOST_POINTS} points."
            )
        found.append(Annotation(references.scope(item), elements.text(item, "00700002"), tuple(strokes), tuple(texts)))
    return tuple(found)


# Graphic objects


def _graphic(item: Attributes, bulk: Bulk) -> Stroke | None:
    points = _points(item, bulk)
    count = elements.integer(item, "00700021")
    if count is not None and count > 0:
        points = points[:count]
    kind = elements.text(item, "00700023")
    line = _line(kind, points)
    if line is None:
        return None
    filled = elements.text(item, "00700024") == "Y" and len(line) > 2
    return _styled(item, line, _units(elements.text(item, "00700005")), filled)


def _line(kind: str, points: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The line that is drawn for a Graphic Type (0070,0023); None when it has too few points."""
    if kind == "POINT":
        return points[:1] if len(points) else None
    if kind == "POLYLINE":
        return points if len(points) >= 2 else None
    if kind == "INTERPOLATED":
        return _curve(points) if len(points) >= 2 else None
    if kind == "CIRCLE" and len(points) >= 2:
        return _circle(points[0], float(np.hypot(*(points[1] - points[0]))))
    if kind == "ELLIPSE" and len(points) >= 4:
        return _ellipse(points)
    return None


def _circle(center: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    angles = np.linspace(0.0, 2 * math.pi, _ROUND + 1)
    return center + radius * np.stack((np.cos(angles), np.sin(angles)), axis=-1)


def _ellipse(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """By the ends of the major axis, then those of the minor axis."""
    center = (points[0] + points[1]) / 2
    major, minor = (points[1] - points[0]) / 2, (points[3] - points[2]) / 2
    angles = np.linspace(0.0, 2 * math.pi, _ROUND + 1)[:, None]
    line: NDArray[np.float64] = center + np.cos(angles) * major + np.sin(angles) * minor
    return line


def _curve(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """A smooth curve through all of the points: a Catmull-Rom spline, closed where the last point is the first."""
    if len(points) < 3:
        return points
    closed = bool((points[0] == points[-1]).all())
    ahead = points[-2] if closed else 2 * points[0] - points[1]
    behind = points[1] if closed else 2 * points[-1] - points[-2]
    p = np.concatenate((ahead[None], points, behind[None]))
    t = (np.arange(_STEPS) / _STEPS)[None, :, None]
    a, b, c, d = (p[start : start + len(points) - 1, None] for start in range(4))
    between = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.concatenate((between.reshape(-1, 2), points[-1:]))


def _points(item: Attributes, bulk: Bulk) -> NDArray[np.float64]:
    """Graphic Data (0070,0022): x before y."""
    raw = elements.octets(item, GRAPHIC_DATA, bulk)
    if raw is None:
        values = np.array(elements.numbers(item, GRAPHIC_DATA), np.float64)
    else:
        values = np.frombuffer(raw, "<f4", len(raw) // 4).astype(np.float64)
    values = values[: len(values) // 2 * 2]
    if not np.isfinite(values).all():
        return np.empty((0, 2))
    return np.clip(values, -_FURTHEST, _FURTHEST).reshape(-1, 2)


def _units(text: str) -> Units:
    return Units.DISPLAY if text == "DISPLAY" else Units.PIXEL


def _styled(item: Attributes, line: NDArray[np.float64], units: Units, filled: bool = False) -> Stroke:
    """With Line Style Sequence (0070,0232) and Fill Style Sequence (0070,0233)."""
    style, fill = elements.item(item, "00700232"), elements.item(item, "00700233")
    thickness = elements.number(style, "00700253") or 1.0
    return Stroke(
        line,
        units,
        filled,
        color.from_cielab(elements.integers(style, "00700251")),
        color.from_cielab(elements.integers(fill, "00700251")),
        min(max(thickness, 0.5), 20.0),
        elements.text(style, "00700254") == "DASHED",
    )


# Compound graphics


def _compound(item: Attributes, bulk: Bulk) -> Iterator[Stroke]:
    """The lines of an Item of Compound Graphic Sequence (0070,0209); ticks, gaps and labels are left out."""
    points = _points(item, bulk)
    units = _units(elements.text(item, "00700282"))
    filled = elements.text(item, "00700024") == "Y"
    kind = elements.text(item, "00700294")
    if len(points) < 2:
        return
    if kind == "MULTILINE":
        for start in range(0, min(len(points), 200) - 1, 2):
            yield _styled(item, points[start : start + 2], units)
    elif kind == "INFINITELINE":
        step = points[1] - points[0]
        length = float(np.hypot(*step)) or 1.0
        yield _styled(
            item, np.stack((points[0] - step * (_FURTHEST / length), points[0] + step * (_FURTHEST / length))), units
        )
    elif kind in ("CUTLINE", "RANGELINE", "RULER", "AXIS"):
        yield _styled(item, points[:2] if kind != "AXIS" else points[:100], units)
    elif kind == "CROSSHAIR":
        center, arm = points[0], points[1] - points[0]
        across = np.array([-arm[1], arm[0]])
        yield _styled(item, np.stack((center - arm, center + arm)), units)
        yield _styled(item, np.stack((center - across, center + across)), units)
    elif kind == "ARROW":
        tip, tail = points[0], points[1]
        back = (tail - tip) / 5
        across = np.array([-back[1], back[0]]) / 2
        yield _styled(item, np.stack((tail, tip)), units)
        yield _styled(item, np.stack((tip + back + across, tip, tip + back - across)), units)
    elif kind == "RECTANGLE" and len(points) >= 2:
        (x0, y0), (x1, y1) = points[0], points[1]
        corners = points[:4] if len(points) >= 4 else np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
        yield _styled(item, np.concatenate((corners, corners[:1])), units, filled)
    elif kind == "ELLIPSE" and len(points) >= 4:
        yield _styled(item, _ellipse(points), units, filled)


# Text objects


def _text(item: Attributes, bulk: Bulk) -> Text | None:
    value = elements.text(item, TEXT_VALUE)
    if not value:
        raw = elements.octets(item, TEXT_VALUE, bulk)
        value = "" if raw is None else raw[:LONGEST_TEXT].decode("utf-8", "replace")
    if not value.strip():
        return None
    first, second = _pair(item, "00700010"), _pair(item, "00700011")
    box = None if first is None or second is None else (*first, *second)
    anchor = _pair(item, "00700014")
    if box is None and anchor is None:
        return None
    style = elements.item(item, "00700231")
    horizontal = elements.text(style, "00700242") or elements.text(item, "00700012")
    vertical = elements.text(style, "00700243")
    return Text(
        value[:LONGEST_TEXT],
        box,
        _units(elements.text(item, "00700003")),
        anchor,
        _units(elements.text(item, "00700004")),
        elements.text(item, "00700015") == "Y",
        horizontal if horizontal in ("CENTER", "RIGHT") else "LEFT",
        vertical if vertical in ("CENTER", "BOTTOM") else "TOP",
        color.from_cielab(elements.integers(style, "00700241")),
    )


def _pair(item: Attributes, tag: str) -> tuple[float, float] | None:
    values: list[Any] = elements.numbers(item, tag)
    if len(values) < 2:
        return None
    x, y = (min(max(value, -_FURTHEST), _FURTHEST) for value in values[:2])
    return x, y
