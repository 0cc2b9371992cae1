"""Icons: one drawing for each kind, the same bytes each time."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from skiagraph.pixels.picture import JPEG, MEDIA_TYPES, PNG
from skiagraph.services.icons import LARGEST_SIZE, Icon, encoded, side
from skiagraph.standard.rendering import Viewport


@pytest.mark.parametrize("icon", Icon)
def test_each_icon_is_a_drawing_of_its_own(icon: Icon) -> None:
    def pixels(which: Icon) -> np.ndarray:  # type: ignore[type-arg]
        return np.asarray(Image.open(io.BytesIO(encoded(which, "", 64, PNG)))).astype(int)

    drawn = pixels(icon)
    assert drawn.shape == (64, 64, 3)
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 3
    for other in Icon:
        if other is not icon:
            assert (pixels(other) != drawn).any()


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_all_media_types(media_type: str) -> None:
    assert len(encoded(Icon.REPORT, "SR", 32, media_type)) > 100


def test_labels_are_letters_and_digits_alone() -> None:
    """Modality is whatever somebody stored: no name fits into it, no strange sign is drawn."""
    assert encoded(Icon.OTHER, "S/R ☃", 64, JPEG) == encoded(Icon.OTHER, "SR", 64, JPEG)
    assert encoded(Icon.OTHER, "ABCDEFGHIJ", 64, JPEG) == encoded(Icon.OTHER, "ABCDEFGH", 64, JPEG)
    assert encoded(Icon.OTHER, "", 64, JPEG) != encoded(Icon.OTHER, "OT", 64, JPEG)


@pytest.mark.parametrize(
    ("viewport", "expected"),
    [(None, 256), (Viewport(100, 50), 50), (Viewport(1, 1), 1), (Viewport(30000, 30000), LARGEST_SIZE)],
)
def test_side(viewport: Viewport | None, expected: int) -> None:
    assert side(viewport) == expected
    assert Image.open(io.BytesIO(encoded(Icon.PLAN, "X", expected, PNG))).size == (expected, expected)
