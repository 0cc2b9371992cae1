"""Every file of the large set: stored, found, given back bit for bit, metadata and bulkdata complete.

Files of one family share a SOP Instance UID, so each is deleted before the next is stored.
"""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from conftest import SHARED_DATA
from dicom_files import parts
from skiagraph.standard import transfer_syntaxes
from skiagraph.values import is_uid

pytestmark = pytest.mark.shared_data

NATIVE_CONVERTED = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.2"}
"""Never sent over the web: they come back in Explicit VR Little Endian (PS3.18 §8.7.3)."""

NOT_STUDY_OBJECTS = {0x0122}
"""DICOMDIR and non-patient objects belong to other services."""

IDENTIFIERS = {"SOPClassUID": "00080016", "SOPInstanceUID": "00080018"}
IDENTIFIERS |= {"StudyInstanceUID": "0020000D", "SeriesInstanceUID": "0020000E"}
"""What an Instance can not be stored without; some of the files have none, or no valid one."""

PYDICOM_CAN_NOT = {"jpip-htj2k-referenced-deflate.dcm", "jpip-referenced-deflate.dcm"}
PYDICOM_CAN_NOT |= {"no_meta.dcm", "no_preamble_dicm_in_data"}
"""Deflated JPIP, and data sets that begin without File Meta Information: the judge can not read them."""

MISDECLARED = {"SC_rgb_jpeg.dcm"}
"""In Implicit VR, though their Transfer Syntax is explicit: they come back as it says."""

WORD = {"OW": 2, "US": 2, "SS": 2, "AT": 2, "OF": 4, "OL": 4, "FL": 4, "UL": 4, "SL": 4}
WORD |= {"OD": 8, "OV": 8, "FD": 8, "SV": 8, "UV": 8}


def dicom_files(*folders: str) -> list[Any]:
    if not SHARED_DATA.is_dir():
        return []
    return [
        pytest.param(path, id=str(path.relative_to(SHARED_DATA)))
        for folder in folders
        for path in sorted((SHARED_DATA / folder).rglob("*"))
        if path.is_file() and path.suffix not in {".md", ".csv", ".json", ".txt", ".xml"}
    ]


def store(client: httpx.Client, path: Path) -> httpx.Response:
    return client.post("/studies", content=path.read_bytes(), headers={"Content-Type": "application/dicom"})


def original(path: Path) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(path, force=True)


def has_file_format(file: bytes) -> bool:
    return file[128:132] == b"DICM"


def without_preamble(file: bytes) -> bytes:
    return file[128:]


@pytest.fixture
def stored(client: httpx.Client, request: pytest.FixtureRequest) -> Iterator[tuple[Path, str] | None]:
    path: Path = request.param
    response = store(client, path)
    document = response.json()
    failures = {
        item["00081197"]["Value"][0]
        for tag in ("00081198", "0008119A")
        for item in document.get(tag, {}).get("Value", [])
    }
    if failures and failures <= NOT_STUDY_OBJECTS:
        yield None  # belongs to no Study: refused, as it should be
        return
    if failures == {0xA900}:
        (failure,) = document.get("00081198", document.get("0008119A"))["Value"]
        if path.name not in PYDICOM_CAN_NOT:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                data = original(path)
                faulty = [tag for keyword, tag in IDENTIFIERS.items() if not is_uid(str(data.get(keyword, "")))]
            assert sorted(failure["00741048"]["Value"][0]["00720026"]["Value"]) == sorted(faulty)
        yield None  # has no UIDs to be stored under: refused with the names of what is missing
        return
    assert response.status_code in (200, 202), response.text
    url = document["00081199"]["Value"][0]["00081190"]["Value"][0]
    yield path, url
    assert client.delete(document["00081190"]["Value"][0]).status_code == 204
    assert client.get(url + "/metadata").status_code == 410


@pytest.mark.parametrize("stored", dicom_files("modalities", "slides", "syntaxes", "text", "volumes"), indirect=True)
def test_comes_back(client: httpx.Client, stored: tuple[Path, str] | None) -> None:
    if stored is None:
        return
    path, url = stored
    file = path.read_bytes()
    data = original(path)
    instance = client.get("/instances", params={"SOPInstanceUID": url.rpartition("/")[2]}).json()
    assert [match["00081190"]["Value"][0] for match in instance] == [url]
    answer = client.get(url, headers={"Accept": "application/dicom; transfer-syntax=*"})
    assert answer.status_code == 200, answer.text
    syntax = getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", None)
    if path.name in MISDECLARED:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            back = pydicom.dcmread(io.BytesIO(answer.content))
        assert back.file_meta.TransferSyntaxUID == syntax
        assert back["Rows"].value == data["Rows"].value
        assert next(generate_frames(back.PixelData)) == next(generate_frames(data.PixelData))
    elif syntax not in NATIVE_CONVERTED and syntax is not None and has_file_format(file):
        # The preamble is blanked where it is neither empty nor the header of a TIFF.
        assert without_preamble(answer.content) == without_preamble(file)
        assert answer.content[:128] in (file[:128], bytes(128))
        if not any(file[:128]):
            assert answer.content == file
    elif path.name not in PYDICOM_CAN_NOT:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            back = pydicom.dcmread(io.BytesIO(answer.content))
        assert back.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
        same_data_set(data, back)
    if path.name in PYDICOM_CAN_NOT:
        assert client.get(url + "/metadata").status_code == 200
    else:
        check_metadata(client, url, data)


def same_data_set(one: Dataset, other: Dataset) -> None:
    """Equal values in equal order; bytes in little endian order, text decoded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tags = [tag for tag in one.keys() if tag.element and tag.group > 2]  # noqa: SIM118
        assert [tag for tag in other.keys() if tag.element and tag.group > 2] == tags  # noqa: SIM118
        for tag in tags:
            if getattr(one.get_item(tag), "VR", None) == "UN" and isinstance(one.get_item(tag).value, bytes):
                # Never swapped, whatever the syntax: nobody knows what is in it.
                assert one.get_item(tag).value == other.get_item(tag).value, tag
                continue
            mine, theirs = one[tag], other[tag]
            if mine.VR == "SQ":
                assert len(mine.value) == len(theirs.value), tag
                for item, counterpart in zip(mine.value, theirs.value, strict=True):
                    same_data_set(item, counterpart)
            elif isinstance(mine.value, bytes) and isinstance(theirs.value, bytes):
                assert little_endian(one, mine) == theirs.value, tag
            else:
                assert str(mine.value) == str(theirs.value), tag


def little_endian(data: Dataset, element: Any) -> bytes:
    value = bytes(element.value or b"")
    word = WORD.get(element.VR, 1)
    if element.tag == 0x7FE00010:
        word = max(word, data.BitsAllocated // 8)  # pixels of 32 bits are swapped whole, whatever the VR
    if data.original_encoding[1] is False and word > 1:
        swapped = bytearray(len(value))
        for offset in range(word):
            swapped[offset::word] = value[word - 1 - offset :: word]
        return bytes(swapped)
    return value


def check_metadata(client: httpx.Client, url: str, data: Dataset) -> None:
    """Nothing vanishes: each element has its value, InlineBinary or BulkDataURI; bulk is what the file holds."""
    response = client.get(url + "/metadata")
    assert response.status_code == 200
    (metadata,) = response.json()
    check_attributes(client, url, metadata, data, "")


def check_attributes(client: httpx.Client, url: str, metadata: dict[str, Any], data: Dataset, where: str) -> None:
    assert list(metadata) == sorted(metadata)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = [f"{tag.group:04X}{tag.element:04X}" for tag in data.keys() if tag.element and tag.group > 2]  # noqa: SIM118
        assert list(metadata) == sorted(expected), f"something vanished or came up in {where or 'the data set'}"
        for tag, element in metadata.items():
            assert set(element) <= {"vr", "Value", "InlineBinary", "BulkDataURI"}
            assert re.fullmatch("[A-Z]{2}", element["vr"])
            theirs = data[int(tag, 16)]
            if element["vr"] == "SQ":
                items = element.get("Value", [])
                assert len(items) == len(theirs.value)
                for number, (item, counterpart) in enumerate(zip(items, theirs.value, strict=True)):
                    check_attributes(client, url, item, counterpart, f"{where}{tag}/{number}/")
            elif "BulkDataURI" in element:
                check_bulk(client, url, tag, element, data, where)
            elif "InlineBinary" in element:
                if isinstance(theirs.value, bytes):
                    assert base64.b64decode(element["InlineBinary"], validate=True) == little_endian(data, theirs), tag
            elif "Value" not in element:
                assert theirs.is_empty or not str(theirs.value).strip(" \0"), f"{where}{tag} vanished"


def check_bulk(client: httpx.Client, url: str, tag: str, element: dict[str, Any], data: Dataset, where: str) -> None:
    uri = element["BulkDataURI"]
    top_level_pixels = not where and tag in {"7FE00010", "7FE00008", "7FE00009"}
    assert uri == url + ("/pixeldata" if top_level_pixels else f"/bulkdata/{where}{tag}")
    accept = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
    response = client.get(uri, headers={"Accept": accept})
    assert response.status_code == 200, response.text
    received = [body for _, body in parts(response.content, response.headers["content-type"])]
    theirs = data[int(tag, 16)]
    value = theirs.value
    syntax = data.file_meta.get("TransferSyntaxUID") if hasattr(data, "file_meta") else None
    if isinstance(value, bytes) and top_level_pixels and syntax and transfer_syntaxes.get(syntax).encapsulated:
        frames = int(data.get("NumberOfFrames", 1) or 1)
        if len(received) == frames:
            assert received == [bytes(frame) for frame in generate_frames(value, number_of_frames=frames)]
        else:
            assert b"".join(received), "a video is one stream"
    elif isinstance(value, bytes) and not value.startswith(b"\xfe\xff\x00\xe0"):
        assert b"".join(received) == little_endian(data, theirs), uri


@pytest.mark.parametrize("path", dicom_files("broken"))
def test_broken_files_get_a_clear_answer(client: httpx.Client, path: Path) -> None:
    response = store(client, path)
    assert response.status_code in (200, 202, 400, 409, 413), response.text
    if response.status_code == 409:
        document = response.json()
        items = document.get("00081198", {}).get("Value", []) + document.get("0008119A", {}).get("Value", [])
        assert items
        assert all(item["00081197"]["Value"][0] and item["00000902"]["Value"][0] for item in items)
    elif response.status_code in (200, 202):
        # Broken, and yet every byte that identifies it is there: what was stored has to be usable.
        url = response.json()["00081199"]["Value"][0]["00081190"]["Value"][0]
        assert client.get(url + "/metadata").status_code == 200
        assert client.get(url, headers={"Accept": "application/dicom; transfer-syntax=*"}).status_code == 200
        assert client.delete(response.json()["00081190"]["Value"][0]).status_code == 204
    assert client.get("/studies?limit=1").status_code == 200
