"""A tiled image as one: PS3.3 C.7.6.17.3 (TILED_FULL) and C.8.12.6 (plane positions of TILED_SPARSE).

Only the tiles that the source region covers are touched. When the result is smaller than the region, each tile is
reduced by a whole number first, so that memory goes with the result and not with the slide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skiagraph.errors import BadRequest, PayloadTooLarge
from skiagraph.pixels import color, elements, viewport
from skiagraph.pixels.appearance import PER_FRAME
from skiagraph.pixels.image import ImageParams
from skiagraph.pixels.viewport import Fit
from skiagraph.standard.rendering import Viewport
from skiagraph.values import Attributes

MOST_TILES = 4096
"""Tiles that one picture is made of at most."""

_PLANE_POSITION = "0048021A"


class Tile(NamedTuple):
    """One tile: its frame (from 1), and column and row of its first pixel in the total pixel matrix (from 0)."""

    frame: int
    left: int
    upper: int


@dataclass(frozen=True, slots=True)
class Mosaic:
    """How the frames of an image make one total pixel matrix."""

    columns: int
    """Of the total pixel matrix."""
    rows: int
    tile_columns: int
    tile_rows: int
    first: int = 1
    """First frame of the plane that is shown, where the tiles are in order."""
    places: NDArray[np.int64] | None = None
    """Frame, column, row (from 0) of each tile, where they are not."""

    def tiles(self, region: Fit) -> list[Tile]:
        """The tiles that the region covers, in the order of their frames."""
        if self.places is not None:
            return [Tile(*map(int, place)) for place in self._placed(region)]
        across = -(-self.columns // self.tile_columns)
        first_column, first_row = int(region.left) // self.tile_columns, int(region.upper) // self.tile_rows
        end_column = min(-int(-region.right // self.tile_columns), across)
        end_row = -int(-region.lower // self.tile_rows)
        return [
            Tile(self.first + row * across + column, column * self.tile_columns, row * self.tile_rows)
            for row in range(first_row, end_row)
            for column in range(first_column, end_column)
        ]

    def count(self, region: Fit) -> int:
        """How many tiles the region covers; cheap, however many."""
        if self.places is not None:
            return len(self._placed(region))
        across = int(-(-region.right // self.tile_columns) - region.left // self.tile_columns)
        down = int(-(-region.lower // self.tile_rows) - region.upper // self.tile_rows)
        return across * down

    def _placed(self, region: Fit) -> NDArray[np.int64]:
        """Those of the places that the region covers."""
        assert self.places is not None, "the caller looked"
        _, left, upper = self.places.T
        covered = (left < region.right) & (left + self.tile_columns > region.left)
        covered &= (upper < region.lower) & (upper + self.tile_rows > region.upper)
        found: NDArray[np.int64] = self.places[covered]
        return found


def from_attributes(attributes: Attributes, image: ImageParams) -> Mosaic | None:
    """The mosaic that a data set with all its functional groups describes; None when it does not."""
    columns, rows = elements.integer(attributes, "00480006"), elements.integer(attributes, "00480007")
    if not columns or not rows or columns < 1 or rows < 1 or image.number_of_frames < 2:
        return None
    if elements.text(attributes, "00209311") == "TILED_FULL":
        tiles = -(-columns // image.columns) * -(-rows // image.rows)
        planes = max(1, elements.integer(attributes, "00480303") or 1)
        if tiles * planes > image.number_of_frames:
            planes = 1
        if tiles > image.number_of_frames:
            return None
        # Frames go through the tiles of a plane, then through the focal planes, then the optical paths
        return Mosaic(columns, rows, image.columns, image.rows, 1 + planes // 2 * tiles)
    places = _places(attributes)
    if not len(places):
        return None
    return Mosaic(columns, rows, image.columns, image.rows, places=places)


def _places(attributes: Attributes) -> NDArray[np.int64]:
    """Where each frame lies by its own plane position; of several at one place the first."""
    found: dict[tuple[int, int], int] = {}
    for number, group in enumerate(elements.items(attributes, PER_FRAME), 1):
        position = elements.item(group, _PLANE_POSITION)
        column, row = elements.integer(position, "0048021E"), elements.integer(position, "0048021F")
        if column is not None and row is not None:
            found.setdefault((column - 1, row - 1), number)
    return np.array([(number, *place) for place, number in found.items()], np.int64).reshape(-1, 3)


@dataclass(frozen=True, slots=True)
class Canvas:
    """What the tiles are put together on: the region, reduced by a whole number."""

    pixels: NDArray[np.uint8]
    left: int
    """Column and row of the total pixel matrix that its first pixel is at; multiples of the factor."""
    upper: int
    factor: int


def plan(mosaic: Mosaic, wanted: Viewport | None) -> tuple[Fit, int]:
    """Find the region, the size of the result, and by how much tiles are reduced.

    Raises
    ------
    BadRequest
        The region lies outside, or takes more tiles or a larger result than this server renders at a time.
    PayloadTooLarge
        The same, and nobody asked for a certain size.
    """
    try:
        region = viewport.fit(mosaic.columns, mosaic.rows, wanted)
        count = mosaic.count(region)
        if count > MOST_TILES:
            raise BadRequest(
                f"The region covers {count} tiles, more than the {MOST_TILES} that are put together at a time: a"
                " smaller region is needed, or another Instance of the slide with fewer pixels."
            )
        factor = _factor(mosaic, region.scale)
        if (region.right - region.left) * (region.lower - region.upper) > viewport.LARGEST_PICTURE * factor**2:
            raise BadRequest("The region has more pixels than this server renders at a time; a smaller one is needed.")
    except BadRequest as error:
        if wanted is not None:
            raise
        raise PayloadTooLarge(f"{error.message} A 'viewport' says how large the result shall be.") from error
    return region, factor


def _factor(mosaic: Mosaic, scale: float) -> int:
    """The largest power of two that divides the sides of a tile and leaves something to scale down."""
    factor = 1
    while scale * factor <= 0.5 and mosaic.tile_columns % (2 * factor) == 0 and mosaic.tile_rows % (2 * factor) == 0:
        factor *= 2
    return factor


def canvas(region: Fit, factor: int, samples: int, attributes: Attributes) -> Canvas:
    """An empty canvas for a region: where there is no tile, as Recommended Absent Pixel CIELab Value (0048,0015) says.

    Else white, as a slide is without tissue, or black where pixels are gray.
    """
    left, upper = int(region.left) // factor * factor, int(region.upper) // factor * factor
    columns, rows = -(-int(np.ceil(region.right) - left) // factor), -(-int(np.ceil(region.lower) - upper) // factor)
    absent = color.from_cielab(elements.integers(attributes, "00480015")) or (255, 255, 255)
    if samples == 1:
        return Canvas(np.zeros((rows, columns), np.uint8), left, upper, factor)
    return Canvas(np.full((rows, columns, 3), absent, np.uint8), left, upper, factor)


def paste(target: Canvas, mosaic: Mosaic, tile: Tile, picture: NDArray[np.uint8]) -> None:
    """Put the picture of a tile in its place; what lies outside the region is left out."""
    # The last tiles of a row or column reach beyond the matrix
    picture = picture[: max(0, mosaic.rows - tile.upper), : max(0, mosaic.columns - tile.left)]
    reduced = _reduced(picture, target.factor)
    top, left = (tile.upper - target.upper) // target.factor, (tile.left - target.left) // target.factor
    bottom, right = top + reduced.shape[0], left + reduced.shape[1]
    rows, columns = target.pixels.shape[:2]
    shown = reduced[max(0, -top) : max(0, rows - top), max(0, -left) : max(0, columns - left)]
    if shown.size:
        target.pixels[max(0, top) : min(bottom, rows), max(0, left) : min(right, columns)] = shown


def _reduced(picture: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    if factor == 1 or not picture.size:
        return picture
    from PIL import Image

    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).reduce(factor))


def finished(done: Canvas, region: Fit, wanted: Viewport | None) -> NDArray[np.uint8]:
    """Cut the region out of a canvas that is filled, flip and scale it."""
    rows, columns = done.pixels.shape[:2]
    factor = done.factor
    box = Fit(
        (region.left - done.left) / factor,
        (region.upper - done.upper) / factor,
        min((region.right - done.left) / factor, columns),
        min((region.lower - done.upper) / factor, rows),
        region.width,
        region.height,
    )
    return viewport.apply(done.pixels, wanted, box)
