"""Filled polygons with many corners: in bands, so that none of them keeps other threads waiting.

The library that draws them does so without a pause, and takes as long as edges cross lines of pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MOST_CROSSINGS: Final = 2**24
"""Crossings of edges with lines of pixels, of all polygons of one picture: two seconds or so."""

_AT_ONCE = 2**17


def crossings(points: NDArray[np.float64], rows: int) -> int:
    """How often the edges between these corners (n, 2), x before y, cross a line of pixels in a picture."""
    y = np.clip(points[:, 1], -1.0, rows)
    return int(np.abs(np.diff(y, append=y[:1])).sum()) + len(points)


def fill(image: Picture, points: NDArray[np.float64]) -> None:
    """Fill a polygon, its outline too, with 255, in a picture of one byte for each pixel."""
    from PIL import Image, ImageDraw

    bands = -(-crossings(points, image.height) // _AT_ONCE)
    if bands <= 1:
        ImageDraw.Draw(image).polygon([(x, y) for x, y in points.tolist()], fill=255, outline=255)
        return
    step = -(-image.height // bands)
    points = np.trunc(points)  # as the library does, which would come to other corners behind the shift
    for top in range(0, image.height, step):
        band = Image.new("L", (image.width, min(step, image.height - top)))
        ImageDraw.Draw(band).polygon([(x, y - top) for x, y in points.tolist()], fill=255, outline=255)
        image.paste(255, (0, top), band)
