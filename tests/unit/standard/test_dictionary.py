"""The data dictionary: look-ups of standard, repeating and private elements."""

from __future__ import annotations

import pytest
from pydicom.datadict import dictionary_VR, keyword_dict

from skiagraph.standard import dictionary


def test_a_row_has_what_the_standard_prints() -> None:
    assert dictionary.find(0x00100010) == dictionary.Entry(
        0x00100010, "PN", "1", "PatientName", "Patient's Name", retired=False
    )


@pytest.mark.parametrize(
    ("tag", "vr", "keyword"),
    [
        pytest.param(0x60003000, "OB or OW", "OverlayData", id="repeating group, first"),
        pytest.param(0x60FE0010, "US", "OverlayRows", id="repeating group, last"),
        pytest.param(0x50020005, "US", "CurveDimensions", id="curves"),
        pytest.param(0x002031AB, "CS", "SourceImageIDs", id="repeating elements"),
        pytest.param(0x60013000, None, None, id="an odd group repeats nothing"),
        pytest.param(0x00091001, None, None, id="private"),
        pytest.param(0x0008FFFE, None, None, id="not assigned"),
    ],
)
def test_vr_and_keyword_of_a_tag(tag: int, vr: str | None, keyword: str | None) -> None:
    assert dictionary.vr_of(tag) == vr
    assert dictionary.keyword_of(tag) == keyword


def test_keywords_lead_to_tags() -> None:
    for keyword, tag in keyword_dict.items():
        assert dictionary.tag_of(keyword) == (tag if keyword else None)
    assert dictionary.tag_of("OverlayData") == 0x60003000
    assert dictionary.tag_of("patientname") is None


def test_standard_vrs_are_the_dictionary() -> None:
    table = dictionary.standard_vrs()
    assert len(table) > 5000
    assert all(dictionary_VR(tag) == vr for tag, vr in table.items())


@pytest.mark.parametrize(
    ("tag", "creator", "vr"),
    [
        pytest.param(0x00291010, "SIEMENS CSA HEADER", "OB", id="block 10"),
        pytest.param(0x0029AB10, "SIEMENS CSA HEADER", "OB", id="another block"),
        pytest.param(0x00291010, "NOBODY", None, id="unknown creator"),
        pytest.param(0x002910EE, "SIEMENS CSA HEADER", None, id="unknown element"),
        pytest.param(0x00281010, "SIEMENS CSA HEADER", None, id="an even group is not private"),
        pytest.param(0x70191080, "TOSHIBA_MEC_OT3", "OB or OW", id="spelling of the source set right"),
    ],
)
def test_private_elements_are_found_by_creator(tag: int, creator: str, vr: str | None) -> None:
    assert dictionary.private_vr_of(tag, creator) == vr
    entry = dictionary.find_private(tag, creator)
    assert (entry.vr if entry else None) == vr
