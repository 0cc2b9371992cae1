"""Headers of Instances that were never stored: for tests of indexes and for measurements."""

from __future__ import annotations

import itertools
from array import array
from hashlib import blake2b
from typing import Any

from skiagraph.index.base import NewInstance
from skiagraph.standard.header import MULTI_FRAGMENT, Bulk, Header, PixelData
from skiagraph.values import Attributes

EXPLICIT_LE = "1.2.840.10008.1.2.1"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"

_keys = itertools.count(1)


def element(vr: str, *values: Any) -> dict[str, Any]:
    """Return an element of the DICOM JSON Model; without values an empty one."""
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def name(alphabetic: str = "", ideographic: str = "", phonetic: str = "") -> dict[str, str]:
    """Return a PN value."""
    groups = {"Alphabetic": alphabetic, "Ideographic": ideographic, "Phonetic": phonetic}
    return {group: text for group, text in groups.items() if text}


def nested(depth: int, innermost: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a Sequence with Sequences in it, `depth` in all; the Item of the last one holds Patient ID by default."""
    found: dict[str, Any] = {"00100020": element("LO", "P")} if innermost is None else innermost
    for _ in range(depth):
        found = {"00081140": {"vr": "SQ", "Value": [found]}}
    sequence: dict[str, Any] = found["00081140"]
    return sequence


def data_set(study: str, series: str, instance: str, attributes: Attributes | None = None) -> Attributes:
    """Return a data set with its UIDs, tags ascending."""
    found: Attributes = {
        "00080016": element("UI", CT_IMAGE),
        "00080018": element("UI", instance),
        "0020000D": element("UI", study),
        "0020000E": element("UI", series),
    }
    found |= attributes or {}
    return {tag: found[tag] for tag in sorted(found)}


def ct_attributes(elements: int = 250) -> Attributes:
    """Return about as many elements as a CT of a modern scanner has."""
    found: Attributes = {
        "00080005": element("CS", "ISO_IR 192"),
        "00080008": element("CS", "ORIGINAL", "PRIMARY", "AXIAL"),
        "00080020": element("DA", "20240131"),
        "00080030": element("TM", "101530.123"),
        "00080050": element("SH", "A-1"),
        "00080060": element("CS", "CT"),
        "00080070": element("LO", "MAKER"),
        "00080090": element("PN", name("Refer^Ring")),
        "00081030": element("LO", "Thorax"),
        "0008103E": element("LO", "Axial 1.0"),
        "00100010": element("PN", name("Doe^Jane")),
        "00100020": element("LO", "P-1"),
        "00100030": element("DA", "19700101"),
        "00100040": element("CS", "F"),
        "00180050": element("DS", 1.0),
        "00200010": element("SH", "S-1"),
        "00200011": element("IS", 1),
        "00200013": element("IS", 1),
        "00200032": element("DS", -150.5, -150.5, 12.0),
        "00200037": element("DS", 1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        "00280010": element("US", 512),
        "00280011": element("US", 512),
        "00280100": element("US", 16),
        "00080201": element("SH", "+0100"),
        "7FE00010": {"vr": "OW", "BulkDataURI": "pixeldata"},
    }
    for number in range(elements - len(found)):
        tag = f"0018{0x9000 + number:04X}"
        found[tag] = (element("FD", number * 1.25), element("LO", f"value {number}"), element("US", number))[number % 3]
    return {tag: found[tag] for tag in sorted(found)}


def header(
    attributes: Attributes,
    *,
    transfer_syntax_uid: str = EXPLICIT_LE,
    spans: list[tuple[int, int]] | None = None,
    bulkdata: dict[str, Bulk] | None = None,
) -> Header:
    """Return the header of an Instance: native pixel data of one frame, or encapsulated with these spans."""
    if spans is None:
        pixels = PixelData("7FE00010", "OW", 2000, 524_288, False, 1, frame_bits=524_288 * 8)
    else:
        flat = array("Q", itertools.chain.from_iterable(spans))
        pixels = PixelData(
            "7FE00010",
            "OB",
            2000,
            8 + sum(8 + length % MULTI_FRAGMENT for _, length in spans),
            True,
            len(spans),
            spans=flat,
        )
    places = {"pixeldata": Bulk(pixels.offset, pixels.length, pixels.vr, pixels.encapsulated)} | (bulkdata or {})
    return Header(transfer_syntax_uid, 400, True, {}, attributes, places, pixels)


def new_instance(of: Header, *, key: str | None = None, content: bytes | None = None) -> NewInstance:
    """Return what Store would hand to the index.

    `key`: by default greater than all before. `content`: stands for the data set; by default its attributes.
    """
    digest = blake2b(repr(of.attributes).encode() if content is None else content, digest_size=32).digest()
    return NewInstance(
        key=key if key is not None else f"{next(_keys):012x}",
        size=of.dataset_offset + 526_000,
        prefix_digest=blake2b(of.transfer_syntax_uid.encode(), digest_size=32).digest(),
        dataset_digest=digest,
        header=of,
        stored_at=1_700_000_000.0,
    )
