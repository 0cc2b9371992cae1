"""Conversion into Explicit VR Little Endian: equal data sets, whatever the native syntax was."""

from __future__ import annotations

import csv
import io
import struct
from pathlib import Path

import numpy
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from skiagraph.errors import ArchiveError
from skiagraph.standard import file_meta
from skiagraph.standard.explicit_le import Plan, Span, convert, pixel_word, swapped

NATIVE = [
    pytest.param(ImplicitVRLittleEndian, id="Implicit VR LE"),
    pytest.param(ExplicitVRBigEndian, id="Explicit VR BE"),
    pytest.param(ExplicitVRLittleEndian, id="Explicit VR LE"),
]


class Memory:
    """Bytes as a Source that counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self.taken = 0

    def read_at(self, offset: int, length: int) -> bytes:
        data = self.data[offset : offset + length]
        self.taken += len(data)
        return data


def carried_out(plan: Plan, source: bytes) -> bytes:
    data = b"".join(
        piece if isinstance(piece, bytes) else swapped(source[piece.offset : piece.offset + piece.length], piece.word)
        for piece in plan.pieces
    )
    assert len(data) == plan.length
    return data


def converted(data: bytes, transfer_syntax_uid: str, offset: int = 0) -> Dataset:
    meta = file_meta.write({}, transfer_syntax_uid=ExplicitVRLittleEndian, sop_class_uid="1", sop_instance_uid="1.2")
    return pydicom.dcmread(io.BytesIO(meta + carried_out(convert(Memory(data), offset, transfer_syntax_uid), data)))


def encoded(data_set: Dataset, transfer_syntax_uid: str) -> bytes:
    fp = DicomBytesIO()
    fp.is_little_endian = transfer_syntax_uid != ExplicitVRBigEndian
    fp.is_implicit_VR = transfer_syntax_uid == ImplicitVRLittleEndian
    write_dataset(fp, data_set)
    return fp.getvalue()


def everything() -> Dataset:
    """A value of every VR, nested, empty, private and long."""
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 100"
    data.SOPInstanceUID = "1.2.3"
    data.StudyDate, data.StudyTime, data.AcquisitionDateTime = "20220928", "2141", "20220928214137"
    data.PatientName, data.PatientAge, data.PatientID = "Müller^Änne", "040Y", "ID"
    data.RetrieveAETitle, data.Modality = ["ONE", "TWO"], "CT"
    data.ReferencedSegmentNumber = [1, 2]
    data.SimpleFrameList = [70000, 1]
    data.FrameIncrementPointer = 0x00181063
    data.TableTopVerticalSetupDisplacement = 1.5
    data.add_new(0x00720074, "FD", [1.5, -2.5, 1e300])
    data.add_new(0x00720076, "FL", [1.5, -2.5])
    data.add_new(0x0072007C, "SL", [-70000])
    data.add_new(0x0072007E, "SS", [-7, 7])
    data.add_new(0x00720082, "SV", [-(2**40)])
    data.add_new(0x00720083, "UV", [2**63])
    data.add_new(0x00720065, "OB", b"\x01\x02\x03\x04")
    data.add_new(0x00720067, "OF", struct.pack("<2f", 1.5, 2.5))
    data.add_new(0x00720073, "OD", struct.pack("<d", 1.5))
    data.add_new(0x00720075, "OL", struct.pack("<2L", 1, 2))
    data.add_new(0x00720081, "OV", struct.pack("<Q", 3))
    data.add_new(0x00720069, "OW", struct.pack("<2H", 1, 2))
    data.LongCodeValue, data.TextValue, data.RetrieveURL = "unlimited", "a text " * 20 + ".", "http://example.org"
    data.RescaleIntercept, data.SeriesNumber = "-1024.5", "7"
    data.PixelRepresentation = 1
    data.add_new(0x00280120, "SS", -2000)
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = "T-1", ""
    inner = Dataset()
    inner.add_new(0x00280107, "SS", -5)
    item.ConceptNameCodeSequence = Sequence([inner, Dataset()])
    data.ProcedureCodeSequence = Sequence([item, Dataset()])
    data.ReferencedStudySequence = Sequence([])
    data.add_new(0x00091010 - 0x1000, "LO", "ACME 3.2")
    data.add_new(0x00290010, "LO", "SIEMENS MEDCOM HEADER")
    data.add_new(0x00291031, "LO", "known to the dictionary")
    data.BitsAllocated, data.Rows = 16, 4
    return data


def in_order(data: Dataset, big: bool) -> Dataset:
    """pydicom hands the bytes of O* values out as they are: give it those of the byte order it is to write."""
    if big:
        for element in data.iterall():
            if element.VR in ("OW", "OF", "OL", "OD", "OV"):
                element.value = swapped(element.value, {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}[element.VR])
    return data


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("undefined", [True, False], ids=["undefined lengths", "defined lengths"])
def test_every_vr(syntax: str, undefined: bool) -> None:
    source = in_order(everything(), syntax == ExplicitVRBigEndian)
    for element in source.iterall():
        if element.VR == "SQ":
            element.is_undefined_length = undefined
            for item in element.value:
                item.is_undefined_length_sequence_item = undefined
    result = converted(encoded(source, syntax), syntax)
    assert everything() == result
    assert [element.VR for element in result.iterall()] == [element.VR for element in everything().iterall()]


@pytest.mark.parametrize("syntax", NATIVE[:2])
@pytest.mark.parametrize("length", [0, 2, 4096, 4098, 65534, 65536, 1_000_002])
def test_values_of_any_length(syntax: str, length: int) -> None:
    source = Dataset()
    source.BitsAllocated = 16
    words = numpy.arange(length // 2, dtype="<u2")
    source.add_new(0x7FE00010, "OW", words.astype(">u2" if syntax == ExplicitVRBigEndian else "<u2").tobytes())
    assert (converted(encoded(source, syntax), syntax).PixelData or b"") == words.tobytes()


def test_a_value_too_long_for_its_vr_becomes_unknown() -> None:
    """PS3.18 §8.7.8, PS3.5 §6.2.2: 65,534 bytes are the most that a 16-bit length takes."""
    source = Dataset()
    source.add_new(0x30060050, "DS", ["1.25"] * 20_000)
    data = encoded(source, ImplicitVRLittleEndian)
    output = carried_out(convert(Memory(data), 0, ImplicitVRLittleEndian), data)
    assert struct.pack("<HH2sHL", 0x3006, 0x0050, b"UN", 0, 100_000) in output
    assert output.endswith(b"1.25\\" * 19_999 + b"1.25 ")


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def big(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    size = len(value) if length is None else length
    form = ">HH2sHL" if vr in (b"UN", b"SQ", b"OB", b"OW") else ">HH2sH"
    return struct.pack(form, tag >> 16, tag & 0xFFFF, vr, *((0, size) if form.endswith("L") else (size,))) + value


UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
NAME = implicit(0x00100020, b"ID")
AS_NAME = b"\x10\x00\x20\x00LO\x02\x00ID"
OPEN = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
CLOSE = b"\xfe\xff\x0d\xe0\0\0\0\0"
END = b"\xfe\xff\xdd\xe0\0\0\0\0"
SEQUENCE = b"\x08\x00\x10\x11SQ\0\0\xff\xff\xff\xff"


@pytest.mark.parametrize(
    ("source", "output"),
    [
        pytest.param(b"", b"", id="empty data set"),
        pytest.param(implicit(0x00100000, b"\x0a\0\0\0") + NAME, AS_NAME, id="group length is dropped"),
        pytest.param(implicit(0x00100020, b"ODD"), b"\x10\x00\x20\x00LO\x04\x00ODD ", id="odd text gets a blank"),
        pytest.param(implicit(0x00080018, b"1.2"), b"\x08\x00\x18\x00UI\x04\x001.2\0", id="odd UID gets a NUL"),
        pytest.param(
            implicit(0x00091002, b"\1\2"), b"\x09\x00\x02\x10UN\0\0\x02\0\0\0\1\2", id="unknown private is UN"
        ),
        pytest.param(
            implicit(0x00081110, implicit(ITEM, NAME)),
            SEQUENCE + OPEN + AS_NAME + CLOSE + END,
            id="defined lengths become undefined",
        ),
        pytest.param(
            implicit(0x00081110, implicit(ITEM, NAME, UNDEFINED), UNDEFINED),
            SEQUENCE + OPEN + AS_NAME + CLOSE + END,
            id="sequence never closed",
        ),
        pytest.param(
            implicit(0x00081110, implicit(ITEM, NAME, UNDEFINED) + implicit(SEQUENCE_END, b""), UNDEFINED) + NAME,
            SEQUENCE + OPEN + AS_NAME + CLOSE + END + AS_NAME,
            id="item never closed, sequence is",
        ),
        pytest.param(
            implicit(0x00081110, implicit(ITEM, NAME, UNDEFINED) * 2 + implicit(SEQUENCE_END, b""), UNDEFINED),
            SEQUENCE + (OPEN + AS_NAME + CLOSE) * 2 + END,
            id="item closed by the next one",
        ),
        pytest.param(
            implicit(
                0x00091002,
                implicit(ITEM, NAME, UNDEFINED) + implicit(ITEM_END, b"") + implicit(SEQUENCE_END, b""),
                UNDEFINED,
            ),
            b"\x09\x00\x02\x10SQ\0\0\xff\xff\xff\xff" + OPEN + AS_NAME + CLOSE + END,
            id="unknown private of undefined length is a sequence",
        ),
        pytest.param(
            implicit(0x00081110, b"no items"), b"\x08\x00\x10\x11UN\0\0\x08\0\0\0no items", id="sequence without items"
        ),
        pytest.param(NAME + implicit(ITEM_END, b"") + NAME, AS_NAME * 2, id="stray delimiter"),
        pytest.param(NAME + b"\x10\0", AS_NAME, id="trailing bytes"),
        pytest.param(implicit(0x00100020, b"ID", 200), AS_NAME, id="value cut by the end"),
        pytest.param(AS_NAME, AS_NAME, id="explicit after all"),
    ],
)
def test_implicit(source: bytes, output: bytes) -> None:
    assert carried_out(convert(Memory(source), 0, ImplicitVRLittleEndian), source) == output


@pytest.mark.parametrize(
    ("source", "output"),
    [
        pytest.param(big(0x00091002, b"UN", b"\1\2\3\4"), b"\x09\0\x02\x10UN\0\0\4\0\0\0\1\2\3\4", id="UN is kept"),
        pytest.param(
            big(
                0x00081110,
                b"UN",
                implicit(ITEM, NAME, UNDEFINED) + implicit(ITEM_END, b"") + implicit(SEQUENCE_END, b""),
                UNDEFINED,
            )
            + big(0x00100020, b"LO", b"ID"),
            SEQUENCE + OPEN + AS_NAME + CLOSE + END + AS_NAME,
            id="PS3.5 §6.2.2 UN of undefined length is implicit little endian",
        ),
        pytest.param(big(0x00280009, b"AT", b"\x00\x18\x10\x63"), b"\x28\0\x09\0AT\4\0\x18\0\x63\x10", id="AT"),
        pytest.param(
            big(0x7FE00010, b"OB", b"\1\2\3\4"), b"\xe0\x7f\x10\0OB\0\0\4\0\0\0\1\2\3\4", id="OB has no byte order"
        ),
        pytest.param(
            big(0x00280100, b"US", b"\0\x20") + big(0x7FE00010, b"OW", b"\1\2\3\4"),
            b"\x28\0\0\1US\2\0\x20\0" + b"\xe0\x7f\x10\0OW\0\0\4\0\0\0\4\3\2\1",
            id="OW of 32 bits allocated goes by pixels",
        ),
    ],
)
def test_big_endian(source: bytes, output: bytes) -> None:
    assert carried_out(convert(Memory(source), 0, ExplicitVRBigEndian), source) == output


def test_memory_is_that_of_the_header() -> None:
    source = implicit(0x00100020, b"ID") + implicit(0x7FE00010, bytes(10_000_000))
    memory = Memory(source)
    plan = convert(memory, 0, ImplicitVRLittleEndian)
    assert memory.taken < 200_000
    assert plan.pieces[-1] == Span(18, 10_000_000)


def test_nesting_to_any_depth() -> None:
    source = (implicit(0x00081110, b"", UNDEFINED) + implicit(ITEM, b"", UNDEFINED)) * 20_000
    assert convert(Memory(source), 0, ImplicitVRLittleEndian).length == 20_000 * (12 + 8 + 16)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from(
                [
                    NAME,
                    AS_NAME,
                    implicit(0x00081110, b"", UNDEFINED),
                    implicit(0x00081110, b"", 40),
                    implicit(ITEM, b"", UNDEFINED),
                    implicit(ITEM, b"", 12),
                    implicit(ITEM_END, b""),
                    implicit(SEQUENCE_END, b""),
                    implicit(0x7FE00010, b"", UNDEFINED),
                    big(0x00081110, b"UN", b"", UNDEFINED),
                    b"\0",
                ]
            ),
            max_size=20,
        ).map(b"".join),
    ),
    st.sampled_from([ImplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian]),
)
def test_any_bytes_give_a_plan_or_our_error(data: bytes, syntax: str) -> None:
    try:
        plan = convert(Memory(data), 0, syntax)
    except ArchiveError:
        return
    carried_out(plan, data)


@pytest.mark.parametrize(
    ("vr", "bits", "word"),
    [("OW", 16, 2), ("OW", 8, 2), ("OW", 1, 2), ("OW", 32, 4), ("OB", 8, 1), ("OF", 32, 4), ("OD", 64, 8)],
)
def test_words_of_pixel_data(vr: str, bits: int, word: int) -> None:
    assert pixel_word(vr, bits) == word


@given(st.binary(max_size=40), st.sampled_from([1, 2, 4, 8]))
def test_swapping_twice_is_nothing(data: bytes, word: int) -> None:
    assert swapped(swapped(data, word), word) == data
    assert len(swapped(data, word)) == len(data)


def difference(original: Dataset, result: Dataset, syntax: str, where: str = "") -> list[str]:
    """What differs, as far as it should not."""
    found = []
    tags = [tag for tag in original.keys() if tag.element != 0]  # noqa: SIM118
    if tags != list(result.keys()):
        found.append(f"{where}: tags")
    for tag in tags:
        raw = original.get_item(tag)
        a, b = original[tag], result[tag]
        if a.VR == "SQ":
            if len(a.value) != len(b.value):
                found.append(f"{where}{tag}: items")
            for number, (one, other) in enumerate(zip(a.value, b.value, strict=False)):
                found += difference(one, other, syntax, f"{where}{tag}[{number}]")
            continue
        x, y = a.value, b.value
        if isinstance(x, bytes) and isinstance(y, bytes):
            if syntax == ExplicitVRBigEndian:
                bits = int(original.get("BitsAllocated", 16))
                word = pixel_word(a.VR, bits) if tag == 0x7FE00010 else {"OW": 2, "OF": 4, "OD": 8}.get(a.VR, 1)
                x = swapped(x, word)
            x, y = x + b"\0" * (len(x) % 2), y + b"\0" * (len(y) % 2)
        if syntax == ExplicitVRBigEndian and getattr(raw, "VR", "") == "UN":
            continue  # pydicom swaps what it looks up for UN, although UN has no byte order
        if a.VR != b.VR or not numpy.array_equal(numpy.asarray(x, object), numpy.asarray(y, object)):
            if str(x) == str(y):  # NaN is never equal
                continue
            found.append(f"{where}{tag}: {a.VR} {b.VR}")
    return found


@pytest.mark.shared_data
@pytest.mark.filterwarnings("ignore")
def test_every_native_file(shared_data: Path) -> None:
    """pydicom reads the conversion, and the data set equals the original's."""
    found = {}
    count = 0
    with (shared_data / "MANIFEST.csv").open(newline="") as file:
        rows = [row["path"] for row in csv.DictReader(file)]
    for path in rows:
        if path.startswith(("broken/", "payloads/")) or "DICOMDIR" in path:
            continue
        data = (shared_data / path).read_bytes()
        stream = io.BytesIO(data)
        read_preamble(stream, force=True)
        meta = _read_file_meta_info(stream)
        syntax = meta.get("TransferSyntaxUID")
        if syntax not in (ImplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian):
            continue
        count += 1
        problems = difference(
            pydicom.dcmread(io.BytesIO(data), force=True), converted(data, syntax, stream.tell()), syntax
        )
        if problems:
            found[path] = problems
    assert count > 200
    assert not found
