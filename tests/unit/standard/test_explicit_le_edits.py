"""Edits of a conversion: elements that are replaced, added and removed, and room for other pixel data."""

from __future__ import annotations

import io
import struct
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from skiagraph.standard import explicit_writer, file_meta
from skiagraph.standard.explicit_le import Edits, Gap, Plan, convert, swapped

NATIVE = [ImplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian]


class Memory:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]


def written(data: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    out = DicomBytesIO()
    out.is_implicit_VR = syntax == ImplicitVRLittleEndian
    out.is_little_endian = syntax != ExplicitVRBigEndian
    write_dataset(out, data)
    return bytes(out.getvalue())


def read(plan: Plan, source: bytes, gap: bytes = b"") -> Dataset:
    body = b""
    for piece in plan.pieces:
        if isinstance(piece, Gap):
            body += gap
        elif isinstance(piece, bytes):
            body += piece
        else:
            body += swapped(source[piece.offset : piece.offset + piece.length], piece.word)
    assert len(body) == plan.length + len(gap)
    meta = file_meta.write({}, transfer_syntax_uid=ExplicitVRLittleEndian, sop_class_uid="1", sop_instance_uid="1.2")
    return pydicom.dcmread(io.BytesIO(meta + body))


def data_set(**changes: Any) -> Dataset:
    data = Dataset()
    data.SOPInstanceUID = "1.2.3"
    data.Modality = "CT"
    item = Dataset()
    item.CodeValue = "x"
    data.AnatomicRegionSequence = [item]
    data.Rows, data.Columns = 2, 2
    data.BitsAllocated = 16
    data.PixelRepresentation = 0
    for keyword, value in changes.items():
        setattr(data, keyword, value)
    return data


@pytest.mark.parametrize("syntax", NATIVE, ids=["implicit", "big endian", "explicit"])
def test_replaced_added_removed(syntax: str) -> None:
    source = written(data_set(), syntax)
    elements = explicit_writer.elements(
        {
            "00080018": {"vr": "UI", "Value": ["1.2.4"]},
            "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
            "00082112": {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": ["y"]}}]},
            "FFFCFFFC": {"vr": "OB", "InlineBinary": "AAAA"},
        }
    )
    elements[0x00080060] = b""
    result = read(convert(Memory(source), 0, syntax, Edits(elements)), source)
    assert [f"{tag:08X}" for tag in result.keys()] == [  # noqa: SIM118
        "00080005",
        "00080018",
        "00082112",
        "00082218",
        "00280010",
        "00280011",
        "00280100",
        "00280103",
        "FFFCFFFC",
    ]
    assert result.SOPInstanceUID == "1.2.4"
    assert result.SourceImageSequence[0].CodeValue == "y"
    assert result.AnatomicRegionSequence[0].CodeValue == "x"


@pytest.mark.parametrize("undefined", [True, False], ids=["undefined length", "defined length"])
@pytest.mark.parametrize("syntax", NATIVE, ids=["implicit", "big endian", "explicit"])
def test_sequences_are_left_out_whole(syntax: str, undefined: bool) -> None:
    data = data_set()
    inner = Dataset()
    inner.AnatomicRegionSequence = [Dataset()]
    inner["AnatomicRegionSequence"].is_undefined_length = undefined
    data.AnatomicRegionSequence = [inner, Dataset()]
    data["AnatomicRegionSequence"].is_undefined_length = undefined
    for item in data.AnatomicRegionSequence:
        item.is_undefined_length_sequence_item = undefined
    source = written(data, syntax)
    result = read(convert(Memory(source), 0, syntax, Edits({0x00082218: b""})), source)
    assert "AnatomicRegionSequence" not in result
    assert (result.Rows, result.PixelRepresentation) == (2, 0)


def test_nested_elements_are_not_meant() -> None:
    item = Dataset()
    item.Rows = 9
    source = written(data_set(AnatomicRegionSequence=[item]))
    result = read(convert(Memory(source), 0, ExplicitVRLittleEndian, Edits({0x00280010: b""})), source)
    assert "Rows" not in result
    assert result.AnatomicRegionSequence[0].Rows == 9


@pytest.mark.parametrize("syntax", NATIVE, ids=["implicit", "big endian", "explicit"])
def test_other_pixel_data(syntax: str) -> None:
    data = data_set(PixelData=bytes(8))
    data["PixelData"].VR = "OW"
    data.add_new(0xFFFCFFFC, "OB", b"\0\0")
    source = written(data, syntax)
    trailing = 12 if syntax != ImplicitVRLittleEndian else 8
    behind = len(source) - trailing - 2
    plan = convert(Memory(source), 0, syntax, Edits(pixel_data=(0x7FE00010, behind)))
    gap = explicit_writer.element(0x7FE00010, {"vr": "OB", "InlineBinary": "AQI="})
    result = read(plan, source, gap)
    assert result.PixelData == b"\1\2"
    assert result[0xFFFCFFFC].value == b"\0\0"


def test_encapsulated_pixel_data_is_passed_over() -> None:
    data = data_set(PixelData=encapsulate([b"\xfe\xff\xdd\xe0 not the end", b"two"]))
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    data.add_new(0xFFFCFFFC, "OB", b"\0\0")
    source = written(data)
    behind = len(source) - 14
    assert source[behind - 8 : behind] == struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    plan = convert(Memory(source), 0, ExplicitVRLittleEndian, Edits(pixel_data=(0x7FE00010, behind)))
    assert sum(isinstance(piece, Gap) for piece in plan.pieces) == 1
    result = read(plan, source)
    assert "PixelData" not in result
    assert result[0xFFFCFFFC].value == b"\0\0"


@pytest.mark.parametrize("undefined", [True, False], ids=["undefined length", "defined length"])
def test_icons_in_another_syntax_are_left_out(undefined: bool) -> None:
    icon = Dataset()
    icon.Rows = 1
    icon.PixelData = encapsulate([b"icon"])
    icon["PixelData"].VR = "OB"
    icon["PixelData"].is_undefined_length = True
    data = data_set(IconImageSequence=[icon], PixelData=bytes(8))
    data["IconImageSequence"].is_undefined_length = undefined
    data["PixelData"].VR = "OW"
    source = written(data)
    kept = read(convert(Memory(source), 0, ExplicitVRLittleEndian), source)
    assert kept.IconImageSequence[0].Rows == 1
    plan = convert(Memory(source), 0, ExplicitVRLittleEndian, Edits(pixel_data=(0x7FE00010, len(source))))
    assert "IconImageSequence" not in read(plan, source)
    native = data_set(IconImageSequence=[Dataset()], PixelData=bytes(8))
    native.IconImageSequence[0].PixelData = bytes(4)
    native.IconImageSequence[0]["PixelData"].VR = "OW"
    native["PixelData"].VR = "OW"
    source = written(native)
    plan = convert(Memory(source), 0, ExplicitVRLittleEndian, Edits(pixel_data=(0x7FE00010, len(source))))
    assert "IconImageSequence" in read(plan, source), "native icons are right in every syntax"
