"""The table of PS3.15 Annex E as data: whole, and read as its action codes say."""

from __future__ import annotations

from collections import Counter

import pytest

from skiagraph.standard import dictionary
from skiagraph.standard.confidentiality_profile import ALSO, CLASSIC, KEPT_UIDS, REQUIRED, TABLE, action_of

CT, PET, US = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.6.1"
DX, RT_PLAN, ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.481.5", f"{CT}.1"


def test_every_row_is_there_once() -> None:
    """Rows by action in edition 2024e, but for four patterns."""
    assert Counter(TABLE.values()) == {
        "X": 380,
        "D": 92,
        "U": 54,
        "Z": 42,
        "X/D": 22,
        "X/Z": 11,
        "X/Z/D": 8,
        "Z/D": 6,
        "X/Z/U*": 2,
    }


@pytest.mark.parametrize("tags", [TABLE, ALSO, KEPT_UIDS, REQUIRED], ids=["TABLE", "ALSO", "KEPT_UIDS", "REQUIRED"])
def test_every_tag_is_one_of_the_dictionary(tags: dict[int, object]) -> None:
    assert [f"{tag:08X}" for tag in tags if dictionary.vr_of(tag) is None] == []


def test_what_is_more_than_the_table_differs_from_it() -> None:
    assert [f"{tag:08X}" for tag, action in ALSO.items() if TABLE.get(tag) == action] == []
    assert all("/" in TABLE[tag] for tag in REQUIRED)
    assert all(classes <= CLASSIC for classes in REQUIRED.values())
    assert {dictionary.vr_of(tag) for tag in KEPT_UIDS} == {"UI"}


@pytest.mark.parametrize(
    ("tag", "sop_class_uid", "top", "action"),
    [
        pytest.param(0x00100010, CT, True, "Z", id="Patient's Name"),
        pytest.param(0x00080018, CT, True, "U", id="SOP Instance UID"),
        pytest.param(0x00081155, CT, False, "U", id="Referenced SOP Instance UID in an Item"),
        pytest.param(0x00080016, CT, True, "K", id="SOP Class UID"),
        pytest.param(0x00081150, CT, False, "K", id="Referenced SOP Class UID"),
        pytest.param(0x00280010, CT, True, "K", id="Rows"),
        pytest.param(0x00081030, CT, True, "X", id="Study Description"),
        pytest.param(0x00080021, CT, True, "X", id="X/D, type 3: Series Date of CT"),
        pytest.param(0x00080021, PET, True, "D", id="X/D, type 1: Series Date of PET"),
        pytest.param(0x00080022, CT, True, "X", id="X/Z, type 3: Acquisition Date of CT"),
        pytest.param(0x00080022, PET, True, "Z", id="X/Z, type 2: Acquisition Date of PET"),
        pytest.param(0x0008002A, CT, True, "X", id="X/Z/D, type 3: Acquisition DateTime of CT"),
        pytest.param(0x0008002A, US, True, "D", id="X/Z/D, type 1C: Acquisition DateTime of US"),
        pytest.param(0x0008002A, ENHANCED_CT, True, "D", id="X/Z/D where the type is not known here"),
        pytest.param(0x00080023, CT, True, "Z", id="Z/D, type 2C: Content Date of CT"),
        pytest.param(0x00080023, ENHANCED_CT, True, "D", id="Z/D, type 1: Content Date of Enhanced CT"),
        pytest.param(0x00081070, CT, True, "X", id="X/Z/D, type 3: Operators' Name"),
        pytest.param(0x00081070, RT_PLAN, True, "D", id="X/Z/D, type 2: Operators' Name of RT"),
        pytest.param(0x00181030, CT, False, "D", id="X/D in an Item, where types differ"),
        pytest.param(0x00081140, CT, True, "U", id="X/Z/U*: references are kept, and changed"),
        pytest.param(0x00081111, DX, True, "D", id="X/Z/D, type 1C: Referenced Performed Procedure Step of DX"),
        pytest.param(0x00091001, CT, True, "X", id="private"),
        pytest.param(0x50000010, CT, True, "X", id="curves"),
        pytest.param(0x60003000, CT, True, "X", id="overlay data"),
        pytest.param(0x60020010, CT, True, "X", id="overlay without data is none"),
        pytest.param(0x00060001, CT, True, "X", id="not in the dictionary"),
        pytest.param(0x00020016, CT, False, "X", id="File Meta Information in a data set"),
        pytest.param(0x00140102, CT, True, "D", id="Note 4: dates that the table does not name"),
        pytest.param(0x00142006, CT, True, "D", id="Note 4: names that the table does not name"),
        pytest.param(0x00081167, CT, True, "U", id="UIDs that the table does not name"),
        pytest.param(0x04000500, CT, True, "X", id="Encrypted Attributes Sequence"),
        pytest.param(0x00700082, CT, True, "D", id="Presentation Creation Date, of type 1"),
        pytest.param(0x00700001, CT, True, "X", id="Graphic Annotation Sequence"),
    ],
)
def test_actions(tag: int, sop_class_uid: str, top: bool, action: str) -> None:
    assert action_of(tag, dictionary.vr_of(tag), sop_class_uid, top=top) == action
