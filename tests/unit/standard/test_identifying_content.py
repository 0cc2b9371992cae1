"""Where names may be beside the attributes: PS3.15 Annex E."""

from __future__ import annotations

from typing import Any

import pytest

from skiagraph.standard.identifying_content import caution, obstacle
from skiagraph.values import Attributes

STORAGE = "1.2.840.10008.5.1.4.1.1."
NATIVE = "1.2.840.10008.1.2.1"
PIXELS: Attributes = {"7FE00010": {"vr": "OW", "BulkDataURI": "pixeldata"}}


def having(**values: Any) -> Attributes:
    """Attributes named ``t00280301``."""
    return PIXELS | {
        name[1:]: {"Value": value if isinstance(value, list) else [value]} for name, value in values.items()
    }


@pytest.mark.parametrize(
    ("suffix", "attributes", "word"),
    [
        pytest.param("2", PIXELS, None, id="CT"),
        pytest.param("2", having(t00280301="NO"), None, id="CT, not burned in"),
        pytest.param("2", having(t00280301="YES"), "Burned In", id="CT, burned in"),
        pytest.param("6.1", PIXELS, "Burned In", id="ultrasound says nothing"),
        pytest.param("6.1", having(t00280301="NO"), None, id="ultrasound says no"),
        pytest.param("7", PIXELS, "Burned In", id="secondary capture says nothing"),
        pytest.param("7", {}, None, id="secondary capture without pixels"),
        pytest.param("77.1.4", PIXELS, "Burned In", id="photograph"),
        pytest.param("2", having(t00080064="DF"), "Burned In", id="digitized film"),
        pytest.param("2", having(t00080064="SYN"), None, id="synthetic image"),
        pytest.param("2", having(t00080008=["DERIVED", "SECONDARY", "SCREEN SAVE"]), "Burned In", id="screen"),
        pytest.param("77.1.6", PIXELS, None, id="slide"),
        pytest.param("77.1.6", having(t00480010="YES"), "label", id="label in the image of a slide"),
        pytest.param("77.1.6", having(t00080008=["ORIGINAL", "PRIMARY", "LABEL"]), "label", id="label of a slide"),
        pytest.param("2", having(t60000100=16, t60000102=12), "overlay", id="overlay in unused bits"),
        pytest.param("2", having(t60000100=1, t60000102=0), None, id="overlay without data"),
        pytest.param("2", having(t60020100=16, t60023000=1), None, id="overlay with data of its own"),
        pytest.param("88.11", {}, "report", id="SR"),
        pytest.param("88.59", {}, "report", id="key objects"),
        pytest.param("78.6", having(t0040A730=[{}]), "report", id="content tree"),
        pytest.param("104.1", {}, "document", id="PDF"),
        pytest.param("9.4.1", {}, "voice", id="voice"),
        pytest.param("9.1.1", {}, None, id="ECG"),
    ],
)
def test_obstacles(suffix: str, attributes: Attributes, word: str | None) -> None:
    found = obstacle(attributes, STORAGE + suffix, NATIVE)
    assert (found is None) if word is None else (found is not None and word in found), found


def test_private_classes_and_pixels_elsewhere() -> None:
    assert "private SOP Classes" in (obstacle({}, "1.3.12.2.1107.5.9.1", NATIVE) or "")
    assert "another server" in (obstacle({}, f"{STORAGE}2", "1.2.840.10008.1.2.4.94") or "")


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        pytest.param({}, [], id="no pixels"),
        pytest.param(having(t00280301="NO"), [], id="all is said"),
        pytest.param(PIXELS, ["not cleaned"], id="nothing is said"),
        pytest.param(having(t00280301="NO", t00280302="YES"), ["recognizable"], id="a face"),
        pytest.param(having(t00280302="YES"), ["not cleaned", "recognizable"], id="both"),
    ],
)
def test_cautions(attributes: Attributes, words: list[str]) -> None:
    found = caution(attributes)
    assert (found is None) == (not words)
    assert all(word in str(found) for word in words)
    assert str(found).isascii(), "it goes into a header field"
