"""The reader against pydicom: on every file of the large test set, and on data sets of every VR that pydicom wrote.

`DIFFERENCES` names where the two may differ and which rule makes ours the right one; everything else is equal.
"""

from __future__ import annotations

import base64
import io
import logging
import math
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import config
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from conftest import SHARED_DATA
from skiagraph.standard import dicom_json, part10
from skiagraph.standard.explicit_le import swapped
from skiagraph.standard.header import MULTI_FRAGMENT, Header, Source

FILES = (
    sorted(
        str(path.relative_to(SHARED_DATA))
        for path in SHARED_DATA.rglob("*")
        if path.is_file()
        and path.suffix not in (".md", ".csv")
        and path.relative_to(SHARED_DATA).parts[0] not in ("broken", "payloads")
    )
    if SHARED_DATA.is_dir()
    else []
)

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

# Files that pydicom reads wrongly or not at all, and why.
UNREADABLE = {
    "syntaxes/generated/jpip-htj2k-referenced-deflate.dcm": "pydicom inflates no JPIP syntax (PS3.5 §A.7)",
    "syntaxes/generated/jpip-referenced-deflate.dcm": "pydicom inflates no JPIP syntax (PS3.5 §A.7)",
    "text/structure/no_meta.dcm": "begins with a stray byte",
    "text/structure/no_preamble_dicm_in_data": "pydicom takes DICM in a value for the prefix",
}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """pydicom warns and logs; what it then reads is what counts here."""
    mode = config.settings.reading_validation_mode
    config.settings.reading_validation_mode = config.IGNORE
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)
    config.settings.reading_validation_mode = mode


DIFFERENCES = {
    "group lengths": "§F.2.2: Group Length is left out",
    "invalid": "pydicom has no JSON for values that are invalid for their VR; we keep the string",
    "padding": "PS3.5 §6.2: padding of each value is removed, not of the last alone",
    "null": "§F.2.5: an empty value among several is null, not the empty string",
    "bulk": "§F.2.6: long values are bulk data; compared byte by byte",
    "number": "Table F.2.3-1: a DS that no double equals is a string, as are SV and UV beyond 2**53",
    "no number": "JSON has no NaN and no infinity",
    "groups": "Table F.2.2-1: only component groups that are not empty",
    "byte order": "§F.2.7: InlineBinary is in little endian words, pydicom passes on what it read",
    "escape": "pydicom leaves the escape sequences of ISO 2022 IR 58 in the text",
    "UN": "PS3.5 §6.2.2: UN is little endian in a big endian file too",
    "default set": "text without Specific Character Set is UTF-8 if it can be",
}


class Comparison:
    """Ours and theirs, side by side."""

    def __init__(self, header: Header, source: Source, big_endian: bool) -> None:
        self.header = header
        self.source = source
        self.big_endian = big_endian
        self.met: set[str] = set()

    def data_set(self, path: str, ours: dict[str, Any], theirs: Dataset) -> None:
        assert list(ours) == sorted(ours)
        tags = {f"{tag:08X}" for tag in theirs.keys()}  # noqa: SIM118 its items are elements
        without_lengths = {tag for tag in tags if not tag.endswith("0000")}
        if tags != without_lengths:
            self.met.add("group lengths")
        assert set(ours) == without_lengths, path
        for tag, attribute in ours.items():
            raw_vr = getattr(theirs.get_item(int(tag, 16)), "VR", None)
            element = theirs[int(tag, 16)]
            self.element(f"{path}{tag}", attribute, element, raw_vr)

    def element(self, path: str, ours: dict[str, Any], element: Any, raw_vr: str | None) -> None:
        try:
            theirs = element.to_json_dict(None, 1 << 40)
        except Exception:
            self.met.add("invalid")
            assert "Value" in ours, path
            return
        if raw_vr == "UN" and self.big_endian and ours.get("Value") != theirs.get("Value"):
            self.met.add("UN")
            return
        assert ours["vr"] == theirs["vr"], path
        if ours["vr"] == "SQ":
            items = ours.get("Value", [])
            assert len(items) == len(element.value), path
            for number, (item, other) in enumerate(zip(items, element.value, strict=True)):
                self.data_set(f"{path}/{number}/", item, other)
        elif "BulkDataURI" in ours:
            self.bulk(path, ours, element, theirs)
        elif ours != theirs:
            self.values(path, ours, theirs)

    def bulk(self, path: str, ours: dict[str, Any], element: Any, theirs: dict[str, Any]) -> None:
        self.met.add("bulk")
        key = "pixeldata" if path in ("7FE00008", "7FE00009", "7FE00010") else path
        assert ours["BulkDataURI"] == ("pixeldata" if key == "pixeldata" else f"bulkdata/{key}")
        bulk = self.header.bulkdata[key]
        raw = self.source.read_at(bulk.offset, bulk.length)
        assert len(raw) == bulk.length
        if "Value" in theirs:
            values = struct.unpack(f"{'>' if self.big_endian else '<'}{len(raw) // 2}H", raw)
            assert theirs["vr"] == "US"
            assert theirs["Value"] == list(values)
        else:
            other = base64.b64decode(theirs["InlineBinary"])
            if bulk.encapsulated:
                other = other.removesuffix(b"\xfe\xff\xdd\xe0\0\0\0\0")
            assert raw == other or raw + b"\0" == other, path

    def values(self, path: str, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
        mine, other = ours.get("Value", []), theirs.get("Value", [])
        if "InlineBinary" in ours:
            self.met.add("byte order")
            assert self.big_endian
            raw = base64.b64decode(theirs["InlineBinary"])
            assert base64.b64decode(ours["InlineBinary"]) == swapped(raw, WORD[ours["vr"]]), path
            return
        assert len(mine) == len(other) or not mine, path
        for value, wanted in zip(mine, other, strict=False):
            if value == wanted:
                continue
            if value is None:
                self.met.add("null")
                assert not wanted or not str(wanted).strip(" \0"), path
            elif ours["vr"] in ("DS", "SV", "UV") and isinstance(value, str):
                self.met.add("number")
                assert float(value) == wanted if ours["vr"] == "DS" else int(value) == wanted, path
            elif ours["vr"] in ("FL", "FD"):
                self.met.add("no number")
                assert value == {math.inf: "Infinity", -math.inf: "-Infinity"}.get(wanted, "NaN"), path
            elif ours["vr"] == "PN":
                self.met |= {"escape", "groups"}
                assert value == {name: group.replace("\x1b$)A", "") for name, group in wanted.items() if group}, path
            elif isinstance(value, str) and value == wanted.strip(" \0"):
                self.met.add("padding")
            elif isinstance(value, str) and not value.isascii():
                self.met.add("default set")
                assert value == wanted.encode("latin-1").decode("utf-8")
            else:
                self.met.add("padding")
                assert value == wanted.strip(" \0"), path


def both(path: Path) -> tuple[Header, part10.BytesSource, Dataset]:
    source = part10.BytesSource(path.read_bytes())
    return part10.read(source), source, pydicom.dcmread(path, force=True)


@pytest.mark.shared_data
@pytest.mark.parametrize("name", FILES)
def test_the_model_is_pydicoms(name: str, shared_data: Path) -> None:
    header, source, theirs = both(shared_data / name)
    dicom_json.encode(header.attributes)
    if name in UNREADABLE:
        assert "00080018" in header.attributes or "00080005" in header.attributes
        return
    plain = part10.plain(source, header, max_inflated_bytes=1 << 30)
    comparison = Comparison(header, plain, not theirs.original_encoding[1])
    comparison.data_set("", header.attributes, theirs)
    assert comparison.met <= set(DIFFERENCES)


@pytest.mark.shared_data
@pytest.mark.parametrize("name", FILES)
def test_the_frames_are_pydicoms(name: str, shared_data: Path) -> None:
    header, source, theirs = both(shared_data / name)
    pixels = header.pixel_data
    if pixels is None or name in UNREADABLE:
        assert name in UNREADABLE or not any(theirs.get(keyword) for keyword in PIXELS)
        return
    if "Rows" not in theirs or pixels.video:
        return
    (declared,) = header.attributes.get("00280008", {}).get("Value", [1])
    frames = declared if isinstance(declared, int) else 1
    assert (pixels.frames, pixels.problem) == (frames, None)
    if not pixels.encapsulated:
        assert math.ceil(pixels.frame_bits * frames / 8) <= pixels.length
        if frames == declared and "SamplesPerPixel" in theirs and pixels.tag == "7FE00010":
            assert math.ceil(pixels.frame_bits * frames / 8) == get_expected_length(theirs)
        return
    tables = None
    if "ExtendedOffsetTable" in theirs and "ExtendedOffsetTableLengths" in theirs:
        tables = (theirs.ExtendedOffsetTable, theirs.ExtendedOffsetTableLengths)
    wanted = list(generate_frames(theirs.PixelData, number_of_frames=frames, extended_offsets=tables))
    assert list(cut(source, pixels.spans)) == wanted


def cut(source: Source, spans: Any) -> Iterator[bytes]:
    for offset, length in zip(spans[::2], spans[1::2], strict=True):
        if not length & MULTI_FRAGMENT:
            yield source.read_at(offset, length)
            continue
        at, end, frame = offset, offset + (length ^ MULTI_FRAGMENT), b""
        while at < end:
            size = int.from_bytes(source.read_at(at + 4, 4), "little")
            frame += source.read_at(at + 8, size)
            at += 8 + size
        yield frame


# Every VR, written by pydicom

NO_CONTROL = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\\")
ONE_LINE = st.text(NO_CONTROL, max_size=20)
ASCII = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\"), max_size=16)
CODE = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", min_size=1, max_size=16)
NAME_PART = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs"), exclude_characters="\\^="), max_size=8
)
FLOAT32 = st.floats(width=32)


def several(value: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(value, min_size=1, max_size=4)


def words(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(max_size=5).map(lambda raw: raw * size)


TAGS = {
    "AE": (0x00080054, several(ASCII)),
    "AS": (0x00101010, several(st.from_regex(r"\A[0-9]{3}[DWMY]\Z"))),
    "AT": (0x00280009, several(st.integers(0, 0xFFFFFFFF))),
    "CS": (0x00080008, several(CODE)),
    "DA": (0x00080020, several(st.dates().map(lambda day: f"{day:%Y%m%d}".rjust(8, "0")))),
    "DS": (0x00181190, several(st.decimals(-(10**6), 10**6, places=3).map(str))),
    "DT": (0x0008002A, several(st.from_regex(r"\A20[0-9]{12}\.[0-9]{6}\Z"))),
    "FD": (0x00189087, several(st.floats())),
    "FL": (0x00089459, several(FLOAT32)),
    "IS": (0x00082122, several(st.integers(-(2**31), 2**31 - 1))),
    "LO": (0x00100020, several(ONE_LINE)),
    "LT": (0x00104000, st.text(st.characters(codec="utf-8", exclude_characters="\0\x1b"), max_size=60)),
    "OB": (0x00282000, st.binary(max_size=40)),
    "OD": (0x0070150D, words(8)),
    "OF": (0x00660016, words(4)),
    "OL": (0x00660129, words(4)),
    "OV": (0x7FE00001, words(8)),
    "OW": (0x00281201, words(2)),
    "PN": (0x00101001, several(st.lists(NAME_PART, min_size=1, max_size=3).map("=".join))),
    "SH": (0x00080050, several(ONE_LINE)),
    "SL": (0x00186020, several(st.integers(-(2**31), 2**31 - 1))),
    "SS": (0x00189219, several(st.integers(-(2**15), 2**15 - 1))),
    "ST": (0x00080081, st.text(st.characters(codec="utf-8", exclude_characters="\0\x1b"), max_size=60)),
    "SV": (0x00720082, several(st.integers(-(2**63), 2**63 - 1))),
    "TM": (0x00080030, several(st.from_regex(r"\A[01][0-9][0-5][0-9][0-5][0-9](\.[0-9]{1,6})?\Z"))),
    "UC": (0x00189908, several(ONE_LINE)),
    "UI": (0x00080016, several(st.from_regex(r"\A[1-2](\.[1-9][0-9]{0,5}){1,6}\Z"))),
    "UL": (0x00186016, several(st.integers(0, 2**32 - 1))),
    "UN": (0x00091001, st.binary(max_size=40)),
    "UR": (0x00080120, ASCII),
    "US": (0x00280010, several(st.integers(0, 2**16 - 1))),
    "UT": (0x0040A160, st.text(st.characters(codec="utf-8", exclude_characters="\0\x1b"), max_size=60)),
    "UV": (0x00720083, several(st.integers(0, 2**64 - 1))),
}
WORD = {"OD": 8, "OF": 4, "OL": 4, "OV": 8, "OW": 2}
KEEPS_LEADING = ("LT", "ST", "UT", "UR", "UC", "PN")


def expected(vr: str, value: Any) -> list[Any]:
    """What Annex F makes of the value, said a second time."""
    if isinstance(value, bytes):
        return [base64.b64encode(value).decode()] if value else []
    if isinstance(value, str):
        return [value.rstrip(" \0")] if value.rstrip(" \0") else []
    result: list[Any] = []
    for one in value:
        match vr:
            case "AT":
                result.append(f"{one:08X}")
            case "DS":
                result.append(float(one))
            case "FL" | "FD":
                text = "NaN" if math.isnan(one) else "Infinity" if one > 0 else "-Infinity"
                result.append(one if math.isfinite(one) else text)
            case "SV" | "UV":
                result.append(one if abs(one) <= 2**53 else str(one))
            case "PN":
                groups = zip(("Alphabetic", "Ideographic", "Phonetic"), one.rstrip(" \0").split("="), strict=False)
                result.append({name: group for name, group in groups if group} or None)
            case _ if isinstance(one, str):
                result.append((one.rstrip(" \0") if vr in KEEPS_LEADING else one.strip(" \0")) or None)
            case _:
                result.append(one)
    return [] if result == [None] else result


def write(data: Dataset, syntax: str) -> bytes:
    data.preamble = bytes(128)
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    pydicom.dcmwrite(
        out, data, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=syntax != ExplicitVRBigEndian
    )
    return out.getvalue()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("vr", sorted(TAGS))
def test_every_vr_comes_back(vr: str, syntax: str) -> None:
    tag, strategy = TAGS[vr]

    @settings(max_examples=30, deadline=None)
    @given(strategy, st.booleans(), st.sampled_from([0, 8, 1024]))
    def check(value: Any, nested: bool, threshold: int) -> None:
        data = Dataset()
        data.SpecificCharacterSet = "ISO_IR 192"
        inner = Dataset() if nested else data
        written = value
        if syntax == ExplicitVRBigEndian and vr in WORD:
            written = swapped(value, WORD[vr])
        inner.add_new(tag, vr, written)
        if nested:
            data.ContentSequence = [Dataset(), inner]
        raw = write(data, syntax)
        header = part10.read(part10.BytesSource(raw), bulkdata_threshold=threshold)
        attributes = header.attributes["0040A730"]["Value"][1] if nested else header.attributes
        found = attributes[f"{tag:08X}"]
        assert found["vr"] == vr
        if "BulkDataURI" in found:
            bulk = header.bulkdata[found["BulkDataURI"].removeprefix("bulkdata/")]
            assert bulk.length > threshold
            stored = raw[bulk.offset : bulk.offset + bulk.length]
            if isinstance(written, bytes):
                assert stored.removesuffix(b"\0") == written.removesuffix(b"\0")
            return
        found = found.get("Value", [found["InlineBinary"]] if "InlineBinary" in found else [])
        wanted = expected(vr, value)
        if vr == "OB" and len(value) % 2:  # pydicom pads it
            wanted = expected(vr, value + b"\0")
        assert found == wanted

    check()


@st.composite
def data_sets(draw: st.DrawFn, depth: int = 3) -> Dataset:
    data = Dataset()
    for vr in draw(st.lists(st.sampled_from(sorted(TAGS)), unique=True, max_size=5)):
        tag, strategy = TAGS[vr]
        data.add_new(tag, vr, draw(strategy))
    if depth:
        for tag in draw(st.lists(st.sampled_from([0x00081140, 0x0040A730, 0x52009230]), unique=True, max_size=2)):
            items = draw(st.lists(data_sets(depth - 1), max_size=3))
            data.add_new(tag, "SQ", items)
            data[tag].is_undefined_length = draw(st.booleans())
            for item in data[tag].value:
                item.is_undefined_length_sequence_item = draw(st.booleans())
    return data


@settings(max_examples=60, deadline=None)
@given(data_sets(), st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]))
def test_data_sets_of_any_shape_come_back(data: Dataset, syntax: str) -> None:
    data.SpecificCharacterSet = "ISO_IR 192"
    raw = write(data, syntax)
    source = part10.BytesSource(raw)
    header = part10.read(source)
    assert header.warnings == ()
    theirs = pydicom.dcmread(io.BytesIO(raw), force=True)
    Comparison(header, source, syntax == ExplicitVRBigEndian).data_set("", header.attributes, theirs)
