"""Elements out of the DICOM JSON Model, judged by pydicom."""

from __future__ import annotations

import io
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset

from skiagraph.errors import BadRequest
from skiagraph.standard import explicit_writer
from skiagraph.values import Attributes


def read(attributes: Attributes) -> Dataset:
    data = b"".join(explicit_writer.elements(attributes).values())
    return read_dataset(DicomBytesIO(data), is_implicit_VR=False, is_little_endian=True)


@pytest.mark.parametrize(
    ("tag", "vr", "given", "keyword", "expected"),
    [
        ("00080060", "CS", ["CT"], "Modality", "CT"),
        ("00080008", "CS", ["DERIVED", "PRIMARY", "X"], "ImageType", ["DERIVED", "PRIMARY", "X"]),
        ("00080018", "UI", ["1.2.3"], "SOPInstanceUID", "1.2.3"),
        ("00280010", "US", [512], "Rows", 512),
        ("00280106", "SS", [-5], "SmallestImagePixelValue", -5),
        ("00282112", "DS", [12.5, "3"], "LossyImageCompressionRatio", [12.5, 3]),
        ("00200013", "IS", [7], "InstanceNumber", 7),
        ("00189087", "FD", [0.1], "DiffusionBValue", 0.1),
        ("00409212", "FD", [1, 2.5], "RealWorldValueLUTData", [1, 2.5]),
        ("00720026", "AT", ["00280010"], "SelectorAttribute", 0x00280010),
        ("00100020", "LO", ["", "x"], "PatientID", ["", "x"]),
        ("00080060", "CS", None, "Modality", ""),
    ],
)
def test_values(tag: str, vr: str, given: list[Any] | None, keyword: str, expected: object) -> None:
    attribute = {"vr": vr} if given is None else {"vr": vr, "Value": given}
    element = explicit_writer.element(int(tag, 16), attribute)
    assert len(element) % 2 == 0
    assert read({tag: attribute})[keyword].value == expected


def test_names() -> None:
    group = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}
    data = explicit_writer.elements({"00100010": {"vr": "PN", "Value": [group]}}, lambda text: text.encode())
    assert data[0x00100010][8:].rstrip(b" ").decode() == "Yamada^Tarou=山田^太郎"


def test_sequences() -> None:
    inner = {"00080100": {"vr": "SH", "Value": ["x"]}}
    found = read({"00082112": {"vr": "SQ", "Value": [{"0040A170": {"vr": "SQ", "Value": [inner, inner]}}, {}]}})
    assert len(found.SourceImageSequence) == 2
    assert found.SourceImageSequence[0].PurposeOfReferenceCodeSequence[1].CodeValue == "x"
    assert len(read({"00082112": {"vr": "SQ"}}).SourceImageSequence) == 0


def test_binary() -> None:
    assert explicit_writer.element(0x00420011, {"vr": "OB", "InlineBinary": "AQID"})[12:] == b"\1\2\3\0"


def test_long_values_become_un() -> None:
    """PS3.18 §8.7.8: there are 16 bits for the length."""
    element = explicit_writer.element(0x00409212, {"vr": "FD", "Value": [1.0] * 10_000})
    assert element[4:6] == b"UN"
    assert len(element) == 12 + 80_000


@pytest.mark.parametrize("number", [0.1, 1 / 3, 1e-300, 123456789.123456789, -1.7976931348623157e308, 5])
def test_decimal_strings_have_sixteen_characters_at_most(number: float) -> None:
    text = explicit_writer.element(0x00282112, {"vr": "DS", "Value": [number]})[8:].rstrip(b" ")
    assert len(text) <= 16
    assert float(text) == pytest.approx(number, rel=1e-8)


@pytest.mark.parametrize(
    "attribute",
    [
        {"vr": "US", "Value": [70000]},
        {"vr": "US", "Value": ["x"]},
        {"vr": "CS", "Value": [5]},
        {"vr": "PN", "Value": ["x"]},
        {"vr": "OB", "Value": [1]},
        {"vr": "OB", "BulkDataURI": "x"},
        {"vr": "OB", "InlineBinary": "?"},
        {"vr": "AT", "Value": ["zz"]},
        {"vr": "SQ", "Value": ["x"]},
    ],
    ids=str,
)
def test_what_is_no_value_of_its_vr(attribute: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=r"\(0028,2112\)"):
        explicit_writer.element(0x00282112, attribute)


def test_as_a_file() -> None:
    assert pydicom.dcmread(
        io.BytesIO(b"".join(explicit_writer.elements({"00080060": {"vr": "CS", "Value": ["CT"]}}).values())), force=True
    )
