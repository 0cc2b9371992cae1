"""PS3.10 files out of the DICOM JSON Model, read back by our reader and by pydicom."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skiagraph.errors import ArchiveError, CannotUnderstand
from skiagraph.standard import part10, transfer_syntaxes
from skiagraph.standard.part10_writer import Bulk, Span, write
from skiagraph.values import Attributes

UIDS: Attributes = {
    "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"]},
    "00080018": {"vr": "UI", "Value": ["1.2.3"]},
}


def no_bulk(tag: str, element: Mapping[str, Any], depth: int) -> Bulk:
    raise CannotUnderstand("There is no bulk data.")


def joined(attributes: Attributes, resolve: Any = no_bulk, **more: Any) -> bytes:
    return b"".join(
        piece if isinstance(piece, bytes) else piece.source.read_at(piece.offset, piece.length)
        for piece in write(attributes, resolve, **more)
    )


def back(attributes: Attributes) -> Attributes:
    """Write and read; all values inline."""
    header = part10.read(part10.BytesSource(joined(attributes)), bulkdata_threshold=2**30)
    assert header.has_preamble
    assert header.warnings == ()
    return header.attributes


def spans(*bodies: bytes) -> tuple[Span, ...]:
    """Spans of one source with something else around them."""
    whole = part10.BytesSource(b"##".join((b"", *bodies, b"")))
    found, at = [], 2
    for body in bodies:
        found.append(Span(whole, at, len(body)))
        at += len(body) + 2
    return tuple(found)


# Data sets that can be written to the letter, for the property below ---------------------------------------------

ASCII = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\=^"), min_size=1, max_size=12
)
TEXT = st.text(
    st.characters(min_codepoint=0x21, exclude_categories=("C", "Z"), exclude_characters="\\=^"), min_size=1, max_size=12
)


def values(strategy: st.SearchStrategy[Any], *, empty: bool = True) -> st.SearchStrategy[list[Any]]:
    many = st.lists(strategy | st.none() if empty else strategy, min_size=2, max_size=4)
    return st.lists(strategy, min_size=1, max_size=1) | many


def element(vr: str, content: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return content.map(lambda value: {"vr": vr, "Value": value}) | st.just({"vr": vr})


def binary(vr: str, word: int) -> st.SearchStrategy[dict[str, Any]]:
    words = st.binary(min_size=1, max_size=6).map(lambda raw: raw * max(word, 2))
    return words.map(lambda raw: {"vr": vr, "InlineBinary": base64.b64encode(raw).decode()})


def integers(bits: int, *, signed: bool) -> st.SearchStrategy[Any]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.integers(low, high).map(lambda value: value if abs(value) <= 2**53 else str(value))


NAMES = st.fixed_dictionaries({}, optional=dict.fromkeys(("Alphabetic", "Ideographic", "Phonetic"), TEXT)).map(
    lambda name: name or {"Alphabetic": "A^B"}
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(["NaN", "Infinity", "-Infinity"])
FLOATS_32 = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.just("NaN")
DECIMALS = st.integers(-(10**14), 10**14) | st.decimals(-1000, 1000, places=3).map(float).filter(lambda v: v % 1 != 0)

# One standard element of each VR, and private ones
ELEMENTS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "00080054": element("AE", values(ASCII)),
    "00101010": element("AS", st.just(["034Y"])),
    "00080008": element("CS", values(ASCII)),
    "00080023": element("DA", st.just(["20220928"])),
    "00203002": element("LO", values(TEXT)),
    "00180050": element("DS", values(DECIMALS)),
    "0008002A": element("DT", st.just(["20220928214137.5+0100"])),
    "00720074": element("FD", values(FLOATS, empty=False)),
    "00720076": element("FL", values(FLOATS_32, empty=False)),
    "00200013": element("IS", values(st.integers(-(2**31), 2**31 - 1))),
    "00104000": element("LT", st.lists(TEXT, min_size=1, max_size=1)),
    "00720065": binary("OB", 1),
    "00720073": binary("OD", 8),
    "00720067": binary("OF", 4),
    "00720075": binary("OL", 4),
    "00720069": binary("OW", 2),
    "00100010": element("PN", values(NAMES)),
    "00200010": element("SH", values(TEXT)),
    "00720078": element("UL", values(integers(32, signed=False), empty=False)),
    "0072007C": element("SL", values(integers(32, signed=True), empty=False)),
    "0072007E": element("SS", values(integers(16, signed=True), empty=False)),
    "0072007A": element("US", values(integers(16, signed=False), empty=False)),
    "00720082": element("SV", values(integers(64, signed=True), empty=False)),
    "00720083": element("UV", values(integers(64, signed=False), empty=False)),
    "0072006E": element("ST", st.lists(TEXT, min_size=1, max_size=1)),
    "00080030": element("TM", st.just(["214137.000"])),
    "0072006F": element("UC", values(TEXT)),
    "0008001A": element("UI", values(st.just("1.2.840.10008"), empty=False)),
    "00080120": element("UR", st.just(["http://example.org/a?b=c"])),
    "00720070": element("UT", st.lists(TEXT, min_size=1, max_size=1)),
    "00720060": element("AT", values(st.sampled_from(["00100010", "7FE00010"]), empty=False)),
    "00091001": element("LO", values(TEXT)),
    "00091002": binary("UN", 1),
}
BASE = st.fixed_dictionaries({}, optional=ELEMENTS)
DATA_SETS = st.recursive(
    BASE,
    lambda inner: st.tuples(BASE, st.lists(inner, max_size=3)).map(
        lambda made: made[0] | {"00081115": {"vr": "SQ", "Value": made[1]} if made[1] else {"vr": "SQ"}}
    ),
    max_leaves=6,
)


def reserved(data_set: Attributes) -> Attributes:
    """Add the Private Creator that private elements need, in Items too."""
    found = {
        tag: element | {"Value": [reserved(item) for item in element["Value"]]}
        if element["vr"] == "SQ" and "Value" in element
        else element
        for tag, element in data_set.items()
    }
    if any(tag.startswith("000910") for tag in found):
        found["00090010"] = {"vr": "LO", "Value": ["SKIAGRAPH TEST"]}
    return dict(sorted(found.items()))


@given(DATA_SETS.map(reserved))
@settings(max_examples=150)
def test_what_is_written_is_read(attributes: Attributes) -> None:
    attributes = dict(sorted((attributes | UIDS).items()))
    found = back(attributes)
    assert found.pop("00080005", None) in (None, {"vr": "CS", "Value": ["ISO_IR 192"]})
    assert found == attributes


@given(DATA_SETS.map(reserved))
@settings(max_examples=25)
def test_pydicom_reads_the_same(attributes: Attributes) -> None:
    data = pydicom.dcmread(io.BytesIO(joined(attributes | UIDS)))
    for tag in attributes:
        assert attributes[tag]["vr"] == data[int(tag, 16)].VR


class TestCharacterSet:
    @pytest.mark.parametrize(
        ("declared", "name", "expected"),
        [
            pytest.param(None, "Zeta", None, id="ASCII needs none"),
            pytest.param(["ISO_IR 100"], "Zeta", ["ISO_IR 100"], id="ASCII is ASCII in the one declared"),
            pytest.param(["ISO_IR 100"], "Zèta", ["ISO_IR 192"], id="text is UTF-8"),
            pytest.param(None, "山田", ["ISO_IR 192"], id="text is UTF-8 although none is declared"),
            pytest.param(["ISO_IR 13"], "a~b", ["ISO_IR 192"], id="JIS X 0201 has no tilde"),
            pytest.param([None, "ISO 2022 IR 87"], "a\x1b$B", ["ISO_IR 192"], id="ESC is no escape sequence"),
        ],
    )
    def test_declared(self, declared: list[str] | None, name: str, expected: list[str] | None) -> None:
        attributes = UIDS | {"00100010": {"vr": "PN", "Value": [{"Alphabetic": name}]}}
        if declared is not None:
            attributes["00080005"] = {"vr": "CS", "Value": declared}
        found = back(attributes)
        assert found["00100010"]["Value"] == [{"Alphabetic": name}]
        assert found.get("00080005", {}).get("Value") == expected

    def test_items_follow(self) -> None:
        item = {"00080005": {"vr": "CS", "Value": ["ISO_IR 144"]}, "00080104": {"vr": "LO", "Value": ["Жук"]}}
        found = back(UIDS | {"00081115": {"vr": "SQ", "Value": [item]}})
        assert found["00081115"]["Value"][0]["00080104"]["Value"] == ["Жук"]


class TestFile:
    def test_file_meta_information(self) -> None:
        data = pydicom.dcmread(io.BytesIO(joined(UIDS)))
        assert data.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
        assert data.file_meta.MediaStorageSOPInstanceUID == "1.2.3"
        assert data.file_meta.ImplementationClassUID.startswith("2.25.")

    def test_what_belongs_to_no_data_set_is_left_out(self) -> None:
        given = {
            "00020010": {"vr": "UI", "Value": ["1.2"]},
            "00080000": {"vr": "UL", "Value": [7]},
            "0020000d": {"vr": "UI", "Value": ["1.2.4"]},
        }
        assert back(given | UIDS) == UIDS | {"0020000D": {"vr": "UI", "Value": ["1.2.4"]}}

    def test_missing_vr_is_that_of_the_dictionary(self) -> None:
        assert back(UIDS | {"00280010": {"Value": [3]}})["00280010"] == {"vr": "US", "Value": [3]}


class TestBulk:
    @pytest.mark.parametrize("vr", ["OB", "OW", "UN", "UT"])
    def test_is_spliced_and_padded(self, vr: str) -> None:
        attributes = UIDS | {"00420011": {"vr": vr, "BulkDataURI": "x"}}
        pieces = list(write(attributes, lambda *_: Bulk(spans(b"abc"))))
        assert [piece for piece in pieces if isinstance(piece, Span)], "not in memory"
        data = joined(attributes, lambda *_: Bulk(spans(b"abc")))
        assert data.endswith(b"\4\0\0\0abc " if vr == "UT" else b"\4\0\0\0abc\0")

    def test_of_one_item(self) -> None:
        inner = {"00282000": {"vr": "OB", "BulkDataURI": "icc"}}
        data = joined(UIDS | {"00480105": {"vr": "SQ", "Value": [inner]}}, lambda *_: Bulk(spans(b"ICC!")))
        assert pydicom.dcmread(io.BytesIO(data))[0x00480105].value[0][0x00282000].value == b"ICC!"

    def test_frames_are_fragments_under_an_offset_table(self) -> None:
        bodies = [b"\xff\xd8one\xff\xd9", b"\xff\xd8three\xff\xd9", b"\xff\xd8\xff\xd9"]
        image = {
            "00280008": {"vr": "IS", "Value": [3]},
            "7FE00001": {"vr": "OV", "InlineBinary": "AAAAAAAAAAA="},
            "7FE00010": {"vr": "OW", "BulkDataURI": "pixels"},
        }
        data = joined(
            UIDS | image,
            lambda *_: Bulk(spans(*bodies), encapsulated=True),
            transfer_syntax_uid="1.2.840.10008.1.2.4.50",
        )
        header = part10.read(part10.BytesSource(data))
        assert header.pixel_data is not None
        assert header.pixel_data.problem is None
        assert "7FE00001" not in header.attributes, "the offsets of an encoding that was before"
        found = [data[at : at + length] for at, length in np.array(header.pixel_data.spans).reshape(-1, 2)]
        assert [frame.removesuffix(b"\0") for frame in found] == bodies
        assert list(pydicom.encaps.generate_frames(pydicom.dcmread(io.BytesIO(data)).PixelData)) == found


@pytest.mark.parametrize(
    "element",
    [
        pytest.param({"vr": "ZZ", "Value": ["x"]}, id="no such VR"),
        pytest.param({"vr": "LO", "Value": ["a\\b"]}, id="a backslash would make two values"),
        pytest.param({"vr": "LO", "Value": "a"}, id="Value is no array"),
        pytest.param({"vr": "LO", "Value": [1]}, id="a number is no text"),
        pytest.param({"vr": "US", "Value": [65536]}, id="too large"),
        pytest.param({"vr": "US", "Value": [1.5]}, id="no integer"),
        pytest.param({"vr": "US", "Value": [True]}, id="no number"),
        pytest.param({"vr": "UL", "Value": [{}]}, id="an object is no number"),
        pytest.param({"vr": "UV", "Value": ["9" * 5000]}, id="very many digits"),
        pytest.param({"vr": "FD", "Value": ["x"]}, id="no float"),
        pytest.param({"vr": "DS", "Value": [{}]}, id="no decimal"),
        pytest.param({"vr": "AT", "Value": ["0010"]}, id="no tag"),
        pytest.param({"vr": "PN", "Value": [{"Alphabetic": 3}]}, id="no name"),
        pytest.param({"vr": "OB", "Value": ["x"]}, id="no binary value"),
        pytest.param({"vr": "OB", "InlineBinary": "%%"}, id="no base64"),
        pytest.param({"vr": "OB", "InlineBinary": "QQ==", "BulkDataURI": "x"}, id="two values"),
        pytest.param({"vr": "SQ", "Value": ["x"]}, id="no Item"),
        pytest.param({"vr": "SQ", "BulkDataURI": "x"}, id="a Sequence is no bulk data"),
        pytest.param({"vr": "SQ", "Value": [{"Rows": {}}]}, id="no tag in an Item"),
        pytest.param("x", id="no element"),
    ],
)
def test_what_is_wrong_is_said(element: Any) -> None:
    with pytest.raises(CannotUnderstand):
        joined(UIDS | {"00091010": element})


def test_depth_is_bounded() -> None:
    data: Attributes = {}
    for _ in range(5):
        data = {"00081115": {"vr": "SQ", "Value": [data]}}
    joined(data | UIDS, max_sequence_depth=5)
    with pytest.raises(CannotUnderstand, match="max_sequence_depth"):
        joined(data | UIDS, max_sequence_depth=4)


@given(
    st.dictionaries(
        st.sampled_from(["00080005", "00100010", "00081115", "00280010", "7FE00010", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["vr", "Value", "InlineBinary", "BulkDataURI", "00100010"]), inner)
            ),
            max_leaves=8,
        ),
    )
)
@settings(max_examples=200)
def test_anything_is_written_or_refused(data: Any) -> None:
    try:
        part10.read(part10.BytesSource(joined(data | UIDS)))
    except CannotUnderstand:
        pass


@pytest.mark.shared_data
def test_real_data_sets_are_written_and_read(shared_data: Path) -> None:
    """Files of every modality: read, written from their metadata and bulk data, read again."""
    compared = 0
    for path in sorted((shared_data / "modalities").rglob("*")):
        if not path.is_file() or path.stat().st_size > 300_000:
            continue
        source = part10.BytesSource(path.read_bytes())
        try:
            header = part10.read(source)
        except ArchiveError:
            continue
        syntax = transfer_syntaxes.get(header.transfer_syntax_uid)
        if syntax.encapsulated or syntax.big_endian or syntax.deflated or header.warnings:
            continue

        def resolve(
            tag: str, element: Mapping[str, Any], depth: int, header: Any = header, source: Any = source
        ) -> Bulk:
            bulk = header.bulkdata[element["BulkDataURI"].removeprefix("bulkdata/")]
            return Bulk((Span(source, bulk.offset, bulk.length),))

        again = part10.read(part10.BytesSource(joined(header.attributes, resolve)))
        for attributes in (header.attributes, again.attributes):
            attributes.pop("00080005", None)
        assert again.attributes == header.attributes, path.name
        assert again.warnings == ()
        compared += 1
    assert compared > 20
