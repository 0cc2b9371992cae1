"""Encapsulated Documents as they are: their type, their true length, from metadata and from the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archives import Given, opened
from dicom_files import ct, part10
from skiagraph.errors import NoAcceptableRepresentation


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


def file(document: bytes | None, mime_type: str | None, **changes: Any) -> bytes:
    data = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1", Rows=None, PixelData=None, **changes)
    if document is not None:
        data.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    if mime_type is not None:
        data.MIMETypeOfEncapsulatedDocument = mime_type
    return part10(data)


@pytest.mark.parametrize("length", [10, 11, 5000, 5001], ids=["inline", "inline, odd", "bulk", "bulk, odd"])
def test_the_document_is_what_was_put_in(given: Given, length: int) -> None:
    """C.24.2: Encapsulated Document Length tells the byte of padding from the document."""
    document = bytes(range(256)) * 20
    document = document[: length - 1] + b"!"
    (instance,) = given.store(file(document, "application/pdf", EncapsulatedDocumentLength=length))
    answer = given.get(f"{instance.path}/rendered")
    assert answer.body == document
    part = given.get(f"{instance.path}/rendered", headers={"range": "bytes=3-7"})
    assert part.status == 206
    assert part.body == document[3:8]
    assert given.get(f"{instance.path}/rendered", 'multipart/related; type="application/pdf"').parts[0].body == document


@pytest.mark.parametrize("length", [None, 3, 900])
def test_lengths_that_can_not_be(given: Given, length: int | None) -> None:
    changes = {} if length is None else {"EncapsulatedDocumentLength": length}
    (instance,) = given.store(file(b"%PDF-1234", "application/pdf", **changes))
    assert given.get(f"{instance.path}/rendered").body == b"%PDF-1234\0"


@pytest.mark.parametrize("mime_type", ["application/pdf", "text/xml", "model/stl", "model/obj", "text/plain"])
def test_media_types(given: Given, mime_type: str) -> None:
    (instance,) = given.store(file(b"x" * 10, mime_type))
    answer = given.get(f"{instance.path}/rendered")
    assert answer.headers["content-type"] == mime_type
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert given.get(f"{instance.path}/rendered", headers={"if-none-match": answer.headers["etag"]}).status == 304


@pytest.mark.parametrize(
    ("document", "mime_type"),
    [
        pytest.param(b"<script>", "text/html", id="a page would run as if it were of this server"),
        pytest.param(b"x", "image/svg+xml", id="drawings run scripts too"),
        pytest.param(b"x", None, id="no type"),
        pytest.param(b"x", "nonsense", id="no media type"),
        pytest.param(None, "application/pdf", id="no document"),
    ],
)
def test_what_is_not_sent(given: Given, document: bytes | None, mime_type: str | None) -> None:
    (instance,) = given.store(file(document, mime_type))
    assert isinstance(given.get(f"{instance.path}/rendered").error, NoAcceptableRepresentation)
    study = f"studies/{instance.path.study_instance_uid}/rendered"
    assert isinstance(given.get(study).error, NoAcceptableRepresentation)
