"""Files whose File Meta Information names another encoding than their data set is in: they go out readable.

PS3.10 §7.1, PS3.5 Annex A. Some writers name one Transfer Syntax and use another; what is asked for is what is sent.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

import part10_bytes as b
from archives import Given, opened
from dicom_files import ct, part10
from pictures import image
from pixel_files import stored_as

PIXELS = np.arange(48, dtype="<u2") * 300


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path) as archive:
        yield archive


def encoded(data: Dataset, syntax: str) -> bytes:
    """The data set alone."""
    out = pydicom.filebase.DicomBytesIO()
    out.is_implicit_VR = syntax == ImplicitVRLittleEndian
    out.is_little_endian = syntax != ExplicitVRBigEndian
    if syntax == ExplicitVRBigEndian:
        data = pydicom.dcmread(io.BytesIO(part10(data)))
        data.PixelData = PIXELS.astype(">u2").tobytes()
    write_dataset(out, data)
    return out.getvalue()


def misdeclared(data: Dataset, declared: str, real: str) -> bytes:
    head = part10(data, ExplicitVRLittleEndian)
    start = 144 + int.from_bytes(head[140:144], "little")
    meta = head[144:start]
    at = meta.index(ExplicitVRLittleEndian.encode()) - 8
    uid = declared.encode() + b"\0" * (len(declared) % 2)
    length = struct.unpack_from("<H", meta, at + 6)[0]
    meta = meta[:at] + b.explicit(0x00020010, "UI", uid) + meta[at + 8 + length :]
    content = encoded(data, real)
    if declared == DeflatedExplicitVRLittleEndian:
        deflater = zlib.compressobj(wbits=-15)
        content = deflater.compress(content) + deflater.flush()
    return head[:132] + b.explicit(0x00020000, "UL", struct.pack("<L", len(meta))) + meta + content


def strictly(content: bytes) -> Dataset:
    """Read by a reader that takes File Meta Information at its word."""
    syntax = pydicom.dcmread(io.BytesIO(content), specific_tags=[]).file_meta.TransferSyntaxUID
    start = 144 + int.from_bytes(content[140:144], "little")
    body = content[start:]
    if syntax == DeflatedExplicitVRLittleEndian:
        body = zlib.decompress(body, -15)
    assert syntax not in (ImplicitVRLittleEndian, ExplicitVRBigEndian), "never sent"
    assert body[4:6].isalpha(), "Explicit VR"
    assert body[:2] == b"\x08\0", "Little Endian"
    return pydicom.dcmread(io.BytesIO(content))


NATIVE = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]


@pytest.mark.parametrize("asked", ["*", ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize(
    ("declared", "real"),
    [
        *((declared, real) for declared in NATIVE for real in NATIVE if declared != real),
        (DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian),
    ],
)
def test_native(given: Given, declared: str, real: str, asked: str) -> None:
    data = ct(PixelData=PIXELS.tobytes(), BitsStored=16, HighBit=15)
    (instance,) = given.store(misdeclared(data, declared, real))
    answer = given.get(instance.path, f"application/dicom; transfer-syntax={asked}")
    assert answer.status == 200, answer.error
    found = strictly(answer.body)
    assert f"transfer-syntax={found.file_meta.TransferSyntaxUID}" in answer.headers["content-type"]
    assert found.PixelData == PIXELS.tobytes()
    assert found.PatientName == data.PatientName
    frame = given.get(f"{instance.path}/frames/1", "application/octet-stream")
    assert frame.body == PIXELS.tobytes()


@pytest.mark.parametrize("asked", ["*", ExplicitVRLittleEndian, JPEGBaseline8Bit])
def test_compressed(given: Given, asked: str) -> None:
    """A compressed image whose data set is in Implicit VR."""
    sound = stored_as(JPEGBaseline8Bit, image(allocated=8))
    data = pydicom.dcmread(io.BytesIO(sound))
    elements = Dataset()
    elements.update({tag: element for tag, element in data.items() if tag != 0x7FE00010})
    start = 144 + int.from_bytes(sound[140:144], "little")
    stream = sound[sound.index(b"\xe0\x7f\x10\0OB\0\0") + 12 :]
    file = sound[:start] + encoded(elements, ImplicitVRLittleEndian) + b"\xe0\x7f\x10\0\xff\xff\xff\xff" + stream
    (instance,) = given.store(file)
    answer = given.get(instance.path, f"application/dicom; transfer-syntax={asked}")
    assert answer.status == 200, answer.error
    found = strictly(answer.body)
    assert found.file_meta.TransferSyntaxUID == (JPEGBaseline8Bit if asked == "*" else asked)
    assert found.Rows == data.Rows
    apart = np.abs(found.pixel_array.astype(int) - data.pixel_array.astype(int))
    assert apart.max() <= (2 if asked == ExplicitVRLittleEndian else 0), "decoders of lossy JPEG round otherwise"


def nested(order: str) -> bytes:
    """UN of undefined length in a Big Endian data set, which holds Implicit VR Little Endian (PS3.5 §6.2.2)."""
    inner = b.implicit(0x00281201, struct.pack("<1000H", *range(1000)))
    value = b.implicit(0xFFFEE000, inner) + b.SEQUENCE_END
    return b.explicit(0x00091001, "UN", length=b.UNDEFINED, order=order) + value


def test_little_endian_within_big_endian(given: Given) -> None:
    def uid(tag: int, text: str) -> bytes:
        return b.explicit(tag, "UI", text.encode() + b"\0" * (len(text) % 2), order=">")

    data = (
        uid(0x00080016, "1.2.840.10008.5.1.4.1.1.66")
        + uid(0x00080018, "1.2.3.4")
        + b.explicit(0x00090010, "LO", b"ACME", order=">")
        + nested(">")
        + uid(0x0020000D, "1.2.3.5")
        + uid(0x0020000E, "1.2.3.6")
        + b.explicit(0x00281202, "OW", struct.pack(">1000H", *range(1000)), order=">")
    )
    (instance,) = given.store(b.meta(b.BIG_ENDIAN) + data)
    expected = struct.pack("<1000H", *range(1000))
    for path in ("00091001/0/00281201", "00281202"):
        assert given.get(f"{instance.path}/bulkdata/{path}", "application/octet-stream").body == expected
    found = strictly(given.get(instance.path, "application/dicom").body)
    assert found[0x00091001].value[0][0x00281201].value == expected
    assert found[0x00281202].value == expected
