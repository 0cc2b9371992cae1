"""Drawing the layers of a presentation state onto a picture: overlays, graphics, texts.

Everything is drawn in the resolution of the picture, whatever the image has been scaled to, with smooth edges. Within a
layer what has the same colour is drawn at once, since the standard has no order there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels import fonts, polygon
from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.presentation import displayed_area
from skiagraph.pixels.presentation.displayed_area import Placement
from skiagraph.pixels.presentation.graphics import RGB, Stroke, Text, Units

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw

MOST_OBJECTS = 10_000
"""Texts and graphics drawn on one picture."""
MOST_POINTS = 250_000
"""Points of the graphics drawn on one picture."""
MOST_FILLED = 20_000
"""Points of those that are filled."""
MOST_TEXTS = 2_000
MOST_CHARACTERS = 50_000
MOST_PASSES = 100
"""Colours of all layers of one picture."""
MOST_LENGTH = 20_000_000
"""Pixels of all lines of one picture, end to end; dashes take ten times as long to draw, and count so."""
MOST_COVERED = 2**29
"""Pixels of the areas that the layers cover."""

_SMOOTH = 4 * 2**20  # pixels of a picture up to which lines have smooth edges
_SIZES = (10, 12, 14, 16, 20, 24, 28, 32, 40)  # of text in pixels; few of them, as each font is kept
_BAND = 2**20  # pixels that a colour is blended into at once
_FAR = 100  # pixels around the picture in which lines are drawn too: their ends may be thick

_BEYOND = 4 * 65536  # from the picture: no corner of what is filled lies beyond

Plane: TypeAlias = Callable[[], NDArray[np.bool_] | None]
"""Gives an overlay in pixels of the image; made when it is drawn, since an image may have many of them."""

Drawn: TypeAlias = tuple[RGB, Sequence[Plane], Sequence[Stroke], Sequence[Text]]
"""A layer: its colour, overlays, graphics, texts."""


class _Pass(NamedTuple):
    """What is drawn at once, in one colour."""

    colour: RGB
    planes: list[Plane]
    fillings: list[Stroke]
    lines: list[Stroke]
    texts: list[Text]


def draw(picture: NDArray[np.uint8], placement: Placement, layers: Iterable[Drawn]) -> NDArray[np.uint8]:
    """Draw layers, the lowest first; return the picture, in colour where a layer is.

    Raises
    ------
    BadPixels
        There is more to draw than this server draws on one picture.
    """
    passes = [one for layer in layers for one in _passes(layer)]
    _check(passes)
    if not passes:
        return picture
    if picture.ndim == 2 and any(len(set(one.colour)) > 1 for one in passes):
        picture = np.repeat(picture[..., None], 3, axis=-1)
    picture = np.array(picture)
    canvas = _Canvas(picture, placement)
    for one in passes:
        for plane in one.planes:
            bits = plane()
            if bits is not None:
                canvas.cover(displayed_area.apply(bits.astype(np.uint8) * 255, placement), 0, 0, one.colour)
        if one.fillings or one.lines:
            _draw_strokes(canvas, one.fillings, one.lines, one.colour)
        if one.texts:
            _draw_texts(canvas, one.texts, one.colour)
    return picture


def _passes(layer: Drawn) -> list[_Pass]:
    """A layer by colours: fillings that have a colour of their own lie under everything else."""
    own, planes, strokes, texts = layer
    under: dict[RGB, _Pass] = {}
    over: dict[RGB, _Pass] = {}

    def of(passes: dict[RGB, _Pass], colour: RGB) -> _Pass:
        return passes.setdefault(colour, _Pass(colour, [], [], [], []))

    if planes:
        of(over, own).planes.extend(planes)
    for stroke in strokes:
        colour = stroke.colour or own
        of(over, colour).lines.append(stroke)
        if stroke.filled:
            (of(over, colour) if stroke.fill in (None, colour) else of(under, stroke.fill)).fillings.append(stroke)
    for text in texts:
        of(over, text.colour or own).texts.append(text)
    return [*under.values(), *over.values()]


def _check(passes: list[_Pass]) -> None:
    lines = [stroke for one in passes for stroke in one.lines]
    texts = [text for one in passes for text in one.texts]
    for count, most, what in (
        (len(lines) + len(texts), MOST_OBJECTS, "graphics and texts"),
        (len(texts), MOST_TEXTS, "texts"),
        (sum(len(stroke.points) for stroke in lines), MOST_POINTS, "points"),
        (sum(len(stroke.points) for stroke in lines if stroke.filled), MOST_FILLED, "points of filled graphics"),
        (sum(len(text.text) for text in texts), MOST_CHARACTERS, "characters"),
        (len(passes), MOST_PASSES, "layers and colours"),
    ):
        if count > most:
            raise BadPixels(f"The presentation state draws {count} {what} on one picture; the limit is {most}.")


class _Canvas:
    """A picture that is drawn on, and how much more may be."""

    def __init__(self, picture: NDArray[np.uint8], placement: Placement) -> None:
        self.picture = picture
        self.placement = placement
        self.height, self.width = picture.shape[:2]
        self._length, self._area = float(MOST_LENGTH), MOST_COVERED
        self._crossings = polygon.MOST_CROSSINGS

    def cover(self, alpha: NDArray[np.uint8], left: int, upper: int, colour: RGB) -> None:
        """Blend a colour into the picture where `alpha` (0 to 255), which lies at left, upper, says how much."""
        rows, columns = alpha.shape
        self._area -= rows * columns
        if self._area < 0:
            raise BadPixels(f"The layers of the presentation state cover more than {MOST_COVERED} pixels.")
        step = max(_BAND // max(columns, 1), 1)
        for top in range(0, rows, step):
            band = alpha[top : top + step]
            self._cover(band, self.picture[upper + top : upper + top + len(band), left : left + columns], colour)

    @staticmethod
    def _cover(alpha: NDArray[np.uint8], region: NDArray[np.uint8], colour: RGB) -> None:
        covered = np.count_nonzero(alpha)
        if not covered:
            return
        where: Any = ...
        if covered * 8 < alpha.size:  # lines cover little of what is around them
            where = np.nonzero(alpha)
        weight = alpha[where].astype(np.uint16)
        shown: NDArray[np.uint16] | np.uint16 = np.uint16(colour[0])
        if region.ndim == 3:
            weight, shown = weight[..., None], np.array(colour, np.uint16)
        region[where] = (region[where] * (255 - weight) + weight * shown + 127) // 255

    def fill(self, image: Picture, points: NDArray[np.float64]) -> None:
        """Draw a filled polygon. Raises BadPixels."""
        self._crossings -= polygon.crossings(points, image.height)
        if self._crossings < 0:
            raise BadPixels("The fillings of the presentation state have too many and too long edges to be drawn.")
        polygon.fill(image, points)

    def spend(self, line: NDArray[np.float64], *, dashed: bool) -> None:
        """Count a line that is drawn. Raises BadPixels."""
        self._length -= float(np.hypot(*np.diff(line, axis=0).T).sum()) * (10 if dashed else 1)
        if self._length < 0:
            raise BadPixels(f"The graphics of the presentation state are longer than {MOST_LENGTH} pixels.")


# Graphics


def _draw_strokes(
    canvas: _Canvas,
    fillings: Sequence[Stroke],
    lines: Sequence[Stroke],
    colour: RGB,
) -> None:
    from PIL import Image, ImageDraw

    width, height = canvas.width, canvas.height
    factor = 2 if width * height <= _SMOOTH else 1
    usual = max(1.0, min(width, height) / 512) * factor

    def near(strokes: Sequence[Stroke]) -> list[tuple[Stroke, NDArray[np.float64]]]:
        found = ((stroke, _placed(stroke.points, stroke.units, canvas.placement) * factor) for stroke in strokes)
        return [one for one in found if _touches(one[1], width * factor, height * factor)]

    filled, drawn = near(fillings), near(lines)
    if not filled and not drawn:
        return
    # Only as much of the picture as there is something on
    ends = np.stack([(points.min(axis=0), points.max(axis=0)) for _, points in (*filled, *drawn)])
    around = 25 * usual
    x0, y0 = (max(int((edge - around) // factor), 0) for edge in ends[:, 0].min(axis=0))
    x1 = min(int((ends[:, 1, 0].max() + around) // factor) + 1, width)
    y1 = min(int((ends[:, 1, 1].max() + around) // factor) + 1, height)
    if x0 >= x1 or y0 >= y1:
        return
    image = Image.new("L", ((x1 - x0) * factor, (y1 - y0) * factor))
    drawing = ImageDraw.Draw(image)
    corner = (x0 * factor, y0 * factor)
    for _, points in filled:
        canvas.fill(image, np.clip(points - corner, -_BEYOND, _BEYOND))
    for stroke, points in drawn:
        thickness = max(1, round(usual * stroke.thickness))
        _line(canvas, drawing, points - corner, image.size, thickness, dashed=stroke.dashed)
    mask = image.reduce(factor) if factor > 1 else image
    canvas.cover(np.asarray(mask), x0, y0, colour)


def _line(
    canvas: _Canvas,
    drawing: ImageDraw,
    points: NDArray[np.float64],
    size: tuple[int, int],
    width: int,
    *,
    dashed: bool,
) -> None:
    if len(points) == 1:
        (x, y), radius = points[0], 1.5 * width + 1
        drawing.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
        return
    joint = "curve" if width > 2 else None
    for line in _clipped(points, size):
        canvas.spend(line, dashed=dashed)
        if dashed:
            for dash in _dashes(line, 6.0 * width):
                drawing.line(dash, fill=255, width=width)
        else:
            drawing.line([(x, y) for x, y in line.tolist()], fill=255, width=width, joint=joint)


def _placed(points: NDArray[np.float64], units: Units | None, placement: Placement) -> NDArray[np.float64]:
    if units is None:
        return points
    return placement.points(points) if units is Units.PIXEL else placement.fractions(points)


def _touches(points: NDArray[np.float64], width: int, height: int) -> bool:
    """Whether the box around the points touches the picture."""
    (left, upper), (right, lower) = points.min(axis=0), points.max(axis=0)
    return bool(right >= -_FAR and lower >= -_FAR and left <= width + _FAR and upper <= height + _FAR)


def _clipped(points: NDArray[np.float64], size: tuple[int, int]) -> list[NDArray[np.float64]]:
    """The parts of a line that are near the picture: drawing what is far away takes time for nothing.

    By Liang and Barsky, all segments at once.
    """
    start, end = points[:-1], points[1:]
    low, high = np.full(len(start), 0.0), np.full(len(start), 1.0)
    step = end - start
    outside = np.zeros(len(start), np.bool_)
    with np.errstate(divide="ignore", invalid="ignore"):
        for axis in (0, 1):
            near, far = -_FAR - start[:, axis], size[axis] + _FAR - start[:, axis]
            moves = step[:, axis] != 0
            outside |= ~moves & ((near > 0) | (far < 0))
            first, second = near / step[:, axis], far / step[:, axis]
            low = np.where(moves, np.maximum(low, np.minimum(first, second)), low)
            high = np.where(moves, np.minimum(high, np.maximum(first, second)), high)
    shown = ~outside & (low <= high)
    if shown.all() and not low.any() and (high == 1).all():
        return [points]
    begin, finish = start + step * low[:, None], start + step * high[:, None]
    parts: list[NDArray[np.float64]] = []
    current: list[NDArray[np.float64]] = []
    for number in np.flatnonzero(shown).tolist():
        if current and low[number] == 0 and (current[-1] == start[number]).all():
            current.append(finish[number])
        else:
            if current:
                parts.append(np.array(current))
            current = [begin[number], finish[number]]
        if high[number] < 1:
            parts.append(np.array(current))
            current = []
    if current:
        parts.append(np.array(current))
    return parts


def _dashes(line: NDArray[np.float64], length: float) -> list[list[tuple[float, float]]]:
    """A line as dashes with gaps between them that are as long."""
    lengths = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate(([0.0], np.cumsum(lengths)))
    cuts = np.arange(0.0, along[-1], length)
    found = []
    for begin in cuts[::2].tolist():
        end = min(begin + length, float(along[-1]))
        inner = along[(along > begin) & (along < end)]
        at = np.concatenate(([begin], inner, [end]))
        xs, ys = np.interp(at, along, line[:, 0]), np.interp(at, along, line[:, 1])
        found.append(list(zip(xs.tolist(), ys.tolist(), strict=True)))
    return found


# Texts


def _draw_texts(canvas: _Canvas, texts: Sequence[Text], colour: RGB) -> None:
    """Texts stand upright, however the image is turned, with an edge that sets them off."""
    from PIL import Image, ImageDraw

    placement, width, height = canvas.placement, canvas.width, canvas.height
    letters, edges = Image.new("L", (width, height)), Image.new("L", (width, height))
    drawing, edge = ImageDraw.Draw(letters), ImageDraw.Draw(edges)
    pointers = []
    for text in texts:
        box = _box(text, placement)
        anchor = None
        if text.anchor is not None:
            ((x, y),) = _placed(np.array([text.anchor]), text.anchor_units, placement).tolist()
            anchor = (x, y)
        shown = _write(drawing, edge, text, box, anchor, width, height)
        if shown is not None and anchor is not None and text.anchor_visible:
            pointers.append(np.array([anchor, _nearest(shown, anchor)]))
    lines = [Stroke(points, None) for points in pointers]
    _draw_strokes(canvas, (), [*lines, *(Stroke(points[:1], None) for points in pointers)], colour)
    bright = colour[0] * 299 + colour[1] * 587 + colour[2] * 114 > 60_000
    for image, shade in ((edges, (0, 0, 0) if bright else (255, 255, 255)), (letters, colour)):
        bounds = image.getbbox()
        if bounds is not None:
            canvas.cover(np.asarray(image.crop(bounds)), bounds[0], bounds[1], shade)


def _box(text: Text, placement: Placement) -> tuple[float, float, float, float] | None:
    if text.box is None:
        return None
    corners = _placed(np.array(text.box).reshape(2, 2), text.box_units, placement)
    (left, upper), (right, lower) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return left, upper, right, lower


def _write(
    drawing: ImageDraw,
    edge: ImageDraw,
    text: Text,
    box: tuple[float, float, float, float] | None,
    anchor: tuple[float, float] | None,
    width: int,
    height: int,
) -> tuple[float, float, float, float] | None:
    """Write a text; return the box that it fills, None when it lies outside."""
    lines = [fonts.runs(_clean(line)) for line in text.text.splitlines()[:100]]
    usual = min(max(min(width, height) // 28, _SIZES[0]), _SIZES[-1])
    if box is None:
        assert anchor is not None, "a text has one or the other"
        box = (anchor[0] + usual, anchor[1] - usual, anchor[0] + usual, anchor[1] - usual)
        size = _SIZES[0]
        size = max(one for one in _SIZES if one <= usual)
    else:
        size = _fitting(drawing, lines, box, usual)
    widths = [_width(drawing, line, size) for line in lines]
    step = size * 1.25
    filled_width, filled_height = max(widths, default=0.0), step * len(lines)
    left = _aligned(text.horizontal, box[0], box[2], filled_width)
    upper = _aligned(text.vertical, box[1], box[3], filled_height)
    if left > width or upper > height or left + filled_width < 0 or upper + filled_height < 0:
        return None
    # Inside the picture as far as it goes
    left = max(min(left, width - filled_width), 0.0)
    upper = max(min(upper, height - filled_height), 0.0)
    for number, (line, length) in enumerate(zip(lines, widths, strict=True)):
        x = left + _aligned(text.horizontal, 0.0, filled_width, length)
        y = upper + number * step + size
        if y > height + size:
            break
        for run, face in line:
            font = fonts.font(face, size)
            drawing.text((x, y), run, fill=255, font=font, anchor="ls")
            edge.text((x, y), run, fill=255, font=font, anchor="ls", stroke_width=max(1, size // 12))
            x += drawing.textlength(run, font=font)
    return left, upper, left + filled_width, upper + filled_height


def _fitting(
    drawing: ImageDraw,
    lines: list[list[tuple[str, fonts.Face]]],
    box: tuple[float, float, float, float],
    usual: int,
) -> int:
    """The largest size, up to the usual one, in which a text fits into its box; else the smallest there is."""
    for size in reversed(_SIZES):
        high = size <= usual and size * 1.25 * len(lines) <= box[3] - box[1] + 1
        if high and all(_width(drawing, line, size) <= box[2] - box[0] + 1 for line in lines):
            return size
    return _SIZES[0]


def _width(drawing: ImageDraw, line: list[tuple[str, fonts.Face]], size: int) -> float:
    return sum(drawing.textlength(run, font=fonts.font(face, size)) for run, face in line)


def _aligned(where: str, low: float, high: float, length: float) -> float:
    if where == "CENTER":
        return (low + high - length) / 2
    return high - length if where in ("RIGHT", "BOTTOM") else low


def _clean(line: str) -> str:
    return "".join(character if character.isprintable() else " " for character in line)[:500]


def _nearest(box: tuple[float, float, float, float], point: tuple[float, float]) -> tuple[float, float]:
    """The point of a box that is nearest to another."""
    return min(max(point[0], box[0]), box[2]), min(max(point[1], box[1]), box[3])
