"""Payloads of data sets without bulk data: every form in which they come (PS3.18 §11.1.3, §13.1.3)."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import orjson
import pytest
from pydicom.dataset import Dataset

import archives
import dicom_files
from skiagraph.errors import ArchiveError, BadRequest, PayloadTooLarge, UnsupportedMediaType
from skiagraph.services import payload
from skiagraph.settings import Settings
from skiagraph.standard import native_xml
from skiagraph.values import Attributes
from skiagraph.wire.message import Request

SETTINGS = Settings()

ONE: Attributes = {
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Ä"}]},
    "0040A370": {"vr": "SQ", "Value": [{"00080050": {"vr": "SH", "Value": ["A-1"]}}]},
}
TWO: Attributes = {"00100020": {"vr": "LO", "Value": ["2"]}}
J1, J2 = orjson.dumps(ONE), orjson.dumps(TWO)
X1, X2 = native_xml.to_xml(ONE), native_xml.to_xml(TWO)

XML_OF_THE_STANDARD = b"""<?xml version="1.0" encoding="UTF-8"?>
<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">
  <DicomAttribute Tag="0008119A" VR="SQ" Keyword="Other Failures Sequence">
    <Item Number="1">
      <DicomAttribute Tag="00081150" VR="UI" Keyword="Referenced SOP Class UID">
        <Value Number="1"> 1.2.3 </Value>
      </DicomAttribute>
      <DicomAttribute Tag="00081197" VR="UI" Keyword="FailureReason"><Value>274</Value></DicomAttribute>
    </Item>
  </DicomAttribute>
</NativeDicomModel>"""
OF_THE_STANDARD: Attributes = {
    "0008119A": {
        "vr": "SQ",
        "Value": [{"00081150": {"vr": "UI", "Value": ["1.2.3"]}, "00081197": {"vr": "US", "Value": [274]}}],
    }
}


def part10(**attributes: object) -> bytes:
    data = Dataset()
    data.SOPClassUID = "1.2.840.10008.5.1.4.34.6.1"
    data.SOPInstanceUID = "1.2.3"
    for keyword, value in attributes.items():
        setattr(data, keyword, value)
    return dicom_files.part10(data)


def bare(**attributes: object) -> bytes:
    data = Dataset()
    for keyword, value in attributes.items():
        setattr(data, keyword, value)
    out = io.BytesIO()
    data.save_as(out, implicit_vr=True, little_endian=True, enforce_file_format=False)
    return out.getvalue()


def multipart(*parts: tuple[str, bytes], end: bytes = b"--\r\n") -> bytes:
    return b"".join(b"--b\r\n" + head.encode() + b"\r\n" + body + b"\r\n" for head, body in parts) + b"--b" + end


JSON_TYPE = "Content-Type: application/dicom+json\r\n"
XML_TYPE = "Content-Type: application/dicom+xml\r\n"
RELATED_JSON = 'multipart/related; type="application/dicom+json"; boundary=b'
RELATED_XML = 'multipart/related; type="application/dicom+xml"; boundary=b'

READ = [
    pytest.param("application/dicom+json", b"[" + J1 + b"]", [ONE], id="array of one"),
    pytest.param("application/dicom+json", J1, [ONE], id="a bare object"),
    pytest.param("application/dicom+json; charset=utf-8", b"[" + J1 + b"," + J2 + b"]", [ONE, TWO], id="charset"),
    pytest.param("application/json", b"\xef\xbb\xbf" + J2, [TWO], id="application/json with a byte order mark"),
    pytest.param("APPLICATION/DICOM+JSON", b"[]", [], id="an empty array"),
    pytest.param("application/dicom+xml", X1, [ONE], id="XML"),
    pytest.param("text/xml", X2, [TWO], id="text/xml"),
    pytest.param("application/dicom+xml", XML_OF_THE_STANDARD, [OF_THE_STANDARD], id="XML as Annex B prints it"),
    pytest.param(RELATED_XML, multipart((XML_TYPE, X1), (XML_TYPE, X2)), [ONE, TWO], id="parts of XML"),
    pytest.param(RELATED_XML, multipart(("", X1)), [ONE], id="a part takes the type of the root"),
    pytest.param(RELATED_XML, multipart((XML_TYPE, X1), end=b""), [ONE], id="no dashes at the end"),
    pytest.param(RELATED_XML, multipart((XML_TYPE, X1), end=b"\r\n"), [ONE], id="no dashes, but a line end"),
    pytest.param(RELATED_JSON, multipart((JSON_TYPE, b"[" + J1 + b"]"), ("", J2)), [ONE, TWO], id="parts of JSON"),
    pytest.param(RELATED_JSON, multipart((JSON_TYPE, J2), (XML_TYPE, X1)), [TWO, ONE], id="parts of both"),
    pytest.param(
        RELATED_JSON,
        multipart((JSON_TYPE + "Content-Transfer-Encoding: base64\r\n", base64.encodebytes(J1))),
        [ONE],
        id="a part in base64",
    ),
    pytest.param(
        RELATED_JSON,
        multipart((JSON_TYPE + "Content-Encoding: gzip\r\n", gzip.compress(J1))),
        [ONE],
        id="a part in gzip",
    ),
    pytest.param("application/dicom", bare(PatientID="2"), [TWO], id="a bare data set"),
]


@pytest.mark.parametrize(("content_type", "body", "expected"), READ)
def test_every_form_is_read(content_type: str, body: bytes, expected: list[Attributes]) -> None:
    assert payload.read(body, content_type, SETTINGS) == expected


def test_a_file_is_read_without_its_meta_information() -> None:
    (found,) = payload.read(
        part10(PatientName="Müller^Ä", SpecificCharacterSet="ISO_IR 100"), "application/dicom", SETTINGS
    )
    assert found == {
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.34.6.1"]},
        "00080018": {"vr": "UI", "Value": ["1.2.3"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Müller^Ä"}]},
    }


DEEP = b'{"0040A370":{"vr":"SQ","Value":[' * 65 + b"{}" + b"]}}" * 65

REFUSED = [
    pytest.param("", J1, UnsupportedMediaType, "no Content-Type", id="no Content-Type"),
    pytest.param("json", J1, BadRequest, "malformed", id="a Content-Type that is none"),
    pytest.param(
        "application/x-www-form-urlencoded", J1, UnsupportedMediaType, "form-urlencoded", id="as curl sends it"
    ),
    pytest.param("image/png", b"x", UnsupportedMediaType, "image/png", id="a picture"),
    pytest.param("application/dicom+json", b"[{]", BadRequest, "no JSON: see line 1, column 3", id="broken JSON"),
    pytest.param("application/dicom+json", b"\xff\xfe", BadRequest, "no JSON", id="JSON that is not UTF-8"),
    pytest.param("application/dicom+json", b"[1]", BadRequest, "no object", id="a number"),
    pytest.param("application/dicom+json", b"null", BadRequest, "no object", id="null"),
    pytest.param("application/dicom+json", b"[" * 2000, BadRequest, "no JSON", id="arrays without end"),
    pytest.param(
        "application/dicom+json", b"[{},{}" + b",{}" * 10_000 + b"]", PayloadTooLarge, "data sets", id="too many"
    ),
    pytest.param("application/dicom+json", b"[" + b"[]," * 10**6 + b"[]]", PayloadTooLarge, "objects", id="a bomb"),
    pytest.param("application/dicom+json", DEEP, BadRequest, "nested deeper", id="JSON too deep"),
    pytest.param(
        "application/dicom+json",
        b"[" + J1 + b",{}," + b'{"x":1}]',
        BadRequest,
        "Data set 3 can not be taken",
        id="the third",
    ),
    pytest.param("application/dicom+xml", b"<a/>", BadRequest, "no NativeDicomModel", id="other XML"),
    pytest.param("application/dicom+xml", X1[:-4], BadRequest, "not well-formed", id="cut XML"),
    pytest.param(
        "application/dicom+xml",
        b"<NativeDicomModel>" + b"<a/>" * 2_000_001,
        PayloadTooLarge,
        "XML tags",
        id="an XML bomb",
    ),
    pytest.param(
        "application/dicom+xml",
        b'<NativeDicomModel><DicomAttribute tag="00420011" vr="OB"><BulkData uri="http://x"/></DicomAttribute>'
        b"</NativeDicomModel>",
        BadRequest,
        r"\(0042,0011\) refers to bulk data",
        id="bulk data in XML",
    ),
    pytest.param(
        "application/dicom+xml", b"<!DOCTYPE a><NativeDicomModel/>", BadRequest, "document type", id="a document type"
    ),
    pytest.param("application/dicom", b"not DICOM at all", BadRequest, "no DICOM", id="no DICOM"),
    pytest.param(
        "application/dicom", dicom_files.part10(dicom_files.ct()), BadRequest, "pixel data", id="a picture in a file"
    ),
    pytest.param("multipart/related", b"x", BadRequest, "boundary", id="no boundary"),
    pytest.param(RELATED_JSON, b"x", BadRequest, "no part", id="no part"),
    pytest.param(RELATED_JSON, multipart(("", J1))[:-8], BadRequest, "closing delimiter", id="cut"),
    pytest.param(
        RELATED_JSON,
        multipart(("", J1), ("Content-Type: image/png\r\n", b"x")),
        UnsupportedMediaType,
        "Part 2",
        id="a part",
    ),
    pytest.param(
        "multipart/related; boundary=b", multipart(("", J1)), UnsupportedMediaType, "no media type", id="no type"
    ),
    pytest.param(
        RELATED_JSON, multipart(("Content-Encoding: br\r\n", J1)), UnsupportedMediaType, "'br'", id="a coding of a part"
    ),
    pytest.param(
        RELATED_JSON, multipart(("Content-Transfer-Encoding: base64\r\n", b"A")), BadRequest, "base64", id="half base64"
    ),
]


@pytest.mark.parametrize(("content_type", "body", "error", "message"), REFUSED)
def test_what_can_not_be_read_is_refused(
    content_type: str, body: bytes, error: type[ArchiveError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        payload.read(body, content_type, SETTINGS)
    assert type(caught.value) is error


def test_parts_together_are_bounded() -> None:
    bomb = gzip.compress(J2 + b" " * 600)
    body = multipart(*[(JSON_TYPE + "Content-Encoding: gzip\r\n", bomb)] * 2)
    with pytest.raises(PayloadTooLarge, match="max_data_set_bytes"):
        payload.read(body, RELATED_JSON, Settings(max_data_set_bytes=1024))


# As it arrives


def ask(
    folder: Path, chunks: Sequence[bytes], headers: Mapping[str, str], *, one: bool = False, **settings: int
) -> list[Attributes]:
    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    request = Request("POST", "/x", "", headers, {}, archives.BASE, body)
    with archives.opened(folder, **settings) as given:
        if one:
            return [asyncio.run(payload.data_set_of(given.archive, request, "a Workitem"))]
        return asyncio.run(payload.data_sets(given.archive, request))


JSON = {"content-type": "application/dicom+json"}


@pytest.mark.parametrize(
    ("chunks", "headers", "expected"),
    [
        ([], {}, []),
        ([b" \r\n"], {}, []),
        ([J1[:9], J1[9:]], JSON, [ONE]),
        ([gzip.compress(J1)[:5], gzip.compress(J1)[5:]], JSON | {"content-encoding": "gzip"}, [ONE]),
        ([zlib.compress(J1)], JSON | {"content-encoding": "deflate"}, [ONE]),
        ([b"[" + J2 + (b"," + J2) * 2000 + b"]"], JSON, [TWO] * 2001),
    ],
    ids=["nothing", "blanks", "in pieces", "gzip", "deflate", "much"],
)
def test_payload_is_collected(
    tmp_path: Path, chunks: list[bytes], headers: dict[str, str], expected: list[Attributes]
) -> None:
    assert ask(tmp_path, chunks, headers) == expected


@pytest.mark.parametrize(
    ("chunks", "headers", "error", "message"),
    [
        ([b" " * 800] * 2, JSON, PayloadTooLarge, r"1024 bytes \(max_data_set_bytes\)"),
        ([gzip.compress(b" " * 10**6)], JSON | {"content-encoding": "gzip"}, PayloadTooLarge, "max_data_set_bytes"),
        ([gzip.compress(J1)[:-9]], JSON | {"content-encoding": "gzip"}, BadRequest, "ends before"),
        ([b"\x1f"], JSON | {"content-encoding": "gzip"}, BadRequest, "ends before"),
        ([J1], JSON | {"content-encoding": "gzip"}, BadRequest, "not what its Content-Encoding says"),
        ([J1], JSON | {"content-encoding": "br"}, UnsupportedMediaType, "br"),
    ],
    ids=["too large", "a bomb", "cut gzip", "one byte of gzip", "no gzip", "unknown coding"],
)
def test_payload_is_bounded(
    tmp_path: Path, chunks: list[bytes], headers: dict[str, str], error: type[ArchiveError], message: str
) -> None:
    with pytest.raises(error, match=message):
        ask(tmp_path, chunks, headers, max_data_set_bytes=1024)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "is empty; a Workitem is expected"),
        (b"[{},{}]", "has 2 data sets; a Workitem is one"),
        (b"[]", "is empty"),
    ],
)
def test_one_data_set_is_one(tmp_path: Path, body: bytes, message: str) -> None:
    assert ask(tmp_path, [J1], JSON, one=True) == [ONE]
    with pytest.raises(BadRequest, match=message):
        ask(tmp_path, [body], JSON, one=True)
