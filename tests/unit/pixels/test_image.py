"""The Image Pixel Module as a value: PS3.3 C.7.6.3, and what archives are full of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.values import Attributes


def attributes(**changes: Any) -> Attributes:
    """A 16-bit image; None leaves an attribute out."""
    tags = {
        "samples": "00280002",
        "photometric": "00280004",
        "planar": "00280006",
        "frames": "00280008",
        "rows": "00280010",
        "columns": "00280011",
        "allocated": "00280100",
        "stored": "00280101",
        "high": "00280102",
        "signed": "00280103",
        "float": "7FE00008",
        "double": "7FE00009",
    }
    values = {"samples": 1, "photometric": "MONOCHROME2", "rows": 3, "columns": 5, "allocated": 16, "stored": 12}
    values |= {"high": 11, "signed": 0} | changes
    return {tags[name]: {"vr": "US", "Value": [value]} for name, value in values.items() if value is not None}


def test_as_written() -> None:
    image = ImageParams.from_attributes(attributes(frames=7, photometric=" monochrome1 "))
    assert image == ImageParams(3, 5, 1, 16, 12, 11, 0, "MONOCHROME1", 0, 7)
    assert (image.shape, image.cells, image.frame_bytes, image.decoded_bytes) == ((3, 5), 15, 30, 30)
    colour = ImageParams.from_attributes(
        attributes(samples=3, photometric="RGB", planar=1, allocated=8, stored=8, high=7)
    )
    assert (colour.shape, colour.planar_configuration, colour.frame_bytes) == ((3, 5, 3), 1, 45)


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        pytest.param({"stored": None, "high": None}, "bits_stored", 16, id="no Bits Stored"),
        pytest.param({"high": None}, "high_bit", 11, id="no High Bit"),
        pytest.param({"high": 3}, "high_bit", 11, id="High Bit below the bits stored"),
        pytest.param({"high": 40}, "high_bit", 11, id="High Bit beyond the cell"),
        pytest.param({"high": 15}, "high_bit", 15, id="at the upper end of the cell"),
        pytest.param({"stored": 20}, "bits_stored", 16, id="more stored than allocated"),
        pytest.param({"signed": None}, "pixel_representation", 0, id="no Pixel Representation"),
        pytest.param({"samples": None}, "samples_per_pixel", 1, id="no Samples per Pixel"),
        pytest.param({"photometric": None}, "photometric_interpretation", "MONOCHROME2", id="no interpretation"),
        pytest.param(
            {"photometric": None, "samples": 3}, "photometric_interpretation", "RGB", id="none with three samples"
        ),
        pytest.param({"planar": 1}, "planar_configuration", 0, id="planes of one sample"),
        pytest.param({"frames": "x"}, "number_of_frames", 1, id="frames that are no number"),
        pytest.param({"frames": 0}, "number_of_frames", 1, id="no frames"),
    ],
)
def test_what_can_be_told_from_the_rest(changes: dict[str, Any], field: str, value: object) -> None:
    assert getattr(ImageParams.from_attributes(attributes(**changes)), field) == value


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"rows": None}, r"Rows \(0028,0010\) is missing", id="no rows"),
        pytest.param({"columns": 0}, r"Columns \(0028,0011\) is 0", id="no columns"),
        pytest.param({"rows": 70000}, "1 to 65535", id="too many rows"),
        pytest.param({"allocated": None}, r"Bits Allocated \(0028,0100\)", id="no Bits Allocated"),
        pytest.param({"allocated": 128}, "128", id="too many bits"),
        pytest.param({"rows": "512"}, "not a number", id="text"),
    ],
)
def test_what_can_not_be_understood(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadPixels, match=says):
        ImageParams.from_attributes(attributes(**changes))


@pytest.mark.parametrize(
    ("changes", "dtype"),
    [
        ({"allocated": 1, "stored": 1}, "u1"),
        ({"allocated": 1, "stored": 1, "signed": 1}, "u1"),
        ({"allocated": 8, "stored": 8}, "u1"),
        ({"allocated": 8, "stored": 8, "signed": 1}, "i1"),
        ({"allocated": 12}, "u2"),
        ({"signed": 1}, "i2"),
        ({"allocated": 32, "stored": 32}, "u4"),
        ({"allocated": 64, "stored": 64}, "u8"),
        ({"float": "", "allocated": None}, "f4"),
        ({"double": "", "allocated": 64}, "f8"),
    ],
    ids=str,
)
def test_cells(changes: dict[str, Any], dtype: str) -> None:
    image = ImageParams.from_attributes(attributes(**changes))
    assert image.dtype == np.dtype(dtype)
    assert image.is_float is (dtype[0] == "f")


@pytest.mark.parametrize("nothing", [{}, {"00280010": None}, {"00280010": {"vr": "US"}}, {"00280010": {"Value": []}}])
def test_empty_data_sets(nothing: Attributes) -> None:
    with pytest.raises(BadPixels):
        ImageParams.from_attributes(nothing)
