"""The reader on files as they should be and as they are met, each made here from its bytes."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import pytest

import part10_bytes as b
from skiagraph.errors import CannotUnderstand, OutOfResources
from skiagraph.settings import Settings
from skiagraph.standard import part10
from skiagraph.standard.header import Bulk, Header

UID = b.explicit(0x00080018, "UI", b"1.2.3\0")
UID_JSON = {"00080018": {"vr": "UI", "Value": ["1.2.3"]}}
NAME = {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]}
SQ, PRIVATE_SQ, TEXT = 0x0040A730, 0x00091010, 0x0040A160
CODE = b.explicit(0x00080100, "SH", b"CODE")
CODE_JSON = {"00080100": {"vr": "SH", "Value": ["CODE"]}}
CODE_IMPLICIT = b.implicit(0x00080100, b"CODE")


def read(data: bytes, **limits: Any) -> Header:
    return part10.read(part10.BytesSource(data), **limits)


def attributes(body: bytes, syntax: str = b.EXPLICIT, **limits: Any) -> tuple[dict[str, Any], str]:
    """Attributes of a data set behind File Meta Information, and all remarks in one text."""
    header = read(b.meta(syntax) + body, **limits)
    return header.attributes, " | ".join(header.warnings)


def sequence(*items: dict[str, Any]) -> dict[str, Any]:
    return {"vr": "SQ", "Value": list(items)}


def test_defaults_are_those_of_the_settings() -> None:
    parameters = part10.read.__kwdefaults__
    assert parameters == {name: Settings.model_fields[name].default for name in parameters}


# PS3.10 §7.1


def test_a_file_as_it_should_be() -> None:
    data = b.meta(b.EXPLICIT) + UID + b.explicit(0x00100010, "PN", b"A^B ")
    header = read(data)
    assert header.transfer_syntax_uid == b.EXPLICIT
    assert header.dataset_offset == data.index(UID)
    assert header.has_preamble
    assert header.meta == {"00020010": {"vr": "UI", "Value": [b.EXPLICIT]}}
    assert header.attributes == {**UID_JSON, "00100010": NAME}
    assert (header.bulkdata, header.pixel_data, header.warnings) == ({}, None, ())
    assert part10.dataset_offset(part10.BytesSource(data)) == header.dataset_offset


META = b.meta(b.EXPLICIT)[132:]
AT = 132 + len(META)
"""Where a data set begins behind `META`."""
IMPLICIT_UID = b.implicit(0x00080018, b"1.2.3\0")
COMMAND = b.implicit(0, struct.pack("<L", 10)) + b.implicit(0x00000100, b"\1\0")


@pytest.mark.parametrize(
    ("data", "syntax", "offset", "preamble", "remark"),
    [
        pytest.param(META + UID, b.EXPLICIT, len(META), False, "preamble is missing", id="no preamble"),
        pytest.param(
            b"DICM" + META + UID, b.EXPLICIT, 4 + len(META), False, "preamble is missing", id="prefix, no preamble"
        ),
        pytest.param(UID, b.EXPLICIT, 0, False, "no Transfer Syntax UID", id="bare, Explicit"),
        pytest.param(IMPLICIT_UID, b.IMPLICIT, 0, False, "no Transfer Syntax UID", id="bare, Implicit"),
        pytest.param(
            b.explicit(0x00080018, "UI", b"1.2.3\0", order=">"),
            b.BIG_ENDIAN,
            0,
            False,
            "no Transfer Syntax UID",
            id="bare, Big Endian",
        ),
        pytest.param(b" " + UID, b.EXPLICIT, 1, False, "preamble is missing", id="bare, a stray byte before"),
        pytest.param(bytes(128) + b"DICM" + UID, b.EXPLICIT, 132, False, "no Transfer Syntax UID", id="no meta"),
        pytest.param(
            UID + b.explicit(0x00081030, "LO", b" " * 106 + b"DICM") + b.explicit(0x00081040, "LO", b"AB"),
            b.EXPLICIT,
            0,
            False,
            "preamble is missing",
            id="bare, the prefix is in a value",
        ),
        pytest.param(
            b.meta(b.EXPLICIT, length=9999) + UID, b.EXPLICIT, AT, True, "Group Length", id="meta length long"
        ),
        pytest.param(b.meta(b.EXPLICIT, length=3) + UID, b.EXPLICIT, AT, True, "Group Length", id="meta length short"),
        pytest.param(b"x" * 128 + b"DICM" + META[12:] + UID, b.EXPLICIT, AT - 12, True, "", id="meta length missing"),
        pytest.param(
            bytes(128) + b"DICM" + b.implicit(0x00020010, b.EXPLICIT.encode() + b"\0") + UID,
            b.EXPLICIT,
            160,
            True,
            "(0002,0010): the VR is missing",
            id="meta in Implicit VR",
        ),
        pytest.param(b.meta("1.2.3.4") + UID, "1.2.3.4", 160, True, "", id="private Transfer Syntax"),
        pytest.param(
            b.meta(b.EXPLICIT) + COMMAND + UID, b.EXPLICIT, AT + 22, True, "command group", id="command group"
        ),
        pytest.param(COMMAND + IMPLICIT_UID, b.IMPLICIT, 22, False, "command group", id="bare, command group"),
        pytest.param(
            b.meta(b.EXPLICIT) + IMPLICIT_UID, b.IMPLICIT, AT, False, "is in Implicit VR", id="Implicit, not Explicit"
        ),
        pytest.param(
            b.meta(b.IMPLICIT) + UID, b.EXPLICIT, AT - 2, False, "is in Explicit VR", id="Explicit, not Implicit"
        ),
        pytest.param(
            b.meta(b.EXPLICIT) + b.explicit(0x00080018, "UI", b"1.2.3\0", order=">"),
            b.BIG_ENDIAN,
            AT,
            False,
            "byte order",
            id="Big Endian, not Little",
        ),
        pytest.param(
            b.meta("1.2.840.10008.1.2.4.50") + IMPLICIT_UID,
            "1.2.840.10008.1.2.4.50",
            AT + 2,
            False,
            "is in Implicit VR",
            id="Implicit, not as compressed",
        ),
        pytest.param(b.meta(b.BIG_ENDIAN) + UID, b.EXPLICIT, AT, False, "byte order", id="Little Endian, not Big"),
    ],
)
def test_what_stands_before_the_data_set(data: bytes, syntax: str, offset: int, preamble: bool, remark: str) -> None:
    header = read(data)
    assert UID_JSON.items() <= header.attributes.items()
    assert header.transfer_syntax_uid == syntax
    assert header.dataset_offset == part10.dataset_offset(part10.BytesSource(data)) == offset
    assert header.has_preamble == preamble
    assert remark in " | ".join(header.warnings)
    assert bool(remark) == bool(header.warnings)


def test_meta_information_of_all_kinds() -> None:
    elements = (
        b.explicit(0x00020001, "OB", b"\0\1")
        + b.explicit(0x00020010, "UI", b.EXPLICIT.encode() + b"\0")
        + b.explicit(0x00020012, "UI")
        + b.explicit(0x00020013, "SH", b"V_1 ")
        + b.explicit(0x00020102, "UN", bytes(200_000))
    )
    header = read(bytes(128) + b"DICM" + elements + UID)
    private = header.meta.pop("00020102")
    assert private["vr"] == "UN"
    assert len(private["InlineBinary"]) == 266_668
    assert header.meta == {
        "00020001": {"vr": "OB", "InlineBinary": "AAE="},
        "00020010": {"vr": "UI", "Value": [b.EXPLICIT]},
        "00020012": {"vr": "UI"},
        "00020013": {"vr": "SH", "Value": ["V_1"]},
    }
    assert header.attributes == UID_JSON


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(bytes(5000), id="zeros"),
        pytest.param(b"%PDF-1.7\n" + b"x" * 1000, id="PDF"),
        pytest.param(b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(1000), id="JPEG"),
        pytest.param(b"PK\3\4" + bytes(1000), id="ZIP"),
        pytest.param(b"{}", id="JSON"),
        pytest.param(b"\x08\0\x18", id="three bytes"),
    ],
)
def test_what_is_no_dicom(data: bytes) -> None:
    with pytest.raises(CannotUnderstand, match="This is no DICOM"):
        read(data)
    assert part10.dataset_offset(part10.BytesSource(data)) == 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(bytes(128) + b"DICM", "no data set", id="preamble and prefix alone"),
        pytest.param(b.meta(b.EXPLICIT), "no data set", id="meta alone"),
        pytest.param(b.meta(b.EXPLICIT) + bytes(100), "no data set", id="meta and padding"),
        pytest.param(b.meta(b.EXPLICIT)[:-3], r"\(0002,0010\) at offset 144 declares 20", id="cut in the meta"),
        pytest.param(b.meta(b.EXPLICIT) + UID[:5], "within an element", id="cut in a header"),
        pytest.param(b.meta(b.EXPLICIT) + UID[:-1], rf"\(0008,0018\) at offset {AT} declares 6", id="cut in a value"),
        pytest.param(
            b.meta(b.EXPLICIT) + b.explicit(TEXT, "UT", b"AB")[:10],
            rf"\(0040,A160\) at offset {AT}",
            id="cut in a length",
        ),
        pytest.param(
            b.meta(b.EXPLICIT) + b.explicit(TEXT, "UT", b"AB", 0xFFFFFFF0),
            rf"\(0040,A160\) at offset {AT} declares 4294967280 bytes, 2 are there",
            id="length of 4 GiB",
        ),
        pytest.param(
            b.meta(b.EXPLICIT) + b.explicit(0x7FE00010, "OW", b"AB", 3000), r"\(7FE0,0010\)", id="cut in Pixel Data"
        ),
        pytest.param(
            b.meta(b.EXPLICIT) + b.explicit(SQ, "SQ", b.item(CODE), 40), r"\(0040,A730\)", id="cut in a Sequence"
        ),
        pytest.param(
            b.meta(b.EXPLICIT) + b.explicit(SQ, "SQ", length=b.UNDEFINED) + b.open_item(CODE),
            r"\(0040,A730\)",
            id="a Sequence that is not closed",
        ),
        pytest.param(
            b.meta(b.EXPLICIT) + b.explicit(SQ, "SQ", b.implicit(0xFFFEE000, CODE, 99), b.UNDEFINED) + b.SEQUENCE_END,
            r"\(0040,A730\) at offset [0-9]+ declares 99",
            id="an Item longer than the file",
        ),
        pytest.param(
            b.meta(b.EXPLICIT) + b.explicit(SQ, "SQ", length=b.UNDEFINED) + CODE, "other than an Item", id="no Item"
        ),
        pytest.param(
            b.meta(b.EXPLICIT) + CODE + bytes(99) + b"x", "offset [0-9]+ there are zeros", id="a run of zeros"
        ),
        pytest.param(b.meta(b.EXPLICIT) + b.item(CODE), "outside of a Sequence", id="an Item alone"),
        pytest.param(
            b.meta(b.EXPLICIT) + b.explicit(TEXT, "UT", length=b.UNDEFINED) + CODE, "VR UT", id="undefined length of UT"
        ),
    ],
)
def test_what_can_not_be_followed(data: bytes, message: str) -> None:
    with pytest.raises(CannotUnderstand, match=message):
        read(data)


# PS3.5 chapter 7


PRIVATE = b.explicit(0x00090010, "LO", b"GEMS_IDEN_01")
PRIVATE_JSON = {"00090010": {"vr": "LO", "Value": ["GEMS_IDEN_01"]}}


@pytest.mark.parametrize(
    ("body", "syntax", "expected", "remark"),
    [
        pytest.param(
            b.explicit(0x00080000, "UL", b"\2\0\0\0") + CODE + b.explicit(0x00090000, "UL", b"\2\0\0\0") + PRIVATE,
            b.EXPLICIT,
            {**CODE_JSON, **PRIVATE_JSON},
            "",
            id="F.2.2 group lengths are left out",
        ),
        pytest.param(
            CODE + b.explicit(0x00020016, "AE", b"AB") + b.explicit(SQ, "SQ"),
            b.EXPLICIT,
            {**CODE_JSON, "0040A730": {"vr": "SQ"}},
            "",
            id="group 0002 in the data set is left out",
        ),
        pytest.param(
            b.explicit(SQ, "SQ", b.item(CODE) + b.item()),
            b.EXPLICIT,
            {"0040A730": sequence(CODE_JSON, {})},
            "",
            id="7.5.1 defined lengths",
        ),
        pytest.param(
            b.explicit(SQ, "SQ", b.open_item(CODE) + b.open_item(), b.UNDEFINED) + b.SEQUENCE_END,
            b.EXPLICIT,
            {"0040A730": sequence(CODE_JSON, {})},
            "",
            id="7.5.1 undefined lengths",
        ),
        pytest.param(
            b.explicit(SQ, "SQ", b.open_item(CODE) + b.item(CODE)),
            b.EXPLICIT,
            {"0040A730": sequence(CODE_JSON, CODE_JSON)},
            "",
            id="7.5.1 mixed lengths",
        ),
        pytest.param(
            b.explicit(SQ, "SQ", b.SEQUENCE_END, b.UNDEFINED) + b.explicit(0x0040A731, "SQ"),
            b.EXPLICIT,
            {"0040A730": {"vr": "SQ"}, "0040A731": {"vr": "SQ"}},
            "",
            id="F.2.5 empty sequences",
        ),
        pytest.param(
            b.implicit(SQ, b.item(CODE_IMPLICIT)) + b.implicit(0x0040A731, b.SEQUENCE_END, b.UNDEFINED),
            b.IMPLICIT,
            {"0040A730": sequence(CODE_JSON), "0040A731": {"vr": "SQ"}},
            "",
            id="Implicit VR sequences",
        ),
        pytest.param(
            b.explicit(SQ, "SQ", b.item(b.explicit(0x00080100, "SH", b"CODE", order=">"), ">"), order=">"),
            b.BIG_ENDIAN,
            {"0040A730": sequence(CODE_JSON)},
            "",
            id="Big Endian sequences",
        ),
        pytest.param(
            b.implicit(0x00091001, b"AB") + b.implicit(0x600000AB, b"CD"),
            b.IMPLICIT,
            {"00091001": {"vr": "UN", "InlineBinary": "QUI="}, "600000AB": {"vr": "UN", "InlineBinary": "Q0Q="}},
            "",
            id="6.2.2 Implicit VR, unknown elements",
        ),
        pytest.param(
            b.implicit(0x00090010, b"GEMS_IDEN_01") + b.implicit(0x00091001, b"AB") + b.implicit(0x0009110A, b"CD"),
            b.IMPLICIT,
            {
                **PRIVATE_JSON,
                "00091001": {"vr": "LO", "Value": ["AB"]},
                "0009110A": {"vr": "UN", "InlineBinary": "Q0Q="},
            },
            "",
            id="7.8.1 Implicit VR, private elements by their creator",
        ),
        pytest.param(
            b.implicit(0x60003000, b"\1\2"),
            b.IMPLICIT,
            {"60003000": {"vr": "OW", "InlineBinary": "AQI="}},
            "",
            id="A.1 Implicit VR, repeating groups, OB or OW",
        ),
        pytest.param(
            b.implicit(PRIVATE_SQ, b.open_item(CODE_IMPLICIT), b.UNDEFINED) + b.SEQUENCE_END,
            b.IMPLICIT,
            {"00091010": sequence(CODE_JSON)},
            "",
            id="Implicit VR, unknown sequence of undefined length",
        ),
        pytest.param(
            b.explicit(PRIVATE_SQ, "UN", b.item(CODE_IMPLICIT), b.UNDEFINED) + b.SEQUENCE_END + CODE[:0],
            b.EXPLICIT,
            {"00091010": sequence(CODE_JSON)},
            "",
            id="6.2.2 Note 2: UN of undefined length",
        ),
        pytest.param(
            b.explicit(PRIVATE_SQ, "UN", b.item(CODE), b.UNDEFINED) + b.SEQUENCE_END,
            b.EXPLICIT,
            {"00091010": sequence(CODE_JSON)},
            "another VR encoding",
            id="UN of undefined length in Explicit VR after all",
        ),
        pytest.param(
            b.explicit(PRIVATE_SQ, "UN", b.item(CODE_IMPLICIT), b.UNDEFINED, ">") + b.SEQUENCE_END,
            b.BIG_ENDIAN,
            {"00091010": sequence(CODE_JSON)},
            "",
            id="UN of undefined length among Big Endian",
        ),
        pytest.param(
            b.explicit(SQ, "UN", b.item(CODE_IMPLICIT)),
            b.EXPLICIT,
            {"0040A730": sequence(CODE_JSON)},
            "",
            id="UN of a Sequence that the dictionary knows",
        ),
        pytest.param(
            b.explicit(0x00100010, "UN", b"A^B "),
            b.EXPLICIT,
            {"00100010": NAME},
            "",
            id="UN of an element that the dictionary knows",
        ),
        pytest.param(
            PRIVATE + b.explicit(0x00091001, "UN", b"AB"),
            b.EXPLICIT,
            {**PRIVATE_JSON, "00091001": {"vr": "LO", "Value": ["AB"]}},
            "",
            id="UN of a private element that is known",
        ),
        pytest.param(
            b.explicit(0x00280010, "UN", b"\1\0", order=">") + b.explicit(0x00280011, "US", b"\0\1", order=">"),
            b.BIG_ENDIAN,
            {"00280010": {"vr": "US", "Value": [1]}, "00280011": {"vr": "US", "Value": [1]}},
            "",
            id="6.2.2 UN is little endian even among Big Endian",
        ),
        pytest.param(
            b.explicit(0x00091001, "UN", b.item(CODE_IMPLICIT)),
            b.EXPLICIT,
            {"00091001": {"vr": "UN", "InlineBinary": "/v8A4AwAAAAIAAABBAAAAENPREU="}},
            "",
            id="UN of an unknown element stays as it is",
        ),
        pytest.param(
            b.explicit(SQ, "SQ", b"no items"),
            b.EXPLICIT,
            {"0040A730": {"vr": "UN", "InlineBinary": "bm8gaXRlbXM="}},
            "holds no Items",
            id="a Sequence of something else",
        ),
        pytest.param(
            b.explicit(0x00100010, "PN", b"A^B") + b.explicit(0x00100020, "LO", b"X"),
            b.EXPLICIT,
            {"00100010": NAME, "00100020": {"vr": "LO", "Value": ["X"]}},
            "",
            id="odd lengths",
        ),
        pytest.param(
            b.explicit(0x00280010, "US", b"\1\2\3"),
            b.EXPLICIT,
            {"00280010": {"vr": "UN", "InlineBinary": "AQID"}},
            "(0028,0010): 3 bytes are not a whole number of values of VR US",
            id="a length that its VR can not have",
        ),
        pytest.param(
            b.explicit(0x00100010, "LO", b"A^B ") + b.explicit(0x00280010, "SH", b"64"),
            b.EXPLICIT,
            {"00100010": {"vr": "LO", "Value": ["A^B"]}, "00280010": {"vr": "SH", "Value": ["64"]}},
            "",
            id="wrong VRs are kept",
        ),
        pytest.param(
            b.explicit(0x00200013, "IS", b"one "),
            b.EXPLICIT,
            {"00200013": {"vr": "IS", "Value": ["one"]}},
            "(0020,0013): a value is not a number",
            id="invalid values are kept",
        ),
        pytest.param(
            b.explicit(0x00091001, "ZZ", b"ABCD") + CODE[:0],
            b.EXPLICIT,
            {"00091001": {"vr": "UN", "InlineBinary": "QUJDRA=="}},
            "not one that is known",
            id="unknown VR, 16-bit length",
        ),
        pytest.param(
            struct.pack("<HH2sHL", 0x0009, 0x1001, b"ZZ", 0, 4) + b"ABCD" + b.explicit(SQ, "SQ"),
            b.EXPLICIT,
            {"00091001": {"vr": "UN", "InlineBinary": "QUJDRA=="}, "0040A730": {"vr": "SQ"}},
            "not one that is known",
            id="7.1.2 unknown VR, 32-bit length",
        ),
        pytest.param(
            b.explicit(0x00091001, "ZZ") + PRIVATE[:0] + b.explicit(0x00100010, "PN", b"A^B "),
            b.EXPLICIT,
            {"00091001": {"vr": "UN"}, "00100010": NAME},
            "not one that is known",
            id="unknown VR, empty",
        ),
        pytest.param(
            b.explicit(0x00100010, "ZZ", b"A^B "),
            b.EXPLICIT,
            {"00100010": NAME},
            "not one that is known",
            id="unknown VR of a known element",
        ),
        pytest.param(
            CODE + b.explicit(0x00100010, "??", b"A^B ") + b.explicit(SQ, "SQ"),
            b.EXPLICIT,
            {**CODE_JSON, "00100010": NAME, "0040A730": {"vr": "SQ"}},
            "not one that is known",
            id="letters that are none",
        ),
        pytest.param(
            CODE + b.implicit(0x00100010, b"A^B ") + b.explicit(SQ, "SQ"),
            b.EXPLICIT,
            {**CODE_JSON, "00100010": NAME, "0040A730": {"vr": "SQ"}},
            "(0010,0010): the VR is missing",
            id="an Implicit VR element among explicit ones",
        ),
        pytest.param(
            b.explicit(SQ, "SQ", b.item(CODE_IMPLICIT)) + b.explicit(0x0040A731, "SQ"),
            b.EXPLICIT,
            {"0040A730": sequence(CODE_JSON), "0040A731": {"vr": "SQ"}},
            "(0040,A730): Items are in another VR encoding",
            id="Implicit VR in Items among explicit",
        ),
        pytest.param(
            b.implicit(SQ, b.item(CODE)) + b.implicit(0x0040A731),
            b.IMPLICIT,
            {"0040A730": sequence(CODE_JSON), "0040A731": {"vr": "SQ"}},
            "another VR encoding",
            id="Explicit VR in Items among implicit",
        ),
        pytest.param(
            struct.pack("<HH2sH", 0x0040, 0xA160, b"UT", 4) + b"ABCD" + b.explicit(SQ, "SQ"),
            b.EXPLICIT,
            {"0040A160": {"vr": "UT", "Value": ["ABCD"]}, "0040A730": {"vr": "SQ"}},
            "16 bits",
            id="UT with a 16-bit length",
        ),
        pytest.param(
            b.explicit(0x00100010, "PN", b"A^B ") + CODE,
            b.EXPLICIT,
            {**CODE_JSON, "00100010": NAME},
            "(0008,0100): elements are not in ascending order",
            id="out of order",
        ),
        pytest.param(
            b.explicit(0x00080100, "SH", b"OLD ") + CODE,
            b.EXPLICIT,
            CODE_JSON,
            "there twice",
            id="twice: the last one counts",
        ),
        pytest.param(
            b.explicit(SQ, "SQ", b.item(b.explicit(0x00100010, "PN", b"A^B ") + CODE)),
            b.EXPLICIT,
            {"0040A730": sequence({**CODE_JSON, "00100010": NAME})},
            "ascending",
            id="out of order in an Item",
        ),
        pytest.param(
            CODE + b.ITEM_END + b.SEQUENCE_END + b.explicit(SQ, "SQ"),
            b.EXPLICIT,
            {**CODE_JSON, "0040A730": {"vr": "SQ"}},
            "nothing to end",
            id="stray delimiters",
        ),
        pytest.param(
            b.explicit(SQ, "SQ", b.item(CODE + b.ITEM_END)),
            b.EXPLICIT,
            {"0040A730": sequence(CODE_JSON)},
            "nothing to end",
            id="a delimiter within a defined length",
        ),
        pytest.param(
            b.explicit(SQ, "SQ", b.implicit(0xFFFEE000, CODE, b.UNDEFINED) * 2, b.UNDEFINED) + b.SEQUENCE_END,
            b.EXPLICIT,
            {"0040A730": sequence(CODE_JSON, CODE_JSON)},
            "Item Delimitation Item is missing",
            id="Item delimiters are missing",
        ),
        pytest.param(
            b.explicit(SQ, "SQ", b.item(CODE) + b.ITEM_END, b.UNDEFINED) + b.SEQUENCE_END,
            b.EXPLICIT,
            {"0040A730": sequence(CODE_JSON)},
            "where an Item should",
            id="a delimiter between Items",
        ),
    ],
)
def test_data_sets(body: bytes, syntax: str, expected: dict[str, Any], remark: str) -> None:
    found, remarks = attributes(body, syntax)
    assert found == expected
    assert list(found) == sorted(expected)
    assert remark in remarks
    assert bool(remark) == bool(remarks)


def us_or_ss(value: int) -> bytes:
    return b.implicit(0x00280106, struct.pack("<H", value))


SIGNED, UNSIGNED = b.implicit(0x00280103, b"\1\0"), b.implicit(0x00280103, b"\0\0")


@pytest.mark.parametrize(
    ("body", "path", "expected"),
    [
        pytest.param(SIGNED + us_or_ss(65535), ["00280106"], ("SS", [-1]), id="signed"),
        pytest.param(UNSIGNED + us_or_ss(65535), ["00280106"], ("US", [65535]), id="unsigned"),
        pytest.param(us_or_ss(65535), ["00280106"], ("US", [65535]), id="nothing says so"),
        pytest.param(b.implicit(0x00189810, b"\xff\xff") + SIGNED, ["00189810"], ("SS", [-1]), id="before it is known"),
        pytest.param(
            SIGNED + b.implicit(0x00409096, b.item(b.implicit(0x00409216, b"\xff\xff"))),
            ["00409096", 0, "00409216"],
            ("SS", [-1]),
            id="in an Item, inherited",
        ),
        pytest.param(
            SIGNED + b.implicit(0x00283000, b.item(UNSIGNED + b.implicit(0x00283002, b"\xff\xff\0\0\x10\0"))),
            ["00283000", 0, "00283002"],
            ("US", [65535, 0, 16]),
            id="in an Item, its own",
        ),
        pytest.param(
            b.implicit(0x00283000, b.item(b.implicit(0x00283002, b"\1\0\0\0\x10\0") + b.implicit(0x00283006, b"\5\0"))),
            ["00283000", 0, "00283006"],
            ("US", [5]),
            id="LUT Data with one entry",
        ),
        pytest.param(
            b.implicit(0x00283000, b.item(b.implicit(0x00283002, b"\2\0\0\0\x10\0") + b.implicit(0x00283006, b"\5\0"))),
            ["00283000", 0, "00283006"],
            ("OW", "BQA="),
            id="LUT Data",
        ),
    ],
)
def test_vrs_that_other_elements_decide(body: bytes, path: list[Any], expected: tuple[str, Any]) -> None:
    node: Any = attributes(body, b.IMPLICIT)[0]
    for step in path:
        node = node["Value"][step] if isinstance(step, int) else node[step]
    assert node["vr"] == expected[0]
    assert node.get("Value", node.get("InlineBinary")) == expected[1]


NAME_K = b.explicit(0x00100010, "PN", "王".encode("gb18030"))


@pytest.mark.parametrize(
    ("body", "outer", "inner"),
    [
        pytest.param(b.explicit(0x00080005, "CS", b"GB18030 ") + NAME_K, "王", None, id="of the data set"),
        pytest.param(
            b.explicit(0x00080005, "CS", b"GB18030 ") + b.explicit(SQ, "SQ", b.item(NAME_K)), None, "王", id="inherited"
        ),
        pytest.param(
            b.explicit(0x00080005, "CS", b"ISO_IR 192")
            + b.explicit(0x00100010, "PN", "é".encode())
            + b.explicit(SQ, "SQ", b.item(b.explicit(0x00080005, "CS", b"GB18030 ") + NAME_K) + b.item()),
            "é",
            "王",
            id="7.5.3 of the Item alone",
        ),
    ],
)
def test_character_sets(body: bytes, outer: str | None, inner: str | None) -> None:
    found, remarks = attributes(body)
    assert not remarks
    if outer:
        assert found["00100010"]["Value"] == [{"Alphabetic": outer}]
    if inner:
        assert found["0040A730"]["Value"][0]["00100010"]["Value"] == [{"Alphabetic": inner}]


def test_the_character_set_itself_is_kept() -> None:
    found, _ = attributes(b.explicit(0x00080005, "CS", b"\\ISO 2022 IR 87") + CODE)
    assert found["00080005"] == {"vr": "CS", "Value": [None, "ISO 2022 IR 87"]}


def test_the_default_character_set() -> None:
    body = b.explicit(0x00100010, "PN", b"\xbb\xee")
    assert attributes(body)[0]["00100010"]["Value"] == [{"Alphabetic": "»î"}]
    found, _ = attributes(body, default_character_set="ISO_IR 144")
    assert found["00100010"]["Value"] == [{"Alphabetic": "Лю"}]


@pytest.mark.parametrize(
    ("tail", "remarked"),
    [
        pytest.param(bytes(1), True, id="a zero"),
        pytest.param(bytes(5), True, id="a few zeros"),
        pytest.param(bytes(3_000_000), True, id="many zeros"),
        pytest.param(b"\n", True, id="a line feed"),
        pytest.param(b"", False, id="nothing"),
    ],
)
@pytest.mark.parametrize("syntax", [b.EXPLICIT, b.IMPLICIT])
def test_padding_behind_the_data_set(tail: bytes, remarked: bool, syntax: str) -> None:
    code = CODE if syntax == b.EXPLICIT else CODE_IMPLICIT
    found, remarks = attributes(code + tail, syntax)
    assert found == CODE_JSON
    assert remarks == ("there are bytes behind the end of the data set" if remarked else "")


@pytest.mark.parametrize(
    "tail", [b"x", b"garbage garbage garbage", b"\xff" * 40, bytes(8) + b"x", b"\r\n--boundary--\r\n"]
)
def test_garbage_behind_pixel_data(tail: bytes) -> None:
    found, remarks = attributes(b.image() + b.explicit(0x7FE00010, "OW", bytes(4)) + tail)
    assert set(found) == {"00280002", "00280010", "00280011", "00280100", "7FE00010"}
    assert remarks == "there are bytes behind the end of the data set"


def test_elements_behind_pixel_data_are_read() -> None:
    found, remarks = attributes(b.explicit(0x7FE00010, "OW", bytes(4)) + b.explicit(0xFFFCFFFC, "OB", bytes(4)))
    assert found["FFFCFFFC"] == {"vr": "OB", "InlineBinary": "AAAAAA=="}
    assert not remarks


# Bulk data (PS3.18 §F.2.6)


def test_long_binary_values_are_bulk_data_at_any_depth() -> None:
    inner = b.explicit(0x00282000, "OB", bytes(range(20)))
    body = (
        CODE
        + b.explicit(0x00091001, "UN", bytes(11))
        + b.explicit(0x00091002, "UN", bytes(10))
        + b.explicit(0x00289001, "UL", bytes(12))
        + b.explicit(0x00480105, "SQ", b.open_item(b.explicit(SQ, "SQ", b.item() + b.item(inner))), b.UNDEFINED)
        + b.SEQUENCE_END
        + b.explicit(0x0066002A, "OL", bytes(12))
    )
    header = read(b.meta(b.EXPLICIT) + body, bulkdata_threshold=10)
    assert header.attributes == {
        **CODE_JSON,
        "00091001": {"vr": "UN", "BulkDataURI": "bulkdata/00091001"},
        "00091002": {"vr": "UN", "InlineBinary": "AAAAAAAAAAAAAA=="},
        "00289001": {"vr": "UL", "BulkDataURI": "bulkdata/00289001"},
        "00480105": sequence(
            {
                "0040A730": sequence(
                    {}, {"00282000": {"vr": "OB", "BulkDataURI": "bulkdata/00480105/0/0040A730/1/00282000"}}
                )
            }
        ),
        "0066002A": {"vr": "OL", "BulkDataURI": "bulkdata/0066002A"},
    }
    data = b.meta(b.EXPLICIT) + body
    assert header.bulkdata["00480105/0/0040A730/1/00282000"] == Bulk(data.index(bytes(range(20))), 20, "OB")
    assert sorted(header.bulkdata) == ["00091001", "00289001", "00480105/0/0040A730/1/00282000", "0066002A"]


def test_text_is_never_bulk_data() -> None:
    found, _ = attributes(b.explicit(TEXT, "UT", b"x" * 300_000), bulkdata_threshold=0)
    assert found["0040A160"] == {"vr": "UT", "Value": ["x" * 300_000]}


def test_big_endian_inline_binary_is_turned_and_bulk_data_is_not() -> None:
    body = (
        b.explicit(0x00281201, "OW", b"\1\2\3\4", order=">")
        + b.explicit(0x00289001, "OB", b"\1\2\3\4", order=">")
        + b.explicit(0x00660016, "OF", b"\1\2\3\4", order=">")
        + b.explicit(0x00660129, "OL", bytes(20), order=">")
        + b.explicit(0x0066012A, "UN", bytes(20), order=">")
    )
    header = read(b.meta(b.BIG_ENDIAN) + body, bulkdata_threshold=10)
    assert header.attributes["00281201"]["InlineBinary"] == "AgEEAw=="
    assert header.attributes["00289001"]["InlineBinary"] == "AQIDBA=="
    assert header.attributes["00660016"]["InlineBinary"] == "BAMCAQ=="
    assert header.bulkdata["00660129"].vr == "OL"


def test_nested_fragments_are_bulk_data() -> None:
    icon = b.fragments(b"\xff\xd8\xff\xe0")
    header = read(b.meta(b.JPEG_BASELINE) + b.explicit(0x00880200, "SQ", b.item(icon)) + b.fragments(b"\xff\xd8"))
    bulk = header.bulkdata["00880200/0/7FE00010"]
    assert bulk.encapsulated
    assert header.attributes["00880200"]["Value"][0]["7FE00010"]["BulkDataURI"] == "bulkdata/00880200/0/7FE00010"
    assert (bulk.length, bulk.vr) == (20, "OB")
    assert header.attributes["7FE00010"] == {"vr": "OB", "BulkDataURI": "pixeldata"}


def test_pixel_data_in_an_item_is_not_that_of_the_instance() -> None:
    header = read(b.meta(b.EXPLICIT) + b.explicit(0x00880200, "SQ", b.item(b.explicit(0x7FE00010, "OW", b"\1\0"))))
    assert header.pixel_data is None
    assert header.attributes["00880200"]["Value"][0]["7FE00010"] == {"vr": "OW", "InlineBinary": "AQA="}


def test_pixel_data_is_always_bulk_data_but_when_it_is_empty() -> None:
    header = read(b.meta(b.EXPLICIT) + b.image() + b.explicit(0x7FE00010, "OW", b"\1\2\3\4"))
    assert header.attributes["7FE00010"] == {"vr": "OW", "BulkDataURI": "pixeldata"}
    assert header.bulkdata == {"pixeldata": Bulk(header.pixel_data.offset, 4, "OW")}  # type: ignore[union-attr]
    header = read(b.meta(b.EXPLICIT) + b.image() + b.explicit(0x7FE00010, "OW"))
    assert header.attributes["7FE00010"] == {"vr": "OW"}
    assert (header.bulkdata, header.pixel_data) == ({}, None)


# Limits


def nested(depth: int, *, undefined: bool) -> bytes:
    body = CODE
    for _ in range(depth):
        content = b.open_item(body) if undefined else b.item(body)
        body = b.explicit(SQ, "SQ", content, b.UNDEFINED if undefined else None) + (
            b.SEQUENCE_END if undefined else b""
        )
    return body


@pytest.mark.parametrize("undefined", [False, True])
def test_the_depth_of_sequences_is_bounded(undefined: bool) -> None:
    node, _ = attributes(nested(30, undefined=undefined), max_sequence_depth=30)
    for _ in range(30):
        (node,) = node["0040A730"]["Value"]
    assert node == CODE_JSON
    with pytest.raises(CannotUnderstand, match=r"max_sequence_depth \(29\)"):
        attributes(nested(30, undefined=undefined), max_sequence_depth=29)


MIB = 1 << 20


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b.explicit(TEXT, "UT", b"x" * (2 * MIB)), id="a long text"),
        pytest.param(b.explicit(0x00091001, "UC", b"\\" * 100_000), id="many values"),
        pytest.param(b.explicit(SQ, "SQ", b.item() * 100_000), id="many Items"),
        pytest.param(CODE + b.explicit(0x00090000, "UL", bytes(4)) * 100_000, id="many elements that are left out"),
        pytest.param(CODE + b.ITEM_END * 100_000, id="many delimiters"),
        pytest.param(b.explicit(SQ, "SQ", b.ITEM_END * 100_000), id="many delimiters between Items"),
        pytest.param(
            b.explicit(SQ, "SQ", b.item(b"".join(b.explicit(0x00090001 + n, "LO") for n in range(20_000))) * 5),
            id="many elements",
        ),
        pytest.param(
            b"".join(b.explicit(0x00090001 + n, "LO") for n in range(20_000)) * 5, id="many elements, again and again"
        ),
    ],
)
def test_the_header_is_bounded(body: bytes) -> None:
    with pytest.raises(OutOfResources, match=r"max_header_bytes \(1048576\)"):
        attributes(body, max_header_bytes=MIB)
    attributes(body)


def test_bulk_data_does_not_count_as_header() -> None:
    body = b"".join(b.explicit(0x00091000 + n, "OB", bytes(100_000)) for n in range(100))
    assert len(attributes(body, max_header_bytes=MIB)[0]) == 100


def test_remarks_are_bounded() -> None:
    header = read(b.meta(b.EXPLICIT) + b"".join(b.explicit(0x00091000 + n, "US", b"x") for n in range(200)))
    assert len(header.warnings) == 50


# Deflated (PS3.5 §A.5)


def deflated(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return b.meta(b.DEFLATED) + packer.compress(body) + packer.flush()


def test_deflated_offsets_count_in_the_plain_stream() -> None:
    pixels = bytes(range(256)) * 16
    body = b.image(rows=64, columns=64) + b.explicit(0x7FE00010, "OW", pixels)
    data = deflated(body)
    header = read(data)
    assert header.dataset_offset == len(b.meta(b.DEFLATED)) == part10.dataset_offset(part10.BytesSource(data))
    plain = part10.plain(part10.BytesSource(data), header, max_inflated_bytes=MIB)
    bulk = header.bulkdata["pixeldata"]
    assert plain.read_at(bulk.offset, bulk.length) == pixels
    assert plain.read_at(0, plain.size) == b.meta(b.DEFLATED) + body
    assert header.pixel_data is not None
    assert (header.pixel_data.frames, header.warnings) == (1, ())


def test_deflated_padding_and_garbage() -> None:
    assert read(deflated(CODE) + b"\0").warnings == ()
    assert read(deflated(CODE) + b"xx").warnings == ("there are bytes behind the deflated data set",)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(deflated(CODE * 100)[:-3], "does not end", id="truncated"),
        pytest.param(b.meta(b.DEFLATED) + b"\xff" * 50, "corrupt", id="corrupt"),
        pytest.param(deflated(CODE[:-1]), r"\(0008,0100\)", id="truncated inside"),
        pytest.param(deflated(b""), "no data set", id="empty"),
    ],
)
def test_deflated_and_broken(data: bytes, message: str) -> None:
    with pytest.raises(CannotUnderstand, match=message):
        read(data)


def test_inflation_is_bounded() -> None:
    data = deflated(CODE + b.explicit(0x00091001, "OB", bytes(2 * MIB)))
    assert len(data) < 10_000
    with pytest.raises(OutOfResources, match=r"max_inflated_bytes \(1048576\)"):
        read(data, max_inflated_bytes=MIB)
    assert set(read(data).attributes) == {"00080100", "00091001"}


def test_a_file_in_a_native_syntax_is_plain_already() -> None:
    source = part10.BytesSource(b.meta(b.EXPLICIT) + CODE)
    assert part10.plain(source, part10.read(source), max_inflated_bytes=1) is source
