"""Source region, flips and scaling: PS3.18 §8.3.5.1.3."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.errors import BadRequest, PayloadTooLarge
from skiagraph.pixels.viewport import LARGEST_PICTURE, Fit, apply, fit
from skiagraph.standard.rendering import Viewport


@pytest.mark.parametrize(
    ("columns", "rows", "viewport", "expected"),
    [
        pytest.param(512, 256, None, Fit(0, 0, 512, 256, 512, 256), id="none: the matrix of the source"),
        pytest.param(512, 512, Viewport(256, 256), Fit(0, 0, 512, 512, 256, 256), id="reduced"),
        pytest.param(100, 50, Viewport(400, 400), Fit(0, 0, 100, 50, 400, 200), id="enlarged, never stretched"),
        pytest.param(50, 100, Viewport(400, 400), Fit(0, 0, 50, 100, 200, 400), id="the other side limits"),
        pytest.param(512, 512, Viewport(100, 50), Fit(0, 0, 512, 512, 50, 50), id="fits into both"),
        pytest.param(1000, 1, Viewport(10, 10), Fit(0, 0, 1000, 1, 10, 1), id="at least one pixel"),
        pytest.param(
            512, 512, Viewport(100, 100, 256, 128, 256, 128), Fit(256, 128, 512, 256, 100, 50), id="region, then scaled"
        ),
        pytest.param(512, 512, Viewport(64, 64, 256), Fit(256, 0, 512, 512, 32, 64), id="up to the right edge"),
        pytest.param(
            512, 512, Viewport(64, 64, 500, 500, 100, 100), Fit(500, 500, 512, 512, 64, 64), id="clamped to the image"
        ),
        pytest.param(10, 10, Viewport(6, 6, 0.5, 0.5, 3, 3), Fit(0.5, 0.5, 3.5, 3.5, 6, 6), id="fractions of pixels"),
    ],
)
def test_fit(columns: int, rows: int, viewport: Viewport | None, expected: Fit) -> None:
    assert fit(columns, rows, viewport) == expected


@pytest.mark.parametrize("viewport", [Viewport(10, 10, 512), Viewport(10, 10, 0, 512), Viewport(10, 10, 600, 0, 5, 5)])
def test_a_region_outside_the_image_is_refused(viewport: Viewport) -> None:
    with pytest.raises(BadRequest, match="512 × 512"):
        fit(512, 512, viewport)


def test_results_are_bounded() -> None:
    fit(1000, 1000, Viewport(8192, 8192))
    with pytest.raises(BadRequest, match=str(LARGEST_PICTURE)):
        fit(1000, 1000, Viewport(8193, 8193))
    with pytest.raises(PayloadTooLarge):
        fit(65535, 65535, None)
    # What counts is the result, not the viewport
    assert fit(1000, 1, Viewport(32768, 32768)).height == 33


@given(
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.integers(1, 4000),
    st.integers(1, 4000),
    st.floats(0, 2000),
    st.floats(0.1, 4000),
)
def test_the_result_touches_one_side_and_exceeds_none(
    columns: int, rows: int, width: int, height: int, x: float, region: float
) -> None:
    try:
        found = fit(columns, rows, Viewport(width, height, x, 0.0, region, region))
    except BadRequest:
        return
    assert 1 <= found.width <= width
    assert 1 <= found.height <= height
    assert found.width == width or found.height == height
    assert 0 <= found.left < found.right <= columns
    # The aspect ratio is kept as far as whole pixels let it
    across, down = found.width / (found.right - found.left), found.height / (found.lower - found.upper)
    slack = 1 / (found.right - found.left) + 1 / (found.lower - found.upper)
    assert abs(across - down) <= slack


PICTURE = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


@pytest.mark.parametrize(
    ("viewport", "expected"),
    [
        pytest.param(None, PICTURE, id="none"),
        pytest.param(Viewport(4, 3), PICTURE, id="same size"),
        pytest.param(Viewport(2, 2, 1, 1, 2, 2), PICTURE[1:3, 1:3], id="region"),
        pytest.param(Viewport(4, 3, flip_horizontally=True), PICTURE[:, ::-1], id="flipped horizontally"),
        pytest.param(Viewport(4, 3, flip_vertically=True), PICTURE[::-1], id="flipped vertically"),
        pytest.param(
            Viewport(2, 2, 0, 0, 2, 2, flip_horizontally=True, flip_vertically=True),
            PICTURE[1::-1, 1::-1],
            id="region, then both flips",
        ),
    ],
)
def test_apply_without_scaling(viewport: Viewport | None, expected: np.ndarray) -> None:  # type: ignore[type-arg]
    assert apply(PICTURE, viewport).tolist() == expected.tolist()


def test_scaling_keeps_the_mean_and_the_ends() -> None:
    generator = np.random.default_rng(1)
    noise = generator.integers(0, 256, (256, 256), dtype=np.uint8)
    small = apply(noise, Viewport(16, 16))
    assert small.shape == (16, 16)
    assert abs(float(small.mean()) - float(noise.mean())) < 3, "every pixel of the source counts: no aliasing"
    assert small.std() < noise.std() / 4
    white = np.full((10, 10), 255, np.uint8)
    assert apply(white, Viewport(37, 37)).min() == 255


def test_rough_scaling_takes_the_mean_of_whole_squares() -> None:
    """A checkerboard of single pixels becomes gray, and one of squares keeps its fields."""
    y, x = np.mgrid[0:64, 0:64]
    single, squares = ((y + x) % 2 * 254).astype(np.uint8), ((y // 8 + x // 8) % 2 * 254).astype(np.uint8)
    shown = apply(single, Viewport(32, 32), rough=True)
    assert shown.shape == (32, 32)
    assert (shown == 127).all()
    assert (apply(squares, Viewport(32, 32), rough=True) == squares[::2, ::2]).all()


def test_colour_and_fractional_regions() -> None:
    colour = np.zeros((10, 10, 3), np.uint8)
    colour[:, 5:] = (200, 100, 50)
    half = apply(colour, Viewport(20, 20, 5.25, 0, 4.5, 4.5))
    assert half.shape == (20, 20, 3)
    assert half[10, 10].tolist() == [200, 100, 50]
    mirrored = apply(colour, Viewport(20, 20, 2.5, 0, 5, 5, flip_horizontally=True))
    assert mirrored[10, 2].tolist() == [200, 100, 50]
    assert mirrored[10, 18].tolist() == [0, 0, 0]
