"""Every readable file of the large set: what goes out is what came in, as far as the standard lets it go out."""

from __future__ import annotations

import csv
import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments, generate_frames

from archives import BASE, Given, opened, read
from skiagraph.errors import CannotUnderstand, MissingIdentifier
from skiagraph.index.base import StoredInstance
from skiagraph.standard import transfer_syntaxes
from skiagraph.standard.explicit_le import WORDS, pixel_word, swapped
from skiagraph.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax

UNDEFINED = 0xFFFFFFFF

pytestmark = [pytest.mark.shared_data, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    # The families of one image in several syntaxes share their UIDs: each takes the place of the one before.
    with opened(tmp_path_factory.mktemp("archive"), duplicates="replace") as archive:
        yield archive


def every(given: Given, folder: Path) -> Iterator[tuple[str, StoredInstance, bytes]]:
    """Each file with its index entry, as long as it is the stored one."""
    with (folder / "MANIFEST.csv").open(newline="") as manifest:
        paths = [row["path"] for row in csv.DictReader(manifest)]
    for path in paths:
        if path.startswith(("broken/", "payloads/")) or "DICOMDIR" in path:
            continue
        data = (folder / path).read_bytes()
        try:
            (instance,) = given.store(data)
        except (MissingIdentifier, CannotUnderstand):
            continue  # no Study: palettes, protocols, fragments of data sets made for parsers
        if instance.size == len(data):  # else the same data set is stored in a file that differs around it
            yield path, instance, data


def test_every_file(given: Given, shared_data: Path) -> None:
    problems: dict[str, list[str]] = {}
    count = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path, instance, data in every(given, shared_data):
            count += 1
            syntax = transfer_syntaxes.get(instance.transfer_syntax_uid)
            original = pydicom.dcmread(io.BytesIO(data), force=True)
            if "SOPInstanceUID" not in original:
                continue  # pydicom can not read it
            found = [
                *whole_instance(given, instance, data, syntax),
                *bulk_values(given, instance, original, syntax),
                *frames(given, instance, original, syntax),
            ]
            if found:
                problems[path] = found
    assert count > 350
    assert not problems


def whole_instance(given: Given, instance: StoredInstance, data: bytes, syntax: TransferSyntax) -> Iterator[str]:
    """Bit for bit where the stored syntax may go out; else a file in Explicit VR Little Endian."""
    answer = given.get(instance.path, "application/dicom; transfer-syntax=*")
    if answer.status != 200:
        yield f"instance: {answer.status} {answer.error}"
        return
    if answer.length not in (None, len(answer.body)):
        yield "instance: length"
    never = syntax.implicit_vr or syntax.big_endian
    if instance.has_preamble and not never:
        if answer.body[128:] != data[128:]:
            yield "instance: bytes"
        if answer.body[:128] not in (data[:128], bytes(128)):
            yield "instance: preamble"
    else:
        result = read(answer.body)
        sent = EXPLICIT_VR_LITTLE_ENDIAN if never else syntax.uid
        if result.file_meta.TransferSyntaxUID != sent or result.SOPInstanceUID != instance.path.sop_instance_uid:
            yield "instance: identity"
    single = given.get(instance.path, "application/dicom").status
    if single != 200 and not (syntax.encapsulated or syntax.referenced):
        yield f"instance: {single} for Explicit VR Little Endian"


def bulk_values(given: Given, instance: StoredInstance, original: Dataset, syntax: TransferSyntax) -> Iterator[str]:
    """Every BulkDataURI of the metadata leads to the bytes of its element, in little endian order."""
    (document,) = json.loads(given.get(f"{instance.path}/metadata").body)
    if given.get(f"{instance.path}/metadata", 'multipart/related; type="application/dicom+xml"').status != 200:
        yield "metadata: XML"
    for uri, element in uris(document, original):
        answer = given.get(uri.removeprefix(f"{BASE}/"), "application/octet-stream, */*;q=0.5")
        if answer.status != 200:
            yield f"{uri}: {answer.status}"
            continue
        if uri.endswith("/pixeldata"):
            continue  # see frames
        sent = answer.parts[0].body if "multipart" in answer.headers["content-type"] else answer.body
        raw = isinstance(element, RawDataElement)
        value = element.value if raw or isinstance(element.value, bytes) else b""  # numbers pydicom read already
        if (element.length == UNDEFINED) if raw else element.is_undefined_length:
            value = b"".join(list(generate_fragments(value))[1:])
        if value and sent != (swapped(value, WORDS.get(str(element.VR), 1)) if syntax.big_endian else value):
            yield f"{uri}: bytes"


def uris(attributes: dict[str, Any], data: Dataset) -> Iterator[tuple[str, Any]]:
    for tag, attribute in attributes.items():
        if "BulkDataURI" in attribute:
            yield attribute["BulkDataURI"], data.get_item(int(tag, 16))
        elif attribute["vr"] == "SQ":
            for item, inner in zip(attribute.get("Value", ()), data[int(tag, 16)].value, strict=True):
                yield from uris(item, inner)


def frames(given: Given, instance: StoredInstance, original: Dataset, syntax: TransferSyntax) -> Iterator[str]:
    """First, second, middle and last frame, as pydicom cuts them out."""
    count = instance.frames
    if instance.video or not count:
        return
    numbers = sorted({1, min(2, count), max(1, count // 2), count})
    answer = given.get(f"{instance.path}/frames/{','.join(map(str, numbers))}")
    if answer.status != 200:
        yield f"frames: {answer.status} {answer.error}"
        return
    parts = answer.parts
    if [part.location for part in parts] != [f"{instance.path}/frames/{number}" for number in numbers]:
        yield "frames: locations"
    element = original[int(instance.pixel_tag, 16)]
    if instance.encapsulated:
        cut = list(generate_frames(element.value, number_of_frames=count))
        expected = [cut[number - 1] for number in numbers]
        sent_as = syntax.uid if syntax.media_type != "application/octet-stream" else None
    else:
        value = element.value
        if syntax.big_endian:
            value = swapped(value, pixel_word(str(element.VR), original.get("BitsAllocated", 16)))
        bits = numpy.unpackbits(numpy.frombuffer(value, "u1"), bitorder="little")
        size = instance.frame_bits
        expected = [
            numpy.packbits(bits[(number - 1) * size : number * size], bitorder="little").tobytes() for number in numbers
        ]
        sent_as = EXPLICIT_VR_LITTLE_ENDIAN
    for number, part, frame in zip(numbers, parts, expected, strict=True):
        if part.body != frame[: len(part.body)] or len(frame) - len(part.body) > 1:
            yield f"frame {number}: bytes"
        if sent_as and not part.headers["content-type"].endswith(f"transfer-syntax={sent_as}"):
            yield f"frame {number}: {part.headers['content-type']}"
