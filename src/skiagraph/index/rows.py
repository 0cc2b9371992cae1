"""From the header of an Instance to the rows of the index: everything that needs no database.

The columns of a row are named once here; `add` and `delete` write them in this order.
"""

from __future__ import annotations

import sys
import threading
from array import array
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson
import zstandard

from skiagraph.errors import CannotUnderstand, MissingIdentifier
from skiagraph.index import answers
from skiagraph.index.base import NewInstance
from skiagraph.index.schema import NO_NUMBER
from skiagraph.standard import date_time, dicom_json, person_name
from skiagraph.standard.attributes import COMPUTED, level_of
from skiagraph.standard.header import Bulk, Header, PixelData
from skiagraph.standard.matching import number
from skiagraph.values import Attributes, Level, ResourcePath, is_uid

PART = 2**20
"""Bytes of a document, not compressed, above which it is cut into parts."""

FRAMES_PER_ROW = 250
"""A row of 4,000 bytes fills one page of SQLite."""

_MAX_TEXT = 1024  # characters; what is longer is compared by the reference predicate alone
_MAX_ELEMENT = 64 * 2**10  # bytes as JSON; what is longer is left to the document of the Instance
_TIMEZONE = "00080201"
_VERSIONS = 2**128
_LARGEST = 2**63 - 1

_levels: dict[str, Level] = {}
_contexts = threading.local()  # of zstd: not to be shared between threads, and costly to make for each document


@dataclass(slots=True)
class Prepared:
    """One Instance, ready to be added."""

    path: ResourcePath
    key: str
    dataset_digest: bytes
    version: int
    """Of the Instance; those of Series and Study are the sum of their Instances' (`VERSIONS` wraps)."""
    sop_class_uid: str
    study_attributes: Attributes
    series_attributes: Attributes
    study_json: bytes
    series_json: bytes
    row: tuple[Any, ...]
    """Columns `INSTANCE_COLUMNS`, the Series excepted."""
    bulkdata: bytes | None
    parts: list[bytes]
    spans: list[bytes]


def level(tag: str) -> Level:
    """Return the level of an attribute (remembered: this runs for every element of every Instance)."""
    found = _levels.get(tag)
    if found is None:
        found = level_of(tag)
        if len(_levels) < 20_000:
            _levels[tag] = found
    return found


def prepare(new: NewInstance) -> Prepared:
    """Make the rows of an Instance.

    Raises
    ------
    MissingIdentifier
        Study, Series or SOP Instance UID is missing or invalid.
    CannotUnderstand
        The header can not be written as JSON (numbers beyond 64 bits, lone surrogates).
    """
    header = new.header
    attributes = header.attributes
    path = ResourcePath(
        _identifier(attributes, "0020000D"), _identifier(attributes, "0020000E"), _identifier(attributes, "00080018")
    )
    study, series = split(attributes)
    try:
        document = dicom_json.encode(attributes)
        study_json, series_json = dicom_json.encode(study), dicom_json.encode(series)
        answer = answers.instance_answer(attributes, header.transfer_syntax_uid)
    except orjson.JSONEncodeError as error:
        raise CannotUnderstand(f"The header can not be written as JSON: {error}.") from error
    sop_class_uid, sop_class_regular = text(attributes, "00080016")
    _, sop_instance_regular = text(attributes, "00080018")
    instance_number, number_regular = integer(attributes, "00200013")
    pixels = header.pixel_data or _NO_PIXELS
    row = (
        path.sop_instance_uid,
        sop_class_uid or "",
        instance_number,
        0 if sop_class_uid and sop_class_regular and sop_instance_regular and number_regular else 1,
        header.transfer_syntax_uid,
        new.key,
        new.size,
        header.dataset_offset,
        int(header.has_preamble),
        new.prefix_digest,
        new.dataset_digest,
        min(pixels.frames, _LARGEST),  # what a hostile header claims may exceed 64 bits
        pixels.tag,
        pixels.vr,
        pixels.offset,
        pixels.length,
        int(pixels.encapsulated),
        int(pixels.video),
        min(pixels.frame_bits, _LARGEST),
        pixels.problem,
        new.stored_at,
        _digest(study_json),
        _digest(series_json),
        len(document),
        answer,
    )
    return Prepared(
        path=path,
        key=new.key,
        dataset_digest=new.dataset_digest,
        version=instance_version(path.sop_instance_uid or "", new.prefix_digest, new.dataset_digest),
        sop_class_uid=sop_class_uid or "",
        study_attributes=study,
        series_attributes=series,
        study_json=study_json,
        series_json=series_json,
        row=row,
        bulkdata=pack_bulkdata(header),
        parts=[compress(part) for part in cut(document)],
        spans=pack_spans(pixels.spans),
    )


INSTANCE_COLUMNS = (
    "sop_instance_uid",
    "sop_class_uid",
    "instance_number",
    "irregular",
    "transfer_syntax_uid",
    "key",
    "size",
    "dataset_offset",
    "has_preamble",
    "prefix_digest",
    "dataset_digest",
    "frames",
    "pixel_tag",
    "pixel_vr",
    "pixel_offset",
    "pixel_length",
    "encapsulated",
    "video",
    "frame_bits",
    "pixel_problem",
    "stored_at",
    "study_digest",
    "series_digest",
    "document_size",
    "answer",
    "series",
)

STUDY_COLUMNS = (
    "recency",
    "accession_number",
    "study_id",
    "patient_id",
    "patient_birth_date",
    "patient_sex",
    "study_description",
    "patient_name_alphabetic",
    "patient_name_ideographic",
    "patient_name_phonetic",
    "referring_physician_name_alphabetic",
    "referring_physician_name_ideographic",
    "referring_physician_name_phonetic",
    "irregular",
    "answer",
)
"""Columns of a Study that follow from its attributes, as `study_row` gives them."""

SERIES_COLUMNS = ("series_number", "modality", "series_description", "performed", "irregular", "answer")
"""Columns of a Series that follow from its attributes, as `series_row` gives them."""


def study_row(attributes: Attributes) -> tuple[Any, ...]:
    """Return the values of `STUDY_COLUMNS`."""
    moment, regular = date_and_time(attributes, "00080020", "00080030")
    birth, birth_regular = date_and_time(attributes, "00100030", None)
    texts = [text(attributes, tag) for tag in ("00080050", "00200010", "00100020", "00100040", "00081030", "0020000D")]
    patient, patient_regular = name(attributes, "00100010")
    physician, physician_regular = name(attributes, "00080090")
    regular = (
        regular and birth_regular and patient_regular and physician_regular and all(regular for _, regular in texts)
    )
    return (
        0 if moment is None else -moment,
        texts[0][0],
        texts[1][0],
        texts[2][0],
        birth,
        texts[3][0],
        texts[4][0],
        *patient,
        *physician,
        0 if regular else 1,
        answers.study_answer(attributes),
    )


def series_row(attributes: Attributes) -> tuple[Any, ...]:
    """Return the values of `SERIES_COLUMNS`."""
    modality, modality_regular = text(attributes, "00080060")
    description, description_regular = text(attributes, "0008103E")
    _, uid_regular = text(attributes, "0020000E")
    series_number, number_regular = integer(attributes, "00200011")
    performed, performed_regular = date_and_time(attributes, "00400244", "00400245")
    regular = uid_regular and modality_regular and number_regular and description_regular and performed_regular
    return (
        series_number,
        modality,
        description,
        performed,
        0 if regular else 1,
        answers.series_answer(attributes),
    )


def split(attributes: Attributes) -> tuple[Attributes, Attributes]:
    """Return what an Instance says about its Study and its Series.

    What the archive knows better (`attributes.COMPUTED`) is left out, and values of more than 64 KiB.
    Timezone Offset From UTC is needed at both levels.
    """
    study: Attributes = {}
    series: Attributes = {}
    levels = _levels
    for tag, element in attributes.items():
        found = levels.get(tag) or level(tag)
        if found is Level.INSTANCE or tag in COMPUTED or not _is_small(element):
            continue
        if found is Level.STUDY:
            study[tag] = element
            if tag == _TIMEZONE:
                series[tag] = element
        else:
            series[tag] = element
    return study, series


# Values of columns ----------------------------------------------------------------------------------------------
# Each with whether the column tells the whole truth: then a comparison in SQL is what the reference predicate says.


def text(attributes: Attributes, tag: str) -> tuple[str | None, bool]:
    """Return the only value of an attribute; the first of several is not the whole truth."""
    element = attributes.get(tag)
    if element is None:
        return None, True
    values = element.get("Value")
    if not values:
        return None, len(element) == 1
    value = values[0]
    if type(value) is not str or not value:
        return None, len(values) == 1 and value is None
    if len(value) > _MAX_TEXT or "\0" in value:
        return value[:_MAX_TEXT].replace("\0", " "), False
    return value, len(values) == 1


def integer(attributes: Attributes, tag: str) -> tuple[int, bool]:
    """Return the value of an IS attribute, `NO_NUMBER` without."""
    element = attributes.get(tag)
    if element is None:
        return NO_NUMBER, True
    values = element.get("Value")
    if not values:
        return NO_NUMBER, len(element) == 1
    value = number(values[0])
    if value is None or value != int(value) or abs(value) >= NO_NUMBER:
        return NO_NUMBER, False
    return int(value), len(values) == 1


def date_and_time(attributes: Attributes, date_tag: str, time_tag: str | None) -> tuple[int | None, bool]:
    """Return the first moment of a date and time in microseconds (`standard.date_time`); None without date."""
    date_text, regular = text(attributes, date_tag)
    clock_text, clock_regular = text(attributes, time_tag) if time_tag else (None, True)
    day = date_time.date(date_text) if date_text else None
    clock = date_time.time(clock_text) if clock_text else None
    regular = regular and clock_regular and (day is not None) == (date_text is not None)
    regular = regular and (clock is not None) == (clock_text is not None)
    if day is None:
        return None, regular
    return day[0] + (clock[0] if clock is not None else 0), regular


def name(attributes: Attributes, tag: str) -> tuple[tuple[str | None, str | None, str | None], bool]:
    """Return the component groups of a PN attribute, normalised; None for those without text."""
    element = attributes.get(tag)
    values = element.get("Value") if element is not None else None
    if not values:
        return (None, None, None), element is None or len(element) == 1
    alphabetic, ideographic, phonetic = person_name.groups(values[0])
    together = alphabetic + ideographic + phonetic
    regular = len(values) == 1 and 0 < len(together) <= _MAX_TEXT and "\0" not in together
    if not regular:
        alphabetic, ideographic, phonetic = (
            group[:_MAX_TEXT].replace("\0", " ") for group in (alphabetic, ideographic, phonetic)
        )
    return (alphabetic or None, ideographic or None, phonetic or None), regular


# Documents, bulk data, frames -----------------------------------------------------------------------------------


def cut(document: bytes) -> list[bytes]:
    """Cut a document into parts of about `PART` bytes, between elements.

    A cut stands behind ``},``: never inside a BulkDataURI, so that readers can rewrite those part by part.
    """
    parts = []
    start = 0
    while len(document) - start > PART:
        end = document.find(b"},", start + PART)
        if end < 0:
            break
        parts.append(document[start : end + 2])
        start = end + 2
    parts.append(document[start:] if start else document)
    return parts


def compress(data: bytes) -> bytes:
    """Compress (zstd)."""
    compressor: zstandard.ZstdCompressor | None = getattr(_contexts, "compressor", None)
    if compressor is None:
        compressor = _contexts.compressor = zstandard.ZstdCompressor(level=3)
    return compressor.compress(data)


def decompress(data: bytes) -> bytes:
    """Undo `compress`."""
    decompressor: zstandard.ZstdDecompressor | None = getattr(_contexts, "decompressor", None)
    if decompressor is None:
        decompressor = _contexts.decompressor = zstandard.ZstdDecompressor()
    return decompressor.decompress(data)


def pack_bulkdata(header: Header) -> bytes | None:
    """Encode the places of bulk values: JSON, compressed when it is long; None when there are none."""
    if not header.bulkdata:
        return None
    data = orjson.dumps(
        {path: (bulk.offset, bulk.length, bulk.vr, bulk.encapsulated) for path, bulk in header.bulkdata.items()}
    )
    return data if len(data) < 512 else compress(data)


def unpack_bulkdata(data: bytes | None) -> dict[str, Bulk]:
    """Undo `pack_bulkdata`."""
    if data is None:
        return {}
    if data[:1] != b"{":
        data = decompress(data)
    return {path: Bulk(*values) for path, values in orjson.loads(data).items()}


def pack_spans(spans: array[int]) -> list[bytes]:
    """Encode (offset, length) of frames, `FRAMES_PER_ROW` in each row: 64-bit numbers, little-endian."""
    if sys.byteorder == "big":
        spans = array("Q", spans)
        spans.byteswap()
    step = 2 * FRAMES_PER_ROW
    return [spans[start : start + step].tobytes() for start in range(0, len(spans), step)]


# Versions -------------------------------------------------------------------------------------------------------


def instance_version(sop_instance_uid: str, prefix_digest: bytes, dataset_digest: bytes) -> int:
    """Return a number below 2**128 that stands for the content of an Instance."""
    digest = blake2b(sop_instance_uid.encode(), digest_size=16)
    digest.update(prefix_digest)
    digest.update(dataset_digest)
    return int.from_bytes(digest.digest(), "big")


def add_versions(version: int, more: int) -> int:
    """Return the version of what holds one more Instance. Order does not count."""
    return (version + more) % _VERSIONS


def remove_version(version: int, gone: int) -> int:
    """Return the version of what holds one Instance less."""
    return (version - gone) % _VERSIONS


def _identifier(attributes: Attributes, tag: str) -> str:
    element = attributes.get(tag)
    values = element.get("Value") if element is not None else None
    if not values or type(values[0]) is not str or not is_uid(values[0]):
        raise MissingIdentifier(f"({tag[:4]},{tag[4:]}) has no valid UID.")
    return values[0]


def _size(element: dict[str, Any]) -> int:
    """Bytes as JSON; what can not be written counts as long."""
    try:
        return len(dicom_json.encode({"": element}))
    except orjson.JSONEncodeError:
        return _MAX_ELEMENT + 1


def _is_small(element: dict[str, Any]) -> bool:
    values = element.get("Value")
    if values is None:
        return len(element.get("InlineBinary", "")) <= _MAX_ELEMENT
    if len(values) <= 64 and element["vr"] != "SQ":
        for value in values:
            if type(value) is str and len(value) > 1000:
                break
        else:
            return True
    return _size(element) <= _MAX_ELEMENT


def _digest(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big", signed=True)


_NO_PIXELS = PixelData(tag="", vr="", offset=0, length=0, encapsulated=False, frames=0)
