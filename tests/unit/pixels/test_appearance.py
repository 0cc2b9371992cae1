"""What a data set says about the look of its frames: functional groups, the first VOI, padding, palettes."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from skiagraph.pixels.appearance import LABEL_MAP_SEGMENTATION, Appearance, Modality, bulk_uris, macro, of_frame
from skiagraph.pixels.image import ImageParams
from skiagraph.pixels.window import full_range
from skiagraph.standard.rendering import VoiFunction, Window


def element(*values: Any) -> dict[str, Any]:
    return {"vr": "XX", "Value": list(values)}


def found(attributes: dict[str, Any], frame: int = 1, bulk: dict[str, bytes] | None = None, **image: Any) -> Appearance:
    return of_frame(attributes, ImageParams(1, 1, **image), frame, bulk or {})


BYTE = {"bits_allocated": 8, "bits_stored": 8, "high_bit": 7}
WINDOW = {"00281050": element(40), "00281051": element(400)}
RESCALE = {"00281053": element(2), "00281052": element(-1024)}
VOI_ITEM = {"00283002": element(2, 0, 8), "00283006": element(0, 255)}


@pytest.mark.parametrize(
    ("attributes", "image", "voi"),
    [
        pytest.param({}, {}, None, id="16 bits: least to greatest"),
        pytest.param({}, BYTE, full_range(0, 255), id="8 bits: the whole range"),
        pytest.param({}, {"bits_allocated": 1, "bits_stored": 1}, full_range(0, 1), id="1 bit: black and white"),
        pytest.param({}, BYTE | {"pixel_representation": 1}, None, id="8 bits, signed"),
        pytest.param(RESCALE, BYTE, None, id="8 bits, rescaled"),
        pytest.param({"0062000E": element(100)}, BYTE, full_range(0, 100), id="Maximum Fractional Value"),
        pytest.param(WINDOW, {}, Window(40, 400), id="window"),
        pytest.param(
            WINDOW | {"00283010": element(VOI_ITEM)}, {}, Window(40, 400), id="a window goes before a VOI LUT"
        ),
    ],
)
def test_the_voi(attributes: dict[str, Any], image: dict[str, Any], voi: Any) -> None:
    assert found(attributes, **image).voi == voi


def test_voi_lut() -> None:
    voi = found({"00283010": element({}, VOI_ITEM)}).voi
    assert voi is not None
    assert not isinstance(voi, Window)
    assert voi.values.tolist() == [0, 255]


@pytest.mark.parametrize(
    ("attributes", "image", "first"),
    [
        pytest.param({}, {}, 65535, id="unsigned pixels"),
        pytest.param({}, {"pixel_representation": 1}, -1, id="signed pixels"),
        pytest.param({"00281052": element(-1024)}, {}, -1, id="modality values below 0"),
    ],
)
def test_the_sign_of_the_first_value_of_a_voi_lut(
    attributes: dict[str, Any], image: dict[str, Any], first: int
) -> None:
    """C.11.2.1.1: it has the sign that the input of the VOI LUT has."""
    item = VOI_ITEM | {"00283002": element(2, 65535, 8)}
    voi = found(attributes | {"00283010": element(item)}, **image).voi
    assert voi is not None
    assert not isinstance(voi, Window)
    assert voi.first == first


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        pytest.param({}, Modality(), id="none"),
        pytest.param(RESCALE, Modality(2.0, -1024.0), id="rescale"),
        pytest.param({"00281053": element(0), "00281052": element(5)}, Modality(1.0, 5.0), id="slope 0 is none"),
        pytest.param({"00281053": element("0.5")}, Modality(0.5), id="slope alone"),
        pytest.param({"00281053": element("x")}, Modality(), id="no number"),
    ],
)
def test_the_modality_transformation(attributes: dict[str, Any], expected: Modality) -> None:
    assert found(attributes).modality == expected


def test_modality_lut() -> None:
    modality = found({"00283000": element(VOI_ITEM)}).modality
    assert modality.lut is not None
    assert modality.lut.values.tolist() == [0, 255]


GROUPS = {
    "52009229": element(
        {"00289145": element({"00281053": element(3), "00281052": element(1)}), "00289132": element(WINDOW)}
    ),
    "52009230": element(
        {"00289132": element({"00281050": element(1), "00281051": element(10), "00281056": element("SIGMOID")})},
        {"00289145": element({"00281053": element(7), "00281052": element(0)})},
        {},
    ),
}


@pytest.mark.parametrize(
    ("frame", "modality", "voi"),
    [
        pytest.param(1, Modality(3, 1), Window(1, 10, VoiFunction.SIGMOID), id="VOI of the frame"),
        pytest.param(2, Modality(7, 0), Window(40, 400), id="modality of the frame"),
        pytest.param(3, Modality(3, 1), Window(40, 400), id="what all frames share"),
        pytest.param(9, Modality(3, 1), Window(40, 400), id="frame without Item"),
    ],
)
def test_functional_groups(frame: int, modality: Modality, voi: Window) -> None:
    """C.7.6.16.2.9, .10: the frame's own macro, else the shared one, goes before the attributes of the image."""
    look = found(GROUPS | {"00281050": element(0), "00281051": element(1)}, frame)
    assert look.modality == modality
    assert look.voi == voi


def test_macro() -> None:
    assert macro(GROUPS, 2, "00289145")["00281053"] == element(7)
    assert macro(GROUPS, 1, "00209113") == {}
    assert macro({"52009230": element(None)}, 1, "00289145") == {}


@pytest.mark.parametrize(
    ("attributes", "image", "padding"),
    [
        pytest.param({}, {}, None, id="none"),
        pytest.param({"00280120": element(-2000)}, {"pixel_representation": 1}, (-2000, -2000), id="value"),
        pytest.param({"00280120": element(63536)}, {"pixel_representation": 1}, (-2000, -2000), id="SS written as US"),
        pytest.param({"00280120": element(-1)}, {}, (65535, 65535), id="US written as SS"),
        pytest.param({"00280120": element(9), "00280121": element(5)}, {}, (5, 9), id="range, either way round"),
        pytest.param({"00280120": element(0)}, {"samples_per_pixel": 3}, None, id="not for colour"),
        pytest.param({"00280120": element("x")}, {}, None, id="no number"),
    ],
)
def test_padding(attributes: dict[str, Any], image: dict[str, Any], padding: Any) -> None:
    assert found(attributes, **image).padding == padding


@pytest.mark.parametrize(
    ("photometric", "shape", "inverse"),
    [
        ("MONOCHROME2", None, False),
        ("MONOCHROME1", None, True),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", "INVERSE", True),
        ("MONOCHROME2", "IDENTITY", False),
    ],
)
def test_polarity(photometric: str, shape: str | None, inverse: bool) -> None:
    """MONOCHROME1 and Presentation LUT Shape INVERSE say the same thing (C.8.11.3): both do not cancel out."""
    attributes = {"20500020": element(shape)} if shape else {}
    assert found(attributes, photometric_interpretation=photometric).inverse is inverse


def palette() -> dict[str, Any]:
    data = base64.b64encode(np.array([0, 65535], "<u2").tobytes()).decode()
    return {f"0028110{number}": element(2, 100, 16) for number in (1, 2, 3)} | {
        f"0028120{number}": {"vr": "OW", "InlineBinary": data} for number in (1, 2, 3)
    }


@pytest.mark.parametrize(
    ("photometric", "presentation", "has_palette", "supplemental"),
    [
        ("PALETTE COLOR", None, True, False),
        ("MONOCHROME2", "COLOR", True, True),
        ("MONOCHROME2", "MIXED", True, True),
        ("MONOCHROME2", "MONOCHROME", False, False),
        ("MONOCHROME2", None, False, False),
    ],
)
def test_palettes(photometric: str, presentation: str | None, has_palette: bool, supplemental: bool) -> None:
    attributes = palette() | ({"00089205": element(presentation)} if presentation else {})
    look = found(attributes, photometric_interpretation=photometric)
    assert (look.palette is not None, look.supplemental) == (has_palette, supplemental)


def test_labels() -> None:
    segments = element(
        {"00620004": element(1), "0062000D": element(65535, 32896, 32896)},
        {"00620004": element(2)},
        {"00620004": element("x"), "0062000D": element(1, 2, 3)},
    )
    attributes = {"00080016": element(LABEL_MAP_SEGMENTATION), "00620002": segments}
    assert found(attributes).labels == ((1, (255, 255, 255)),)
    assert found({"00620002": segments}).labels is None


def test_bulk_uris_are_those_of_tables() -> None:
    bulk = {"vr": "OW", "BulkDataURI": "bulkdata/x"}
    attributes = {
        "00281201": bulk,
        "00283010": element({"00283006": bulk | {"BulkDataURI": "bulkdata/voi"}}),
        "52009230": element(
            {"00289132": element({"00283010": element({"00283006": bulk | {"BulkDataURI": "bulkdata/frame"}})})},
            {"00289132": element({"00283010": element({"00283006": bulk | {"BulkDataURI": "bulkdata/other"}})})},
        ),
        "7FE00010": bulk | {"BulkDataURI": "pixeldata"},
        "00420011": bulk | {"BulkDataURI": "bulkdata/document"},
    }
    assert bulk_uris(attributes, 1) == ["bulkdata/x", "bulkdata/voi", "bulkdata/frame"]


def test_a_given_window_goes_before_all() -> None:
    look = found(WINDOW)
    assert look.with_window(None) is look
    assert look.with_window(Window(1, 2)).voi == Window(1, 2)
