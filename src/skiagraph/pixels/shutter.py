"""The display shutter of an image: PS3.3 C.7.6.11. What lies outside its opening is not shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels import color, elements, polygon
from skiagraph.pixels.image import BadPixels
from skiagraph.values import Attributes

MOST_VERTICES = 10_000


@dataclass(frozen=True, slots=True)
class Shutter:
    """Shapes, all of which have to be open for a pixel to be shown; rows and columns count from 1."""

    rectangle: tuple[int, int, int, int] | None = None
    """Left, right, upper and lower edge: the pixels on them are shown."""
    circle: tuple[int, int, int] | None = None
    """Row and column of the center, radius in pixels."""
    polygon: tuple[tuple[int, int], ...] = ()
    """(row, column) of the vertices; the last is joined to the first."""
    gray: int = 0
    """0 to 255: what is shown instead."""
    rgb: tuple[int, int, int] | None = None
    """The same on colour pictures."""


def from_attributes(attributes: Attributes) -> Shutter | None:
    """Read Shutter Shape (0018,1600) and what belongs to it; None when no shape can be understood."""
    shapes = set(elements.texts(attributes, "00181600"))
    rectangle = circle = None
    polygon: tuple[tuple[int, int], ...] = ()
    if "RECTANGULAR" in shapes:
        left, right, upper, lower = (
            elements.integer(attributes, tag) for tag in ("00181602", "00181604", "00181606", "00181608")
        )
        if left is not None and right is not None and upper is not None and lower is not None:
            rectangle = left, right, upper, lower
    if "CIRCULAR" in shapes:
        center = elements.integers(attributes, "00181610")
        radius = elements.integer(attributes, "00181612")
        if len(center) >= 2 and radius is not None:
            circle = center[0], center[1], radius
    if "POLYGONAL" in shapes:
        values = elements.integers(attributes, "00181620")[: 2 * MOST_VERTICES]
        points = tuple(zip(values[::2], values[1::2], strict=False))
        polygon = points if len(points) >= 3 else ()
    if rectangle is None and circle is None and not polygon:
        return None
    return Shutter(rectangle, circle, polygon, *covering(attributes))


def covering(attributes: Attributes) -> tuple[int, tuple[int, int, int] | None]:
    """What is shown instead, as 8 bits of gray and as sRGB: (0018,1622), black when it is not said, and (0018,1624)."""
    presented = elements.integer(attributes, "00181622") or 0  # a P-Value of 16 bits (C.7.6.11.1)
    gray = (min(max(presented, 0), 65535) * 255 + 32767) // 65535
    return gray, color.from_cielab(elements.integers(attributes, "00181624"))


def apply(picture: NDArray[np.uint8], shutter: Shutter) -> None:
    """Cover what lies outside the opening, in place. Raises BadPixels where that takes too long to draw."""
    rows, columns = picture.shape[:2]
    shown = np.ones((rows, columns), np.bool_)
    if shutter.rectangle is not None:
        left, right, upper, lower = shutter.rectangle
        inside = np.zeros_like(shown)
        inside[max(upper - 1, 0) : max(lower, 0), max(left - 1, 0) : max(right, 0)] = True
        shown &= inside
    if shutter.circle is not None:
        row, column, radius = shutter.circle
        down = (np.arange(1, rows + 1, dtype=np.float64) - row)[:, None] ** 2
        across = (np.arange(1, columns + 1, dtype=np.float64) - column)[None, :] ** 2
        shown &= down + across <= float(radius) ** 2
    if shutter.polygon:
        shown &= _polygon(shutter.polygon, rows, columns)
    covered = shutter.gray if picture.ndim == 2 or shutter.rgb is None else shutter.rgb
    picture[~shown] = covered


def _polygon(points: tuple[tuple[int, int], ...], rows: int, columns: int) -> NDArray[np.bool_]:
    from PIL import Image

    # Drawing far outside the picture takes time for nothing
    far = 4 * 65535
    corners = np.clip(np.array(points, np.float64)[:, ::-1] - 1, -far, far)
    if polygon.crossings(corners, rows) > polygon.MOST_CROSSINGS:
        raise BadPixels("The polygonal shutter has too many and too long edges to be drawn.")
    image = Image.new("L", (columns, rows))
    polygon.fill(image, corners)
    return np.asarray(image) > 0
