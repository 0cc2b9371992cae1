"""A frame from its bytes to a picture; and that hostile data sets give our own errors, never others."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skiagraph.errors import BadRequest
from skiagraph.pixels import icc, picture, rendition
from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.pixels.picture import GIF, JPEG, JXL, PNG
from skiagraph.pixels.rendition import Rendition, Subject
from skiagraph.standard.rendering import Annotation, IccProfile, Viewport, Window

NATIVE, BASELINE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"


def element(*values: Any) -> dict[str, Any]:
    return {"vr": "XX", "Value": list(values)}


def subject(
    attributes: dict[str, Any], image: ImageParams, frame: int = 1, syntax: str = NATIVE, **bulk: bytes
) -> Subject:
    return Subject(attributes, image, syntax, frame, bulk)


GRAY = ImageParams(2, 2, bits_allocated=8, bits_stored=8, high_bit=7)
RGB = ImageParams(2, 2, 3, 8, 8, 7, photometric_interpretation="RGB")
PROFILE = icc.profile(IccProfile.ROMM_RGB)


def test_the_whole_way() -> None:
    data = np.array([0, 100, 200, 300], "<u2").tobytes()
    attributes = {"00281053": element(2), "00281052": element(-100)}
    wanted = Rendition(PNG, Window(100, 201), Viewport(4, 4, flip_horizontally=True))
    found = rendition.encoded(data, subject(attributes, ImageParams(2, 2)), wanted)
    pixels = np.asarray(Image.open(io.BytesIO(found)))
    assert pixels.shape == (4, 4)
    assert pixels[0, 0] > pixels[0, 3]


def test_shutter_and_overlays_are_those_of_the_frame() -> None:
    image = ImageParams(2, 2, bits_stored=12, high_bit=11, number_of_frames=2)
    shutter = {"00181600": element("RECTANGULAR"), "00181602": element(1), "00181604": element(1)}
    shutter |= {"00181606": element(1), "00181608": element(2)}
    attributes = {
        "60000010": element(2),
        "60000011": element(2),
        "60000040": element("G"),
        "60000102": element(15),
        "52009230": element({}, {"00189472": element(shutter)}),
    }
    cells = np.array([[0x8001, 0x0002], [0x0003, 0x0004]], "<u2").tobytes()
    first, _ = rendition.drawn(cells, subject(attributes, image, 1), Rendition())
    second, _ = rendition.drawn(cells, subject(attributes, image, 2), Rendition())
    hidden, _ = rendition.drawn(cells, subject(attributes, image, 1), Rendition(overlays=False))
    assert first.tolist() == [[255, 85], [170, 255]]
    assert second.tolist() == [[255, 0], [170, 0]]
    assert hidden.tolist() == [[0, 85], [170, 255]]


@pytest.mark.parametrize(
    ("media_type", "profile", "allowed"),
    [
        (GIF, None, True),
        (GIF, IccProfile.NO, True),
        *((GIF, profile, False) for profile in IccProfile if profile is not IccProfile.NO),
        *((JPEG, profile, True) for profile in IccProfile),
        (JXL, IccProfile.YES, True),
        (JXL, IccProfile.SRGB, True),
        (JXL, IccProfile.ADOBE_RGB, False),
        (JXL, IccProfile.DISPLAY_P3, False),
    ],
)
def test_media_types_without_profiles(media_type: str, profile: IccProfile | None, allowed: bool) -> None:
    """§8.3.5.1.5: a type that can not embed, and a value other than ``no``, is 400."""
    if allowed:
        Rendition(media_type, icc_profile=profile)
    else:
        with pytest.raises(BadRequest, match="iccprofile"):
            Rendition(media_type, icc_profile=profile)


PIXEL = bytes([200, 100, 50] * 4)
OWN = {"00282000": {"vr": "OB", "InlineBinary": base64.b64encode(PROFILE).decode()}}


def shown(attributes: dict[str, Any], profile: IccProfile | None) -> Any:
    found, embedded = rendition.drawn(PIXEL, subject(attributes, RGB), Rendition(icc_profile=profile))
    return tuple(found[0, 0].tolist()), embedded


IN_SRGB = tuple(icc.convert(np.array([[[200, 100, 50]]], np.uint8), PROFILE, IccProfile.SRGB)[0, 0].tolist())


@pytest.mark.parametrize(
    ("attributes", "asked", "colour", "profile"),
    [
        pytest.param({}, None, (200, 100, 50), None, id="untagged is sRGB"),
        pytest.param({}, IccProfile.YES, (200, 100, 50), icc.profile(IccProfile.SRGB), id="yes, untagged"),
        pytest.param(OWN, None, IN_SRGB, None, id="tagged, nothing said: sRGB"),
        pytest.param(OWN, IccProfile.NO, IN_SRGB, None, id="tagged, no"),
        pytest.param(OWN, IccProfile.YES, (200, 100, 50), PROFILE, id="tagged, yes: its own"),
        pytest.param(OWN, IccProfile.SRGB, IN_SRGB, icc.profile(IccProfile.SRGB), id="tagged, srgb"),
        pytest.param(OWN, IccProfile.ROMM_RGB, (200, 100, 50), PROFILE, id="tagged, the same space"),
    ],
)
def test_colour_spaces(attributes: dict[str, Any], asked: Any, colour: Any, profile: bytes | None) -> None:
    found, embedded = shown(attributes, asked)
    assert found == pytest.approx(colour, abs=1)
    assert embedded == profile


def test_profiles_of_optical_paths() -> None:
    """C.8.12.5: each optical path has a profile; a frame names its path."""
    other = base64.b64encode(icc.profile(IccProfile.ADOBE_RGB)).decode()
    paths = element(
        {"00480106": element("1"), "00282000": {"vr": "OB", "InlineBinary": other}}, {"00480106": element("2")} | OWN
    )
    groups = element({"00480207": element({"00480106": element("2")})}, {})
    attributes = {"00480105": paths, "52009230": groups}
    assert shown(attributes, IccProfile.YES)[1] == PROFILE
    found, embedded = rendition.drawn(
        PIXEL, Subject(attributes, RGB, NATIVE, 2, {}), Rendition(icc_profile=IccProfile.YES)
    )
    assert embedded == icc.profile(IccProfile.ADOBE_RGB)
    assert found.shape == (2, 2, 3)


def test_the_profile_in_the_code_stream() -> None:
    pixels = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    image = ImageParams(16, 16, 3, 8, 8, 7, photometric_interpretation="YBR_FULL_422")
    for profile in (PROFILE, PROFILE + bytes(200_000)):
        stream = picture.encode(pixels, JPEG, profile=profile)
        _, embedded = rendition.drawn(
            stream, Subject({}, image, BASELINE, 1, {}), Rendition(icc_profile=IccProfile.YES)
        )
        assert embedded == profile
    broken = picture.encode(pixels, JPEG, profile=PROFILE).replace(b"ICC_PROFILE\0\1\1", b"ICC_PROFILE\0\1\2")
    _, embedded = rendition.drawn(broken, Subject({}, image, BASELINE, 1, {}), Rendition(icc_profile=IccProfile.YES))
    assert embedded == icc.profile(IccProfile.SRGB), "half a profile is none"


def test_bulk_uris() -> None:
    bulk = {"vr": "OB", "BulkDataURI": "bulkdata/profile"}
    path = {"00282000": bulk | {"BulkDataURI": "bulkdata/path"}}
    overlay = {"60000010": element(2), "60000011": element(2), "60003000": bulk | {"BulkDataURI": "bulkdata/overlay"}}
    attributes = {"00282000": bulk, "00480105": element(path)} | overlay
    assert rendition.bulk_uris(attributes, RGB, 1, overlays=True) == [
        "bulkdata/profile",
        "bulkdata/path",
        "bulkdata/overlay",
    ]
    assert rendition.bulk_uris(attributes, GRAY, 1, overlays=True) == ["bulkdata/overlay"]
    assert rendition.bulk_uris(attributes, GRAY, 1, overlays=False) == []


def test_a_viewport_outside_the_image_costs_no_decoding() -> None:
    with pytest.raises(BadRequest):
        rendition.drawn(b"", subject({}, GRAY), Rendition(viewport=Viewport(5, 5, 9)))


# Hostile data sets

WORDS = ("", "x", "1e999", "NaN", "RECTANGULAR", "POLYGONAL", "CIRCULAR", "COLOR", "MIXED", "INVERSE", "R")
SEQUENCES = ("00283000", "00283010", "00289132", "00289145", "00189472", "52009229", "52009230", "00480105")
VALUES = st.one_of(
    st.integers(-(2**33), 2**33),
    st.integers(-3, 20),
    st.floats(),
    st.sampled_from(WORDS),
    st.none(),
)
TAGS = [
    "00089205",
    "00181600",
    "00181602",
    "00181604",
    "00181606",
    "00181608",
    "00181610",
    "00181612",
    "00181620",
    "00181622",
    "00181624",
    "00280120",
    "00280121",
    "00281050",
    "00281051",
    "00281052",
    "00281053",
    "00281056",
    "00281101",
    "00281102",
    "00281103",
    "00281201",
    "00281202",
    "00281203",
    "00281221",
    "00283002",
    "00283006",
    "00480105",
    "00480106",
    "20500020",
    "60000010",
    "60000011",
    "60000015",
    "60000040",
    "60000050",
    "60000051",
    "60000102",
    "60003000",
    "00620002",
    "0062000D",
    "0062000E",
    "00620004",
    "00080016",
    "00100010",
    "00100020",
    "00080020",
    "00200032",
    "00200013",
    "00282000",
]
ELEMENTS = st.one_of(
    st.builds(lambda values: {"vr": "XX", "Value": values}, st.lists(VALUES, max_size=6)),
    st.builds(lambda raw: {"vr": "OW", "InlineBinary": base64.b64encode(raw).decode()}, st.binary(max_size=40)),
    st.just({"vr": "OW", "BulkDataURI": "bulkdata/x"}),
    st.just({"vr": "OW"}),
)
FLAT = st.dictionaries(st.sampled_from(TAGS), ELEMENTS, max_size=12)
NESTED = st.builds(
    lambda top, sequences: top | {tag: {"vr": "SQ", "Value": found} for tag, found in sequences.items()},
    FLAT,
    st.dictionaries(
        st.sampled_from(SEQUENCES),
        st.lists(FLAT | st.none(), max_size=3),
        max_size=4,
    ),
)
IMAGES = st.sampled_from(
    [
        GRAY,
        RGB,
        ImageParams(2, 2),
        ImageParams(2, 2, 1, 16, 12, 11, 1, "MONOCHROME1"),
        ImageParams(2, 2, 1, 8, 8, 7, photometric_interpretation="PALETTE COLOR"),
        ImageParams(2, 2, 1, 32, 32, 31),
        ImageParams(2, 2, 1, 1, 1, 0),
        ImageParams(2, 2, 1, 64, 64, 63, pixel_representation=1, pixel_tag="7FE00009"),
        ImageParams(2, 2, 3, 16, 16, 15, photometric_interpretation="YBR_FULL"),
        ImageParams(2, 2, 1, 16, 16, 15, photometric_interpretation="WHATEVER"),
    ]
)


@settings(max_examples=400)
@given(NESTED, IMAGES, st.binary(min_size=32, max_size=32), st.integers(1, 3))
def test_hostile_data_sets(attributes: dict[str, Any], image: ImageParams, frame: bytes, number: int) -> None:
    wanted = Rendition(PNG, annotation=frozenset(Annotation))
    one = Subject(attributes, image, NATIVE, number, {"bulkdata/x": b"\xff\0" * 300})
    rendition.bulk_uris(attributes, image, number, overlays=True)
    try:
        found = rendition.encoded(frame, one, wanted)
    except BadPixels:
        return
    assert Image.open(io.BytesIO(found)).size == (2, 2)
