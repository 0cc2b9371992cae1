"""Writing multipart payloads: PS3.18 §8.6.1.2; `test_multipart_reader` reads what is written back."""

from __future__ import annotations

import email

import pytest

from skiagraph.wire.multipart_reader import parse_related
from skiagraph.wire.multipart_writer import closing, content_type, new_boundary, part_header, total_length


def test_payload() -> None:
    headers = [
        part_header(
            "b1", "application/dicom; transfer-syntax=1.2.840.10008.1.2.1", length=4, location="/i/1", first=True
        ),
        part_header("b1", "image/jp2"),
    ]
    payload = headers[0] + b"data" + headers[1] + b"more" + closing("b1")
    assert payload == (
        b"--b1\r\n"
        b"Content-Type: application/dicom; transfer-syntax=1.2.840.10008.1.2.1\r\n"
        b"Content-Length: 4\r\n"
        b"Content-Location: /i/1\r\n"
        b"\r\n"
        b"data\r\n"
        b"--b1\r\n"
        b"Content-Type: image/jp2\r\n"
        b"\r\n"
        b"more\r\n"
        b"--b1--\r\n"
    )
    assert total_length("b1", [(headers[0], 4), (headers[1], 4)]) == len(payload)


def test_another_reader_understands_it() -> None:
    boundary = new_boundary()
    head = f"Content-Type: {content_type('application/dicom', boundary)}\r\n\r\n".encode()
    body = part_header(boundary, "application/dicom", first=True) + b"da\r\nta" + closing(boundary)
    message = email.message_from_bytes(head + body)
    assert message.is_multipart()
    (part,) = message.get_payload()
    assert part.get_content_type() == "application/dicom"
    assert part.get_payload() == "da\r\nta"


def test_boundaries_are_tokens_and_differ() -> None:
    boundaries = {new_boundary() for _ in range(100)}
    assert len(boundaries) == 100
    assert all(boundary.isalnum() and len(boundary) == 32 for boundary in boundaries)


@pytest.mark.parametrize("boundary", ["b1", "a b", 'a"b', "=_1"])
def test_content_type(boundary: str) -> None:
    header = content_type("application/dicom+xml", boundary)
    assert header.startswith('multipart/related; type="application/dicom+xml"; boundary=')
    related = parse_related(header)
    assert (related.boundary, related.type) == (boundary, "application/dicom+xml")


@pytest.mark.parametrize("value", ["a\r\nX: 1", "a\nX: 1", "a\rX: 1"])
def test_no_header_is_smuggled_in(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        part_header("b", value)
    with pytest.raises(ValueError, match="line break"):
        part_header("b", "a/b", location=value)
