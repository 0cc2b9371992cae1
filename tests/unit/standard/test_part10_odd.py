"""The decisions on what is odd, one by one."""

from __future__ import annotations

import struct

import pytest

import part10_bytes as b
from skiagraph.standard import part10_odd
from skiagraph.standard.part10 import BytesSource
from skiagraph.standard.part10_odd import UNDEFINED, Remarks, Trailer, explicit_header, looks_explicit, terms_of

CS_LENGTH = struct.unpack("<L", b"CS\0\0")[0]


@pytest.mark.parametrize(
    ("head", "remaining", "declared", "looks"),
    [
        pytest.param(b.explicit(0x00080008, "CS", b"AB"), 99, True, True, id="explicit as declared"),
        pytest.param(b.explicit(0x00080008, "ZZ", b"AB"), 99, True, True, id="explicit, unknown VR"),
        pytest.param(b.implicit(0x00080008, b"AB"), 99, True, False, id="implicit, declared explicit"),
        pytest.param(b.ITEM_END, 99, True, True, id="a delimiter says nothing"),
        pytest.param(b.implicit(0x00080008, b"AB"), 99, False, False, id="implicit as declared"),
        pytest.param(b.explicit(0x00091001, "CS", b"AB"), 99, False, True, id="the length can not be one"),
        pytest.param(b.explicit(0x00080008, "CS"), 99999, False, True, id="the VR is the dictionary's"),
        pytest.param(
            b.implicit(0x00091001, length=CS_LENGTH), 99999, False, False, id="a length that happens to be letters"
        ),
    ],
)
def test_looks_explicit(head: bytes, remaining: int, declared: bool, looks: bool) -> None:
    assert looks_explicit(head[:8], remaining, big_endian=False, declared=declared) == looks


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        pytest.param(b.explicit(0x00091001, "CS", b"AB"), ("CS", 8, 2), id="16-bit length"),
        pytest.param(b.explicit(0x00091001, "OB", b"AB"), ("OB", 12, 2), id="32-bit length"),
        pytest.param(b.explicit(0x00091001, "OB", length=UNDEFINED), ("OB", 12, UNDEFINED), id="undefined length"),
        pytest.param(b"\t\0\1\x10OB\2\0ABCDEF", ("OB", 8, 2), id="a 16-bit length of OB"),
        pytest.param(b"\t\0\1\x10OB\1\0\2\0\0\0AB", ("OB", 12, 2), id="reserved bytes that are not zero"),
        pytest.param(b.implicit(0x00091001, b"AB"), (None, 8, 2), id="none"),
        pytest.param(b"\t\0\1\x10??\2\0AB", ("UN", 8, 2), id="no letters"),
        pytest.param(b"\t\0\1\x10ZZ\2\0ABCDEF", ("UN", 8, 2), id="unknown, 16-bit"),
        pytest.param(b"\t\0\1\x10ZZ\0\0\2\0\0\0AB", ("UN", 12, 2), id="unknown, 32-bit"),
        pytest.param(b"\t\0\1\x10ZZ\0\0" + b.explicit(0x00091002, "CS", b"AB"), ("UN", 8, 0), id="unknown, empty"),
    ],
)
def test_explicit_header(element: bytes, expected: tuple[str | None, int, int]) -> None:
    data = b"xxx" + element
    (short,) = struct.unpack_from("<H", data, 9)
    found = explicit_header(data, 3, data[7:9], short, big_endian=False, remaining=len(element))
    assert found[:3] == expected


@pytest.mark.parametrize("vr", ["OB", "ZZ"])
def test_a_header_that_is_cut_is_an_error(vr: str) -> None:
    with pytest.raises(struct.error):
        explicit_header(b"\t\0\1\x10" + vr.encode() + b"\0\0\1\0", 0, vr.encode(), 0, big_endian=False, remaining=10)


@pytest.mark.parametrize(
    ("raw", "terms"),
    [
        (b"", ()),
        (b"  ", ()),
        (b"ISO_IR 100", ("ISO_IR 100",)),
        (b"ISO_IR 100\0", ("ISO_IR 100",)),
        (b"\\ISO 2022 IR 87 ", ("", "ISO 2022 IR 87")),
        (b"\xff", ("ÿ",)),
    ],
)
def test_terms_of_a_character_set(raw: bytes, terms: tuple[str, ...]) -> None:
    assert terms_of(raw) == terms


def test_remarks_come_once_in_order_and_name_tags() -> None:
    remarks = Remarks()
    for tag, text in (("00100010", "b"), ("", "a"), ("00100010", "b")):
        remarks.add(tag, text)
    assert remarks.texts() == ("(0010,0010): b", "a")


def test_looking_for_zeros_again_and_again_reads_once() -> None:
    class Counting(BytesSource):
        reads = 0

        def read_at(self, offset: int, length: int) -> bytes:
            Counting.reads += 1
            return super().read_at(offset, length)

    source = Counting(bytes(100_000) + b"x" + bytes(100))
    trailer = Trailer(source)
    assert not any(trailer.harmless(offset, 0) for offset in range(0, 100_000, 8))
    assert Counting.reads == 1
    assert trailer.harmless(100_001, 0)


@pytest.mark.parametrize(
    ("tag", "vr", "explicit", "begins"),
    [
        pytest.param(0xFFFCFFFC, b"OB", True, False, id="Data Set Trailing Padding"),
        pytest.param(0x00080018, b"UI", True, False, id="a known element out of order"),
        pytest.param(0x7FE11010, b"\4\0", False, False, id="a private element in Implicit VR"),
        pytest.param(0x7FE11010, b"\4\0", True, True, id="no VR where one should be"),
        pytest.param(0x61676162, b"ag", False, True, id="text"),
        pytest.param(0xFFFFFFFF, b"\xff\xff", False, True, id="a group that can not be"),
    ],
)
def test_what_follows_pixel_data(tag: int, vr: bytes, explicit: bool, begins: bool) -> None:
    trailer = Trailer(BytesSource(b"x" * 100))
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr + b"\4\0"
    assert trailer.begins(0, 0x7FE00010, tag, head, explicit=explicit) == begins
    assert not trailer.begins(0, 0x00100010, tag, head, explicit=explicit)


def test_signs_are_settled_once_they_are_known() -> None:
    nested = {"00280106": {"vr": "US", "Value": [65535, 1]}}
    bulk = {"00280106": {"vr": "US", "BulkDataURI": "bulkdata/00280106"}}
    own = {"00280103": {"vr": "US", "Value": [0]}, "00280106": {"vr": "US", "Value": [65535]}}
    undecided = [(part, "00280106") for part in (nested, bulk, own)]
    part10_odd.settle_signs(undecided, {"00280103": {"vr": "US", "Value": [1]}})
    assert nested == {"00280106": {"vr": "SS", "Value": [-1, 1]}}
    assert bulk["00280106"]["vr"] == "US"
    assert own["00280106"] == {"vr": "US", "Value": [65535]}
