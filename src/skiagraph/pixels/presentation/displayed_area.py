"""Which part of an image is shown, which way round and how large: PS3.3 C.10.4 and C.10.6, PS3.18 §8.3.5.1.6.

The image is rotated clockwise, then flipped; then the displayed area is cut out and scaled, never stretched. What lies
outside the image is black.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels import elements, viewport
from skiagraph.pixels.viewport import Fit
from skiagraph.standard.rendering import Viewport
from skiagraph.values import Attributes

_FURTHEST = 2**24  # pixels from the image: no area lies beyond
_LARGEST_RATIO = 1000.0


class SizeMode(enum.Enum):
    """Presentation Size Mode (0070,0100)."""

    SCALE_TO_FIT = "SCALE TO FIT"
    TRUE_SIZE = "TRUE SIZE"
    MAGNIFY = "MAGNIFY"


@dataclass(frozen=True, slots=True)
class DisplayedArea:
    """A part of an image, or more than the image."""

    left: int
    """Edges between pixels of the image as it is stored, 0 being those of the first pixel."""
    upper: int
    right: int
    lower: int
    mode: SizeMode = SizeMode.SCALE_TO_FIT
    aspect: float = 1.0
    """Height of a pixel of the image by its width."""
    magnification: float = 1.0
    """Pixels of the display for one of the image; of MAGNIFY."""

    @classmethod
    def from_item(cls, item: Attributes) -> DisplayedArea | None:
        """Read an Item of Displayed Area Selection Sequence (0070,005A); None when it has no corners."""
        first, second = elements.integers(item, "00700052"), elements.integers(item, "00700053")
        if len(first) < 2 or len(second) < 2:
            return None
        # The corners are the pixels that are at the top left and the bottom right when the image is turned
        (left, right), (upper, lower) = (
            sorted(_near(value) for value in pair) for pair in zip(first, second, strict=False)
        )
        try:
            mode = SizeMode(elements.text(item, "00700100"))
        except ValueError:
            mode = SizeMode.SCALE_TO_FIT
        magnification = elements.number(item, "00700103") if mode is SizeMode.MAGNIFY else None
        return cls(left - 1, upper - 1, right, lower, mode, _aspect(item), _ratio(magnification or 1.0))


def _aspect(item: Attributes) -> float:
    """By Presentation Pixel Spacing (0070,0101), else Presentation Pixel Aspect Ratio (0070,0102)."""
    for tag in ("00700101", "00700102"):
        values = elements.numbers(item, tag)
        if len(values) >= 2 and values[0] > 0 and values[1] > 0:
            return _ratio(values[0] / values[1])
    return 1.0


def _ratio(value: float) -> float:
    return min(max(value, 1 / _LARGEST_RATIO), _LARGEST_RATIO) if math.isfinite(value) and value > 0 else 1.0


def _near(value: int) -> int:
    return min(max(value, -_FURTHEST), _FURTHEST)


@dataclass(frozen=True, slots=True)
class Orientation:
    """Image Rotation (0070,0042), clockwise, and then Image Horizontal Flip (0070,0041)."""

    quarters: int = 0
    """Quarters of a turn: 0 to 3."""
    flip: bool = False

    @classmethod
    def from_attributes(cls, attributes: Attributes) -> Orientation:
        degrees = elements.integer(attributes, "00700042") or 0
        return cls(degrees // 90 % 4 if degrees % 90 == 0 else 0, elements.text(attributes, "00700041") == "Y")


class Placement(NamedTuple):
    """Where an image is in a picture: x' = xx·x + xy·y + x0, y' = yx·x + yy·y + y0, corners of pixels being whole."""

    xx: float
    xy: float
    x0: float
    yx: float
    yy: float
    y0: float
    width: int
    """Pixels of the picture."""
    height: int
    area: tuple[float, float, float, float]
    """Left, upper, right and lower edge of the whole displayed area in the picture; more than the picture where only
    a region of the area is shown."""
    orientation: Orientation

    def points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take points (n, 2), x before y, of the image to the picture."""
        matrix = np.array([[self.xx, self.yx], [self.xy, self.yy]])
        moved: NDArray[np.float64] = points @ matrix + (self.x0, self.y0)
        return moved

    def fractions(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take points (n, 2) in fractions of the displayed area to the picture."""
        left, upper, right, lower = self.area
        moved: NDArray[np.float64] = points * (right - left, lower - upper) + (left, upper)
        return moved


def whole(columns: int, rows: int) -> DisplayedArea:
    """All of an image."""
    return DisplayedArea(0, 0, columns, rows)


def unscaled(area: DisplayedArea, orientation: Orientation) -> tuple[int, int]:
    """Width and height of the picture when the request says nothing of them."""
    width, height, _, _ = _size(area, orientation)
    return width, height


def _size(area: DisplayedArea, orientation: Orientation) -> tuple[int, int, float, float]:
    """The same, and the scale of the image across and down before it is turned.

    Where pixels are not square, the picture gets more of them in the direction in which they are longer.
    """
    across = area.magnification * max(1.0, 1.0 / area.aspect)
    down = area.magnification * max(1.0, area.aspect)
    width = max(math.floor((area.right - area.left) * across + 0.5), 1)
    height = max(math.floor((area.lower - area.upper) * down + 0.5), 1)
    # Whole pixels in both directions: what is lost by rounding is made up for by the scale
    across, down = width / (area.right - area.left), height / (area.lower - area.upper)
    return (height, width, across, down) if orientation.quarters % 2 else (width, height, across, down)


def place(area: DisplayedArea, orientation: Orientation, wanted: Viewport | None) -> Placement:
    """Find where the image comes to lie.

    Parameters
    ----------
    wanted
        The area is scaled to fit into it; with MAGNIFY, the middle of it is cut out instead. A source region is one of
        the picture that the state makes.

    Raises
    ------
    BadRequest, PayloadTooLarge
        As `viewport.fit`.
    """
    columns, rows, across, down = _size(area, orientation)
    if area.mode is SizeMode.MAGNIFY and wanted is not None and wanted.whole:
        width, height = min(wanted.width, columns), min(wanted.height, rows)
        left, upper = (columns - width) // 2, (rows - height) // 2
        found = Fit(left, upper, left + width, upper + height, width, height)
        viewport.fit(width, height, None)  # raises where it is too large
    else:
        found = viewport.fit(columns, rows, wanted)
    turned = _turned(area, orientation, across, down, columns, rows)
    scale_x, scale_y = found.width / (found.right - found.left), found.height / (found.lower - found.upper)
    xx, xy, x0, yx, yy, y0 = turned
    return Placement(
        xx * scale_x,
        xy * scale_x,
        (x0 - found.left) * scale_x,
        yx * scale_y,
        yy * scale_y,
        (y0 - found.upper) * scale_y,
        found.width,
        found.height,
        (
            -found.left * scale_x,
            -found.upper * scale_y,
            (columns - found.left) * scale_x,
            (rows - found.upper) * scale_y,
        ),
        orientation,
    )


def _turned(
    area: DisplayedArea, orientation: Orientation, across: float, down: float, columns: int, rows: int
) -> tuple[float, float, float, float, float, float]:
    """The area scaled, turned and flipped, at 0, 0."""
    left, upper = -area.left * across, -area.upper * down
    matrix = (
        (across, 0.0, left, 0.0, down, upper),
        (0.0, -down, columns - upper, across, 0.0, left),
        (-across, 0.0, columns - left, 0.0, -down, rows - upper),
        (0.0, down, upper, -across, 0.0, rows - left),
    )[orientation.quarters]
    if not orientation.flip:
        return matrix
    xx, xy, x0, *rest = matrix
    return (-xx, -xy, columns - x0, rest[0], rest[1], rest[2])


def apply(shown: NDArray[np.uint8], placement: Placement) -> NDArray[np.uint8]:
    """Show an image, gray or RGB, at its place; black around it."""
    rows, columns = shown.shape[:2]
    out = np.zeros((placement.height, placement.width, *shown.shape[2:]), np.uint8)
    corners = placement.points(np.array([(0.0, 0.0), (columns, rows)]))
    (left, upper), (right, lower) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    # Whole pixels of the picture that the image covers, and what of the image lies below them
    x0, x1 = _covered(left, right, placement.width)
    y0, y1 = _covered(upper, lower, placement.height)
    if x0 >= x1 or y0 >= y1:
        return out
    turned = _turn(shown, placement.orientation)
    across, down = turned.shape[1] / (right - left), turned.shape[0] / (lower - upper)
    box = (
        _within((x0 - left) * across, turned.shape[1]),
        _within((y0 - upper) * down, turned.shape[0]),
        _within((x1 - left) * across, turned.shape[1]),
        _within((y1 - upper) * down, turned.shape[0]),
    )
    if box[0] >= box[2] or box[1] >= box[3]:
        return out
    if all(abs(edge - round(edge)) < 1e-6 for edge in box):
        x, y, right, lower = (round(edge) for edge in box)
        turned, box = turned[y:lower, x:right], (0.0, 0.0, float(right - x), float(lower - y))
    out[y0:y1, x0:x1] = viewport.scaled(turned, box, x1 - x0, y1 - y0)
    return out


def _turn(shown: NDArray[np.uint8], orientation: Orientation) -> NDArray[np.uint8]:
    turned = np.rot90(shown, -orientation.quarters)
    return turned[:, ::-1] if orientation.flip else turned


def _covered(low: float, high: float, length: int) -> tuple[int, int]:
    """Whole pixels from edge to edge, within 0 … length."""
    first, last = math.floor(low + 0.5), math.floor(high + 0.5)
    return min(max(first, 0), length), min(max(last, 0), length)


def _within(edge: float, length: int) -> float:
    return min(max(edge, 0.0), float(length))
