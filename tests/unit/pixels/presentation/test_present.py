"""A frame as a presentation state shows it, step by step through the pipeline of PS3.4 N.2."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from skiagraph.errors import BadRequest, PayloadTooLarge
from skiagraph.pixels import elements, icc
from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.pixels.picture import GIF, JPEG, JXL, PNG
from skiagraph.pixels.presentation import present, state
from skiagraph.pixels.presentation.present import Target
from skiagraph.pixels.presentation.state import Kind
from skiagraph.pixels.rendition import Rendition, Subject
from skiagraph.standard.rendering import Annotation, IccProfile, Viewport

NATIVE = "1.2.840.10008.1.2.1"
GRAY = ImageParams(2, 3, bits_allocated=8, bits_stored=8, high_bit=7)
RGB = ImageParams(2, 3, 3, 8, 8, 7, photometric_interpretation="RGB")
PIXELS = bytes((0, 10, 20, 30, 40, 50))
COLOURS = bytes(range(18))
PROFILE = icc.profile(IccProfile.ADOBE_RGB)


def element(*values: Any) -> dict[str, Any]:
    return {"vr": "XX", "Value": list(values)}


def target(
    kind: Kind = Kind.GRAYSCALE,
    image: ImageParams = GRAY,
    of_image: dict[str, Any] | None = None,
    bulk: dict[str, bytes] | None = None,
    **of_state: Any,
) -> Target:
    attributes = {tag.removeprefix("t"): value for tag, value in of_state.items()}
    read = state.read({"00080016": element(kind.value), **attributes}, bulk or elements.NO_BULK)
    return Target(read, Subject(of_image or {}, image, NATIVE, 1, bulk or {}), "1.1")


def shown(found: Target, pixels: bytes = PIXELS, wanted: Rendition | None = None) -> list[Any]:
    picture, _ = present.drawn(pixels, found, wanted or Rendition(PNG))
    rows: list[Any] = picture.tolist()
    return rows


def test_the_transformations_of_the_image_are_not_applied() -> None:
    """Window, rescale, shutter, polarity, overlays of the image: those of the state alone (N.2)."""
    of_image = {
        "00281050": element(20),
        "00281051": element(2),
        "00281052": element(100),
        "00181600": element("RECTANGULAR"),
        **{tag: element(1) for tag in ("00181602", "00181604", "00181606", "00181608")},
        "60000010": element(2),
        "60000011": element(3),
        "60003000": {"vr": "OW", "InlineBinary": "/w=="},
        "20500020": element("INVERSE"),
    }
    image = ImageParams(2, 3, bits_allocated=8, bits_stored=8, high_bit=7, photometric_interpretation="MONOCHROME1")
    assert shown(target(image=image, of_image=of_image)) == [[0, 10, 20], [30, 40, 50]]


def test_colours_are_not_windowed() -> None:
    found = target(Kind.COLOR, RGB, t00281053=element(5))
    assert shown(found, COLOURS)[0][1] == [3, 4, 5]
    assert shown(target(Kind.GRAYSCALE, RGB), COLOURS)[0][1] == [3, 4, 5], (
        "colour in a grayscale state is shown as it is"
    )


def test_gray_in_a_colour_state_looks_as_it_does_by_itself() -> None:
    of_image = {"00281050": element(10), "00281051": element(1)}
    assert shown(target(Kind.COLOR, of_image=of_image)) == [[0, 255, 255], [255, 255, 255]]


def test_palette_of_the_image_in_a_colour_state() -> None:
    parts = {f"0028110{number}": element(2, 0, 8) for number in (1, 2, 3)}
    parts |= {f"0028120{number}": element(number, 10 * number) for number in (1, 2, 3)}
    image = ImageParams(1, 2, bits_allocated=8, bits_stored=8, high_bit=7, photometric_interpretation="PALETTE COLOR")
    assert shown(target(Kind.COLOR, image, parts), b"\0\1") == [[[1, 2, 3], [10, 20, 30]]]
    with pytest.raises(BadPixels):
        shown(target(Kind.COLOR, image), b"\0\1")


def shutter_of(shape: str, **more: Any) -> dict[str, Any]:
    return {"t00181600": element(shape), **more}


def test_shutter_of_the_state() -> None:
    edges = {f"t0018160{number}": element(value) for number, value in ((2, 2), (4, 3), (6, 1), (8, 1))}
    found = target(**shutter_of("RECTANGULAR", **edges, t00181622=element(65535)))
    assert shown(found) == [[255, 10, 20], [255, 255, 255]]


def test_the_shutter_turns_with_the_image() -> None:
    edges = {f"t0018160{number}": element(value) for number, value in ((2, 2), (4, 3), (6, 1), (8, 1))}
    found = target(**shutter_of("RECTANGULAR", **edges), t00700042=element(180))
    assert shown(found) == [[0, 0, 0], [20, 10, 0]]


OVERLAY = {"t60000010": element(2), "t60000011": element(3), "t60003000": {"vr": "OW", "InlineBinary": "IQ=="}}
"""The first and the last pixel."""


def test_bitmap_shutter() -> None:
    found = target(**shutter_of("BITMAP", t00181623=element(0x6000), t00181622=element(32896)), **OVERLAY)
    assert shown(found) == [[128, 10, 20], [30, 40, 128]]
    found = target(
        Kind.COLOR,
        RGB,
        **shutter_of("BITMAP", t00181623=element(0x6000), t00181624=element(65535, 32896, 32896)),
        **OVERLAY,
    )
    assert shown(found, COLOURS)[0][:2] == [[255, 255, 255], [3, 4, 5]]


def test_overlays_are_shown_when_they_are_activated() -> None:
    assert shown(target(**OVERLAY)) == [[0, 10, 20], [30, 40, 50]]
    layers = {"t00700060": element({"00700002": element("L"), "00700066": element(65535)})}
    assert shown(target(**OVERLAY, t60001001=element("L"), **layers)) == [[255, 10, 20], [30, 40, 255]]
    assert shown(target(**OVERLAY, t60001001=element("M"), **layers)) == [[255, 10, 20], [30, 40, 255]], (
        "an unknown layer"
    )
    of_image = {tag.removeprefix("t"): value for tag, value in OVERLAY.items()}
    activated = target(of_image=of_image, t60001001=element("L"), **layers)
    assert shown(activated) == [[255, 10, 20], [30, 40, 255]], "those of the image too"
    assert shown(activated, wanted=Rendition(PNG, overlays=False)) == [[0, 10, 20], [30, 40, 50]]


def test_overlays_in_bits_of_the_pixels() -> None:
    of_image = {"60000010": element(1), "60000011": element(2), "60000102": element(15)}
    image = ImageParams(1, 2, 1, 16, 8, 7)
    found = target(image=image, of_image=of_image, t60001001=element("L"))
    assert shown(found, b"\x05\x80\x06\x00") == [[255, 6]]


def test_order_of_layers() -> None:
    layers = element(
        {"00700002": element("top"), "00700062": element(2), "00700066": element(65535)},
        {"00700002": element("bottom"), "00700062": element(1), "00700066": element(0)},
    )
    data = {"60020010": element(2), "60020011": element(3), "60023000": {"vr": "OW", "InlineBinary": "/w=="}}
    found = target(
        **OVERLAY,
        **{f"t{tag}": value for tag, value in data.items()},
        t60001001=element("top"),
        t60021001=element("bottom"),
        t00700060=layers,
    )
    assert shown(found) == [[255, 0, 0], [0, 0, 255]]


def test_graphics_only_where_they_apply() -> None:
    def annotation(uid: str) -> dict[str, Any]:
        line = {"00700023": element("POLYLINE"), "00700022": element(0, 0.5, 3, 0.5), "00700005": element("PIXEL")}
        return {"00700009": element(line), "00081140": element({"00081155": element(uid)})}

    plain = [[0, 10, 20], [30, 40, 50]]
    assert shown(target(t00700001=element(annotation("1.2")))) == plain
    assert shown(target(t00700001=element(annotation("1.1")))) != plain


@pytest.mark.parametrize(
    ("wanted", "space"),
    [
        pytest.param(Rendition(PNG), PROFILE, id="§8.3.5.1.6: that of the state shall be in the answer"),
        pytest.param(Rendition(JPEG, icc_profile=IccProfile.YES), PROFILE, id="yes"),
        pytest.param(Rendition(PNG, icc_profile=IccProfile.NO), None, id="no"),
        pytest.param(Rendition(PNG, icc_profile=IccProfile.SRGB), icc.profile(IccProfile.SRGB), id="another space"),
        pytest.param(Rendition(GIF), None, id="a type that can not hold it"),
        pytest.param(Rendition(JXL), None, id="a type that holds only sRGB"),
    ],
)
def test_profile_of_the_state(wanted: Rendition, space: bytes | None) -> None:
    found = target(Kind.COLOR, RGB, bulk={"p": PROFILE}, t00282000={"vr": "OB", "BulkDataURI": "p"})
    picture, profile = present.drawn(bytes((0, 200, 0) * 6), found, wanted)
    assert profile == space
    converted = space != PROFILE
    assert (picture[0, 0].tolist() != [0, 200, 0]) is converted


def test_encoded_and_annotated() -> None:
    of_image = {"00100020": element("ID-1")}
    image = ImageParams(64, 64, bits_allocated=8, bits_stored=8, high_bit=7)
    wanted = Rendition(PNG, annotation=frozenset({Annotation.PATIENT}), viewport=Viewport(128, 100))
    data = present.encoded(bytes(64 * 64), target(image=image, of_image=of_image), wanted)
    picture = np.asarray(Image.open(io.BytesIO(data)))
    assert picture.shape == (100, 100)
    assert picture.max() > 200, "text"


def test_an_impossible_size_is_an_error_before_any_work() -> None:
    area = {"00700052": element(1, 1), "00700053": element(100_000, 100_000)}
    found = target(t0070005A=element(area))
    with pytest.raises(PayloadTooLarge):
        present.drawn(b"", found, Rendition())
    with pytest.raises(BadRequest):
        present.drawn(b"", found, Rendition(viewport=Viewport(32768, 32768)))


def test_damaged() -> None:
    with pytest.raises(BadPixels):
        present.drawn(b"\0", target(), Rendition())
