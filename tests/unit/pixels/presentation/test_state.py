"""Presentation states as values; and that hostile ones give our own errors, never others."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skiagraph.errors import ArchiveError
from skiagraph.pixels import elements, icc
from skiagraph.pixels.appearance import Modality
from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.pixels.lut import Lut
from skiagraph.pixels.presentation import present, state
from skiagraph.pixels.presentation.displayed_area import DisplayedArea, Orientation
from skiagraph.pixels.presentation.present import Target
from skiagraph.pixels.presentation.state import Kind, State
from skiagraph.pixels.rendition import Rendition, Subject
from skiagraph.standard.rendering import IccProfile, Window

PROFILE = base64.b64encode(icc.profile(IccProfile.ADOBE_RGB)).decode()


def element(*values: Any) -> dict[str, Any]:
    return {"vr": "XX", "Value": list(values)}


def read(kind: Kind = Kind.GRAYSCALE, **attributes: Any) -> State:
    found = {tag.removeprefix("t"): value for tag, value in attributes.items()}
    return state.read({"00080016": element(kind.value), **found}, elements.NO_BULK)


def table(*values: int, vr: str = "US") -> dict[str, Any]:
    return {"00283002": {"vr": vr, "Value": [len(values), 0, 8]}, "00283006": element(*values)}


def lut(*values: int) -> Lut:
    return Lut(0, np.array(values, np.uint16).tobytes(), 8)


def test_nothing_said() -> None:
    found = read()
    look = found.tones("1.1", 1)
    assert (look.modality, look.voi, look.inverse, look.presentation, look.palette) == (
        Modality(),
        None,
        False,
        None,
        None,
    )
    assert found.area("1.1", 1, 10, 5) == DisplayedArea(0, 0, 10, 5)
    assert found.orientation == Orientation()
    assert (found.shutter, found.bitmap, found.profile, found.superimposed) == (None, None, None, None)


@pytest.mark.parametrize("sop_class", ["1.2.840.10008.5.1.4.1.1.11.5", "1.2.840.10008.5.1.4.1.1.2", ""])
def test_other_kinds(sop_class: str) -> None:
    with pytest.raises(BadPixels):
        state.read({"00080016": element(sop_class)}, elements.NO_BULK)


def test_modality() -> None:
    assert read(t00281053=element("2"), t00281052=element("-5")).images.modality == Modality(2.0, -5.0)
    assert read(t00283000=element(table(1, 2)), t00281053=element(9)).images.modality == Modality(lut=lut(1, 2))
    signed = {"00283002": {"vr": "SS", "Value": [2, -2, 8]}, "00283006": element(1, 2)}
    first = read(t00283000=element(signed)).images.modality.lut
    assert first is not None
    assert first.first == -2


def test_voi_by_image_and_frame() -> None:
    def voi(center: int, **reference: Any) -> dict[str, Any]:
        images = [{"00081155": element(uid), "00081160": element(*frames)} for uid, frames in reference.items()]
        return {"00281050": element(center), "00281051": element(10), "00081140": element(*images)}

    found = read(t00283110=element(voi(1, a=(2,)), voi(2, a=()), voi(3), {"00283010": element(table(5, 6))}))
    assert found.tones("a", 2).voi == Window(1, 10)
    assert found.tones("a", 1).voi == Window(2, 10)
    assert found.tones("b", 1).voi == Window(3, 10)
    assert read(t00283110=element({"00283010": element(table(5, 6))})).tones("b", 1).voi == lut(5, 6)


def test_presentation_lut() -> None:
    assert read(t20500020=element("INVERSE")).tones("a", 1).inverse
    found = read(t20500020=element("INVERSE"), t20500010=element(table(3, 4))).tones("a", 1)
    assert (found.inverse, found.presentation) == (False, lut(3, 4)), "a table goes before a shape"


def test_pseudo_colour() -> None:
    parts = {f"t0028110{number}": element(2, 0, 8) for number in (1, 2, 3)}
    parts |= {f"t0028120{number}": element(0, number) for number in (1, 2, 3)}
    found = read(Kind.PSEUDO_COLOR, t20500020=element("INVERSE"), **parts)
    look = found.tones("a", 1)
    assert look.palette == (lut(0, 1), lut(0, 2), lut(0, 3))
    assert not look.inverse, "there is no Presentation LUT in a pseudo-colour state"
    assert read(Kind.GRAYSCALE, **parts).tones("a", 1).palette is None


def test_profile() -> None:
    value = {"vr": "OB", "InlineBinary": PROFILE}
    assert read(Kind.COLOR, t00282000=value).profile == icc.profile(IccProfile.ADOBE_RGB)
    assert read(Kind.GRAYSCALE, t00282000=value).profile is None
    assert read(Kind.COLOR, t00282000={"vr": "OB", "InlineBinary": "AAAA"}).profile is None


def test_areas_by_image() -> None:
    def area(last: int, *images: str) -> dict[str, Any]:
        return {
            "00700052": element(1, 1),
            "00700053": element(last, last),
            "00081140": element(*({"00081155": element(uid)} for uid in images)),
        }

    found = read(t0070005A=element(area(5, "a"), area(6)))
    assert found.area("a", 1, 99, 99) == DisplayedArea(0, 0, 5, 5)
    assert found.area("b", 1, 99, 99) == DisplayedArea(0, 0, 6, 6)


def test_shutters() -> None:
    found = read(t00181600=element("BITMAP"), t00181623=element(0x6002), t00181622=element(65535))
    assert found.bitmap == "6002"
    assert read(t00181600=element("BITMAP"), t00181623=element(0x7000)).bitmap is None
    assert read(t00181600=element("CIRCULAR"), t00181610=element(5, 5), t00181612=element(3)).shutter is not None


def test_blending() -> None:
    def images(position: str, slope: int, series: str) -> dict[str, Any]:
        return {
            "00700405": element(position),
            "0020000D": element("1.9"),
            "00281053": element(slope),
            "00283110": element({"00281050": element(slope), "00281051": element(10)}),
            "00081115": element({"0020000E": element(series)}),
        }

    registration = {"00081115": element({"00081199": element({"00081155": element("1.7")})})}
    found = read(
        Kind.BLENDING,
        t00700402=element(images("SUPERIMPOSED", 2, "s"), images("UNDERLYING", 3, "u")),
        t00700403=element(0.25),
        t00700404=element(registration, {"00081140": element({"00081155": element("1.8")})}),
    )
    assert found.images.modality.slope == 3
    assert found.images.series[0].series_instance_uid == "u"
    assert found.superimposed is not None
    assert found.superimposed.modality.slope == 2
    assert found.superimposed.voi("x", 1) == Window(2, 10)
    assert found.opacity == 0.25
    assert found.registrations == ("1.7", "1.8")


def test_bulk_data_that_is_wanted() -> None:
    def bulk(name: str) -> dict[str, Any]:
        return {"vr": "OW", "BulkDataURI": name}

    attributes = {
        "00283000": element({"00283006": bulk("modality")}),
        "00283110": element({"00283010": element({"00283006": bulk("voi")})}),
        "20500010": element({"00283006": bulk("presentation")}),
        "00700402": element({"00283000": element({"00283006": bulk("blended")})}),
        "00700001": element(
            {"00700009": element({"00700022": bulk("points")}), "00700008": element({"00700006": bulk("text")})}
        ),
        "60023000": bulk("overlay"),
        "00281201": bulk("red"),
        "00282000": bulk("profile"),
        "00091010": bulk("private"),
        "00420011": bulk("document"),
    }
    assert state.bulk_uris(attributes) == [
        "modality", "voi", "presentation", "blended", "points", "text", "overlay", "red", "profile",
    ]  # fmt: skip


_tags = st.sampled_from(
    [
        "00283000", "00283110", "00283010", "00283002", "00283006", "20500010", "20500020", "00281050", "00281051",
        "00281052", "00281053", "00700001", "00700002", "00700003", "00700005", "00700006", "00700008", "00700009",
        "00700010", "00700011", "00700014", "00700022", "00700023", "00700024", "00700041", "00700042", "0070005A",
        "00700052", "00700053", "00700060", "00700062", "00700066", "00700100", "00700101", "00700102", "00700103",
        "00700401", "00700402", "00700405", "00700209", "00700232", "00700231", "00700294", "00081115", "00081140",
        "00081155", "00181600", "00181602", "00181604", "00181606", "00181608", "00181610", "00181612", "00181620",
        "00181622", "00181623", "60000010", "60000011", "60001001", "60003000", "60000050", "00281101", "00281201",
        "00282000",
    ]
)  # fmt: skip
_value = (
    st.integers(-3, 10)
    | st.sampled_from([2**31 - 1, -(2**31), 65535, 1e38, -1e38, None, True, "", "1e999"])
    | st.sampled_from(["POLYLINE", "CIRCLE", "ELLIPSE", "INTERPOLATED", "POINT", "DISPLAY", "Y", "MAGNIFY", "BITMAP"])
    | st.sampled_from(["CIRCULAR", "RECTANGULAR", "POLYGONAL", "UNDERLYING", "SUPERIMPOSED", "INVERSE", "LINEAR"])
    | st.floats()
)


def _element_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.lists(values, max_size=8).map(lambda found: {"vr": "XX", "Value": found}) | st.just(
        {"vr": "OW", "InlineBinary": "/////wAAAAA="}
    )


_hostile = st.recursive(
    st.dictionaries(_tags, _element_of(_value), max_size=8),
    lambda inner: st.dictionaries(_tags, _element_of(inner | _value), max_size=8),
    max_leaves=12,
)


@given(_hostile, st.sampled_from(Kind))
@settings(max_examples=300, deadline=None)
def test_hostile_states(attributes: dict[str, Any], kind: Kind) -> None:
    """Read and applied: a picture, or an error of ours."""
    image = ImageParams(4, 5, 1, 16, 12, 11)
    pixels = np.arange(20, dtype="<u2").tobytes()
    subject = Subject({}, image, "1.2.840.10008.1.2.1", 1, {})
    try:
        found = state.read({**attributes, "00080016": element(kind.value)}, elements.NO_BULK)
        shown, _ = present.drawn(pixels, Target(found, subject, "1.1"), Rendition())
    except ArchiveError:
        return
    assert shown.dtype == np.uint8
