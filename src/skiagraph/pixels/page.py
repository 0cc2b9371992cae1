"""Pages of line drawings on white paper, measured in millimetres, and the pictures made of them.

A page is a list of shapes without a size in pixels, so that a thumbnail is not a reduced page but a page drawn
small: lines stay visible, and text that could not be read is left out. The same page gives the same bytes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels import fonts

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from PIL.ImageDraw import ImageDraw

Colour: TypeAlias = tuple[int, int, int]
Points: TypeAlias = NDArray[np.float64]

SMALLEST_TEXT: Final = 6
"""Pixels; text that would be smaller is not drawn."""

_SMALLEST_REGION = 0.01  # millimetres; a smaller one is drawn as this
_LARGEST_TEXT = 8192  # pixels: larger than that, no letter would be on the picture as a whole
_THINNEST = 1.2  # pixels of a curve, so that it does not fade in a thumbnail
_SUPERSAMPLED = 24 * 2**20  # pixels of a mask that curves are drawn into, to get smooth edges
_FARTHEST = 1e6  # pixels from the picture to a point of a curve
_CLOSEST = 3.0  # pixels between the lines of a grid; closer ones would only be a tint


@dataclass(frozen=True, slots=True)
class Grid:
    """Lines at equal distances, those at `left` and `top` among them."""

    left: float
    top: float
    right: float
    bottom: float
    step: float
    colour: Colour


@dataclass(frozen=True, slots=True)
class Rule:
    """A straight line, as sharp as pixels are."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: Colour


@dataclass(frozen=True, slots=True)
class Curve:
    """A polyline with smooth edges; points that are not numbers are gaps."""

    points: Points
    """(n, 2): x and y of each."""
    colour: Colour
    width: float


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text in any script."""

    x: float
    y: float
    """Of the base line."""
    text: str
    size: float
    colour: Colour
    anchor: Literal["l", "m", "r"] = "l"
    """Where x is: at the left end, the middle or the right end."""
    most: float = math.inf
    """Width that it may have; what is longer is cut off with an ellipsis."""


Shape: TypeAlias = Grid | Rule | Curve | Words


@dataclass(slots=True)
class Page:
    """Shapes on a page; later ones lie on earlier ones, but curves on grids and rules, and words on all."""

    width: float
    height: float
    shapes: list[Shape] = field(default_factory=list)

    def render(
        self, columns: int, rows: int, box: tuple[float, float, float, float] | None = None
    ) -> NDArray[np.uint8]:
        """Draw a region (left, top, right, bottom in millimetres) of the page, or all of it: (rows, columns, 3)."""
        from PIL import Image, ImageDraw

        left, top, right, bottom = box or (0.0, 0.0, self.width, self.height)
        right, bottom = max(right, left + _SMALLEST_REGION), max(bottom, top + _SMALLEST_REGION)
        across, down = columns / (right - left), rows / (bottom - top)
        image = Image.new("RGB", (columns, rows), (255, 255, 255))
        draw = ImageDraw.Draw(image)
        scale = min(across, down)
        frame = _Frame(left, top, across, down)
        for shape in self.shapes:
            if isinstance(shape, Grid):
                if shape.step * scale >= _CLOSEST:
                    _draw_grid(draw, shape, frame, columns, rows)
            elif isinstance(shape, Rule):
                _draw_rule(draw, shape, frame, columns, rows)
        _draw_curves(image, [shape for shape in self.shapes if isinstance(shape, Curve)], frame, scale)
        largest = min(2 * max(columns, rows), _LARGEST_TEXT)
        for shape in self.shapes:
            if isinstance(shape, Words) and SMALLEST_TEXT <= shape.size * scale <= largest:
                _draw_words(draw, shape, frame, scale, columns, rows)
        return np.asarray(image)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where millimetres are in the picture."""

    left: float
    top: float
    across: float
    down: float

    def x(self, millimetres: float) -> float:
        return (millimetres - self.left) * self.across

    def y(self, millimetres: float) -> float:
        return (millimetres - self.top) * self.down


def _draw_grid(draw: ImageDraw, grid: Grid, frame: _Frame, columns: int, rows: int) -> None:
    left, right = _within(frame.x(grid.left), columns), _within(frame.x(grid.right), columns)
    top, bottom = _within(frame.y(grid.top), rows), _within(frame.y(grid.bottom), rows)
    for x in _steps(grid.left, grid.right, grid.step):
        if 0 <= frame.x(x) < columns:
            draw.line((int(frame.x(x)), top, int(frame.x(x)), bottom), fill=grid.colour)
    for y in _steps(grid.top, grid.bottom, grid.step):
        if 0 <= frame.y(y) < rows:
            draw.line((left, int(frame.y(y)), right, int(frame.y(y))), fill=grid.colour)


def _steps(start: float, end: float, step: float) -> list[float]:
    return [start + number * step for number in range(math.floor((end - start) / step + 1e-6) + 1)]


def _draw_rule(draw: ImageDraw, rule: Rule, frame: _Frame, columns: int, rows: int) -> None:
    xs = sorted((frame.x(rule.x1), frame.x(rule.x2)))
    ys = sorted((frame.y(rule.y1), frame.y(rule.y2)))
    if xs[1] < 0 or ys[1] < 0 or xs[0] >= columns or ys[0] >= rows:
        return
    draw.line([(_within(x, columns), _within(y, rows)) for x, y in zip(xs, ys, strict=True)], fill=rule.colour)


def _within(place: float, length: int) -> int:
    return int(min(max(place, -1.0), length))


def _draw_curves(image: Picture, curves: list[Curve], frame: _Frame, scale: float) -> None:
    """Draw curves through a mask of several times the size, one for each run of the same colour."""
    from PIL import Image, ImageDraw

    columns, rows = image.size
    factor = next((factor for factor in (3, 2) if columns * rows * factor**2 <= _SUPERSAMPLED), 1)
    place = 0
    while place < len(curves):
        colour = curves[place].colour
        mask = Image.new("L", (columns * factor, rows * factor))
        draw = ImageDraw.Draw(mask)
        while place < len(curves) and curves[place].colour == colour:
            curve = curves[place]
            width = max(round(min(max(curve.width * scale, _THINNEST), columns + rows) * factor), 1)
            xs = (curve.points[:, 0] - frame.left) * frame.across * factor
            ys = (curve.points[:, 1] - frame.top) * frame.down * factor
            for xy in _unbroken(xs, ys, columns * factor):
                if len(xy) > 1:
                    draw.line(xy, fill=255, width=width, joint="curve" if width > 2 else None)
                else:
                    x, y = xy[0]
                    draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=255)
            place += 1
        image.paste(colour, (0, 0), mask.reduce(factor) if factor > 1 else mask)


def _unbroken(xs: Points, ys: Points, columns: int) -> list[list[tuple[float, float]]]:
    """The pieces of a curve between gaps, of what is near the picture."""
    there = np.isfinite(xs) & np.isfinite(ys)
    wanted = there & (xs >= 0) & (xs <= columns)
    # Both ends of a line that crosses the picture, or a part of it, though they may lie outside
    with np.errstate(invalid="ignore"):
        crossing = there[:-1] & there[1:]
        crossing &= (np.minimum(xs[:-1], xs[1:]) <= columns) & (np.maximum(xs[:-1], xs[1:]) >= 0)
    wanted[:-1] |= crossing
    wanted[1:] |= crossing
    xs, ys = np.clip(xs, -_FARTHEST, _FARTHEST), np.clip(ys, -_FARTHEST, _FARTHEST)
    places = np.flatnonzero(wanted)
    if not len(places):
        return []
    pieces = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    return [list(zip(xs[piece].tolist(), ys[piece].tolist(), strict=True)) for piece in pieces]


def _draw_words(draw: ImageDraw, words: Words, frame: _Frame, scale: float, columns: int, rows: int) -> None:
    size = max(round(words.size * scale), 1)
    x, y = frame.x(words.x), frame.y(words.y)
    if not (-columns < x < 2 * columns and -size < y < rows + 2 * size):
        return
    runs = fonts.runs(words.text)
    text = words.text
    while len(text) > 1 and _length(draw, runs, size) > words.most * scale:
        text = text[:-1]
        runs = fonts.runs(text.rstrip() + "…")
    if words.anchor != "l":
        x -= _length(draw, runs, size) * (0.5 if words.anchor == "m" else 1.0)
    for run, face in runs:
        found = fonts.font(face, size)
        draw.text((x, y), run, fill=words.colour, font=found, anchor="ls")
        x += draw.textlength(run, font=found)


def _length(draw: ImageDraw, runs: list[tuple[str, fonts.Face]], size: int) -> float:
    return sum(draw.textlength(run, font=fonts.font(face, size)) for run, face in runs)
