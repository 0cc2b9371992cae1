"""The grayscale and pseudo-colour transformations of PS3.4 N.2, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from skiagraph.pixels.appearance import Modality
from skiagraph.pixels.image import ImageParams
from skiagraph.pixels.lut import Lut
from skiagraph.pixels.presentation import tones
from skiagraph.pixels.presentation.tones import Tones
from skiagraph.standard.rendering import Window


def table(*values: int, bits: int = 8, first: int = 0) -> Lut:
    return Lut(first, np.array(values, np.uint16).tobytes(), bits)


def image(pixels: NDArray[Any], stored: int, photometric: str = "MONOCHROME2") -> ImageParams:
    signed = int(pixels.dtype.kind == "i")
    allocated = pixels.dtype.itemsize * 8
    return ImageParams(1, len(pixels), 1, allocated, stored, stored - 1, signed, photometric)


def shown(values: list[float], look: Tones, dtype: str = "u1", stored: int = 8, **more: Any) -> list[Any]:
    pixels = np.array(values, dtype)
    found: list[Any] = tones.apply(pixels[None], image(pixels, stored, **more), look)[0].tolist()
    return found


REVERSED = table(*range(255, -1, -1))
RED, GREEN, BLUE = table(0, 255), table(0, 128), table(255, 0)


@pytest.mark.parametrize(
    ("values", "look", "more", "expected"),
    [
        pytest.param([0, 100, 255], Tones(), {}, [0, 100, 255], id="nothing said is the identity"),
        pytest.param(
            [0, 255], Tones(), {"photometric": "MONOCHROME1"}, [0, 255], id="polarity of the image counts not"
        ),
        pytest.param([0, 255], Tones(inverse=True), {}, [255, 0], id="INVERSE"),
        pytest.param([0, 2048, 4095], Tones(), {"dtype": "u2", "stored": 12}, [0, 128, 255], id="by the bits stored"),
        pytest.param([-128, 127], Tones(), {"dtype": "i1"}, [0, 255], id="signed"),
        pytest.param([0, 255], Tones(Modality(-1.0, 0.0)), {}, [255, 0], id="negative slope"),
        pytest.param([0, 50, 100], Tones(Modality(2.0, -50), Window(50, 101)), {}, [0, 129, 255], id="rescale, window"),
        pytest.param([0, 10], Tones(Modality(lut=REVERSED)), {}, [255, 245], id="modality LUT"),
        pytest.param([0, 1, 9], Tones(voi=table(10, 20, 30)), {}, [10, 20, 30], id="VOI LUT"),
        pytest.param([0, 10], Tones(presentation=REVERSED), {}, [255, 245], id="presentation LUT"),
        pytest.param(
            [0, 128, 255],
            Tones(presentation=table(0, 0xFFFF, bits=16)),
            {},
            [0, 255, 255],
            id="whole range of its input",
        ),
        pytest.param([1.0, 2.0, 3.0, np.nan], Tones(), {"dtype": "f4", "stored": 32}, [0, 128, 255, 0], id="floats"),
        pytest.param([np.nan], Tones(), {"dtype": "f4", "stored": 32}, [0], id="no numbers at all"),
        pytest.param([0, 2**32 - 1], Tones(), {"dtype": "u4", "stored": 32}, [0, 255], id="32 bits"),
        pytest.param([0, 255], Tones(palette=(RED, GREEN, BLUE)), {}, [[0, 0, 255], [255, 128, 0]], id="pseudo-colour"),
    ],
)
def test_each_step(values: list[float], look: Tones, more: dict[str, Any], expected: list[Any]) -> None:
    assert shown(values, look, **more) == expected


def test_all_steps_in_their_order() -> None:
    look = Tones(
        Modality(lut=table(3, 2, 1, 0)), table(0, 10, 20, 255, bits=8), presentation=table(*[7] * 128, *range(128, 256))
    )
    assert shown([0, 1, 2, 3], look) == [255, 7, 7, 7]


def test_sign_and_table_agree() -> None:
    """Integers go through a table, others through the formulas."""
    look = Tones(Modality(1.5, -300.0), Window(20, 400), inverse=True)
    values = [-1024.0, -200, -1, 0, 1, 200, 1023]
    assert shown(values, look, "i2", 12) == shown(values, look, "i4", 12)
