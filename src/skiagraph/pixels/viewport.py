"""Source region, flip and scaling: PS3.18 §8.3.5.1.3. Never stretched: the result fits inside the viewport."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skiagraph.errors import BadRequest, PayloadTooLarge
from skiagraph.standard.rendering import Viewport

LARGEST_PICTURE = 2**26
"""Most pixels of a rendered picture: 64 Mi."""

_REDUCING_GAP = 2.0
"""A picture that shrinks by twice as much and more is first reduced by the mean of whole squares of pixels, to no less
than twice the result, so that fine grids do not turn into coarse ones."""


class Fit(NamedTuple):
    """What of an image is shown, and at which size."""

    left: float
    upper: float
    right: float
    lower: float
    """Edges of the region in pixels of the image, within it."""
    width: int
    """Pixels of the result."""
    height: int

    @property
    def scale(self) -> float:
        """Pixels of the result for one of the image."""
        return self.width / (self.right - self.left)


def fit(columns: int, rows: int, viewport: Viewport | None) -> Fit:
    """Find the region, clamped to the image, and the size of the result.

    The region is scaled, up or down, until one side equals that of the viewport and the other does not exceed it.

    Raises
    ------
    BadRequest
        The region lies outside the image, or the result would be larger than `LARGEST_PICTURE`.
    PayloadTooLarge
        It would be larger, and nobody asked for a certain size.
    """
    if viewport is None:
        if columns * rows > LARGEST_PICTURE:
            raise PayloadTooLarge(_too_large(columns, rows))
        return Fit(0.0, 0.0, float(columns), float(rows), columns, rows)
    left, upper = min(viewport.x, columns), min(viewport.y, rows)
    right = columns if viewport.region_width is None else min(viewport.x + viewport.region_width, columns)
    lower = rows if viewport.region_height is None else min(viewport.y + viewport.region_height, rows)
    if right <= left or lower <= upper:
        raise BadRequest(f"The source region of 'viewport' lies outside the image of {columns} × {rows} pixels.")
    across, down = viewport.width / (right - left), viewport.height / (lower - upper)
    if across <= down:
        width, height = viewport.width, _rounded((lower - upper) * across, viewport.height)
    else:
        width, height = _rounded((right - left) * down, viewport.width), viewport.height
    if width * height > LARGEST_PICTURE:
        raise BadRequest(_too_large(width, height))
    return Fit(float(left), float(upper), float(right), float(lower), width, height)


def apply(
    picture: NDArray[np.uint8], viewport: Viewport | None, fitted: Fit | None = None, *, rough: bool = False
) -> NDArray[np.uint8]:
    """Cut out the region, flip it and scale it.

    Parameters
    ----------
    fitted
        What `fit` found, where the picture is only a part of the image; edges in pixels of the picture.
    rough
        Good enough for thumbnails, and several times as fast.

    Raises
    ------
    BadRequest
        As `fit`.
    """
    rows, columns = picture.shape[:2]
    found = fitted or fit(columns, rows, viewport)
    cut = picture
    box = found[:4]
    if all(edge == int(edge) for edge in box):
        cut = picture[int(box[1]) : int(box[3]), int(box[0]) : int(box[2])]
        box = (0.0, 0.0, box[2] - box[0], box[3] - box[1])
    if viewport is not None and (viewport.flip_horizontally or viewport.flip_vertically):
        rows, columns = cut.shape[:2]
        left, upper, right, lower = box
        if viewport.flip_horizontally:
            cut, left, right = cut[:, ::-1], columns - right, columns - left
        if viewport.flip_vertically:
            cut, upper, lower = cut[::-1], rows - lower, rows - upper
        box = (left, upper, right, lower)
    return scaled(cut, box, found.width, found.height, rough=rough)


def scaled(
    picture: NDArray[np.uint8],
    box: tuple[float, float, float, float],
    width: int,
    height: int,
    *,
    rough: bool = False,
) -> NDArray[np.uint8]:
    """Scale a region (left, upper, right, lower edge in pixels, within the picture) to a size."""
    if box == (0.0, 0.0, float(width), float(height)) and picture.shape[:2] == (height, width):
        return picture
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(picture))
    shrinks = (box[2] - box[0]) >= width and (box[3] - box[1]) >= height
    gap = (1.0 if rough else _REDUCING_GAP) if shrinks else None
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, box, reducing_gap=gap))


def _rounded(length: float, most: int) -> int:
    return min(max(math.floor(length + 0.5), 1), most)


def _too_large(width: int, height: int) -> str:
    return (
        f"The result would have {width} × {height} pixels, more than the {LARGEST_PICTURE} that this server renders;"
        " a smaller 'viewport' is needed."
    )
