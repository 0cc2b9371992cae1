"""Tiled images as one: PS3.3 C.7.6.17.3, C.8.12.6; only what the region covers is touched."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.errors import BadRequest, PayloadTooLarge
from skiagraph.pixels import mosaic
from skiagraph.pixels.image import ImageParams
from skiagraph.pixels.mosaic import MOST_TILES, Mosaic, Tile
from skiagraph.standard.rendering import Viewport


def element(*values: Any) -> dict[str, Any]:
    return {"vr": "XX", "Value": list(values)}


def image(frames: int, size: int = 10) -> ImageParams:
    return ImageParams(size, size, number_of_frames=frames)


FULL = {"00480006": element(25), "00480007": element(15), "00209311": element("TILED_FULL")}


def sparse(*places: tuple[Any, Any]) -> dict[str, Any]:
    groups = [{"0048021A": element({"0048021E": element(column), "0048021F": element(row)})} for column, row in places]
    return FULL | {"00209311": element("TILED_SPARSE"), "52009230": element(*groups)}


@pytest.mark.parametrize(
    ("attributes", "frames", "first"),
    [
        pytest.param(FULL, 6, 1, id="TILED_FULL"),
        pytest.param(FULL, 12, 1, id="two optical paths: the first"),
        pytest.param(FULL | {"00480303": element(3)}, 18, 7, id="three focal planes: the middle one"),
        pytest.param(FULL | {"00480303": element(3)}, 6, 1, id="fewer frames than focal planes"),
    ],
)
def test_in_order(attributes: dict[str, Any], frames: int, first: int) -> None:
    found = mosaic.from_attributes(attributes, image(frames))
    assert found == Mosaic(25, 15, 10, 10, first)


@pytest.mark.parametrize(
    ("attributes", "frames"),
    [
        pytest.param({}, 6, id="no total pixel matrix"),
        pytest.param(FULL | {"00480006": element(0)}, 6, id="no columns"),
        pytest.param(FULL | {"00480006": element("x")}, 6, id="no number"),
        pytest.param(FULL, 1, id="one frame"),
        pytest.param(FULL, 5, id="fewer frames than tiles"),
        pytest.param(FULL | {"00209311": element("TILED_SPARSE")}, 6, id="no positions"),
        pytest.param(sparse(("x", 1)), 6, id="positions that are no numbers"),
    ],
)
def test_what_is_no_mosaic(attributes: dict[str, Any], frames: int) -> None:
    assert mosaic.from_attributes(attributes, image(frames)) is None


def test_by_position() -> None:
    """Positions count from 1; of several frames at one place the first is shown."""
    found = mosaic.from_attributes(sparse((1, 1), (21, 11), (1, 1), (None, 1), (-4, 1)), image(6))
    assert found is not None
    assert found.places is not None
    assert found.places.tolist() == [[1, 0, 0], [2, 20, 10], [5, -5, 0]]


WHOLE = Mosaic(25, 15, 10, 10)


@pytest.mark.parametrize(
    ("viewport", "frames"),
    [
        pytest.param(None, [1, 2, 3, 4, 5, 6], id="all"),
        pytest.param(Viewport(5, 5, 0, 0, 10, 10), [1], id="exactly one"),
        pytest.param(Viewport(5, 5, 9.5, 0, 1, 10), [1, 2], id="across an edge"),
        pytest.param(Viewport(5, 5, 10, 10), [5, 6], id="to the corner"),
        pytest.param(Viewport(5, 5, 24.9, 14.9), [6], id="the last pixel"),
        pytest.param(Viewport(5, 5, 5, 5, 10, 10), [1, 2, 4, 5], id="four"),
    ],
)
def test_tiles_that_a_region_covers(viewport: Viewport | None, frames: list[int]) -> None:
    region, _ = mosaic.plan(WHOLE, viewport)
    assert [tile.frame for tile in WHOLE.tiles(region)] == frames
    assert WHOLE.count(region) == len(frames)
    places = np.array([[n, (n - 1) % 3 * 10, (n - 1) // 3 * 10] for n in range(1, 7)])
    scattered = Mosaic(25, 15, 10, 10, places=places)
    assert [tile.frame for tile in scattered.tiles(region)] == frames


def pasted(tiles: Mosaic, viewport: Viewport | None, source: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """What becomes of a picture that is cut into tiles and put together again."""
    region, factor = mosaic.plan(tiles, viewport)
    canvas = mosaic.canvas(region, factor, 3 if source.ndim == 3 else 1, {})
    size = tiles.tile_columns
    padded = np.zeros((-(-tiles.rows // size) * size, -(-tiles.columns // size) * size, *source.shape[2:]), np.uint8)
    padded[: tiles.rows, : tiles.columns] = source
    for tile in tiles.tiles(region):
        mosaic.paste(canvas, tiles, tile, padded[tile.upper : tile.upper + size, tile.left : tile.left + size])
    return mosaic.finished(canvas, region, viewport)


SOURCE = np.arange(375).reshape(15, 25).astype(np.uint8)


@pytest.mark.parametrize(
    ("viewport", "expected"),
    [
        pytest.param(None, SOURCE, id="whole"),
        pytest.param(Viewport(7, 6, 8, 7, 7, 6), SOURCE[7:13, 8:15], id="region"),
        pytest.param(
            Viewport(7, 6, 8, 7, 7, 6, flip_horizontally=True, flip_vertically=True),
            SOURCE[7:13, 8:15][::-1, ::-1],
            id="flipped",
        ),
    ],
)
def test_tiles_make_the_picture(viewport: Viewport | None, expected: np.ndarray) -> None:  # type: ignore[type-arg]
    assert pasted(WHOLE, viewport, SOURCE).tolist() == expected.tolist()


@given(st.integers(1, 200), st.integers(1, 200), st.sampled_from([8, 12, 16]), st.integers(8, 60), st.floats(0, 150))
def test_reduced_tiles_make_the_reduced_picture(columns: int, rows: int, size: int, side: int, x: float) -> None:
    """Put together and reduced at once or one after the other: nearly the same, and no seams."""
    from skiagraph.pixels import viewport as viewports

    wide, high = max(columns, size + 1), max(rows, size + 1)
    y_part, x_part = np.mgrid[:high, :wide]
    smooth = (128 + 60 * np.sin(x_part / 15) + 60 * np.cos(y_part / 20)).astype(np.uint8)
    wanted = Viewport(side, side, min(x, wide - 1))
    found = pasted(Mosaic(wide, high, size, size), wanted, smooth).astype(int)
    expected = viewports.apply(smooth, wanted).astype(int)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 4


def test_where_there_is_no_tile() -> None:
    region, factor = mosaic.plan(WHOLE, None)
    assert mosaic.canvas(region, factor, 3, {}).pixels.min() == 255
    assert mosaic.canvas(region, factor, 1, {}).pixels.max() == 0
    black = mosaic.canvas(region, factor, 3, {"00480015": element(0, 32896, 32896)})
    assert black.pixels.max() == 0


HUGE = Mosaic(200_000, 100_000, 256, 256)


def test_huge_slides() -> None:
    region, factor = mosaic.plan(HUGE, Viewport(512, 512, 100_000, 50_000, 1024, 1024))
    assert factor == 2
    assert HUGE.tiles(region)[0] == Tile(50_000 // 256 * 782 + 100_000 // 256 + 1, 99_840, 49_920)
    with pytest.raises(BadRequest, match="tiles"):
        mosaic.plan(HUGE, Viewport(256, 256))
    with pytest.raises(PayloadTooLarge, match="viewport"):
        mosaic.plan(HUGE, None)


def test_memory_goes_with_the_result() -> None:
    wide = Mosaic(256 * 60, 256 * 60, 256, 256)
    assert wide.count(mosaic.plan(wide, Viewport(100, 100))[0]) <= MOST_TILES
    region, factor = mosaic.plan(wide, Viewport(100, 100))
    assert factor == 128
    assert mosaic.canvas(region, factor, 3, {}).pixels.size < 200_000
    with pytest.raises(BadRequest, match="pixels"):  # tiles of odd size can not be reduced one by one
        mosaic.plan(Mosaic(257 * 60, 257 * 60, 257, 257), Viewport(100, 100))


@given(st.integers(-50, 50), st.integers(-50, 50), st.sampled_from([1, 2, 4]))
def test_tiles_anywhere_stay_within_the_canvas(left: int, upper: int, factor: int) -> None:
    region, _ = mosaic.plan(WHOLE, None)
    canvas = mosaic.canvas(region, factor, 1, {})
    mosaic.paste(canvas, WHOLE, Tile(1, left, upper), np.full((10, 10), 9, np.uint8))
