"""File Meta Information (PS3.10 §7.1): what is read, kept, blanked and written."""

from __future__ import annotations

import io
import struct

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.standard import file_meta

EXPLICIT_LE = "1.2.840.10008.1.2.1"


def element(number: int, vr: bytes, value: bytes) -> bytes:
    if vr == b"OB":
        return struct.pack("<HH2sHL", 2, number, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", 2, number, vr, len(value)) + value


GROUP = (
    element(0x0000, b"UL", b"\x00\x00\x00\x00")
    + element(0x0001, b"OB", b"\x00\x01")
    + element(0x0010, b"UI", b"1.2.840.10008.1.2\0")
    + element(0x0016, b"AE", b"MODALITY")
)
READ = {0x0000: b"\0\0\0\0", 0x0001: b"\0\1", 0x0010: b"1.2.840.10008.1.2\0", 0x0016: b"MODALITY"}


@pytest.mark.parametrize(
    ("prefix", "values"),
    [
        pytest.param(bytes(128) + b"DICM" + GROUP, READ, id="PS3.10 §7.1 preamble and prefix"),
        pytest.param(b"DICM" + GROUP, READ, id="prefix without preamble"),
        pytest.param(GROUP, READ, id="neither preamble nor prefix"),
        pytest.param(b"", {}, id="nothing"),
        pytest.param(bytes(128) + b"DICM", {}, id="prefix alone"),
        pytest.param(bytes(128) + b"DICM" + GROUP[:-3], dict(list(READ.items())[:-1]), id="cut within a value"),
        pytest.param(
            struct.pack("<HHL", 2, 0x0010, 18) + b"1.2.840.10008.1.2\0",
            {0x0010: b"1.2.840.10008.1.2\0"},
            id="implicit VR against the rule",
        ),
        pytest.param(GROUP + struct.pack("<HH2sH", 8, 0x16, b"UI", 0), READ, id="ends where the group ends"),
    ],
)
def test_read(prefix: bytes, values: dict[int, bytes]) -> None:
    assert file_meta.read(prefix) == values


@given(st.binary(max_size=300))
def test_reading_takes_any_bytes(prefix: bytes) -> None:
    file_meta.read(bytes(128) + b"DICM" + prefix)


def test_what_is_written_is_a_file_that_pydicom_reads() -> None:
    data = file_meta.write(READ, transfer_syntax_uid=EXPLICIT_LE, sop_class_uid="1.2.3", sop_instance_uid="1.2.3.4")
    meta = pydicom.dcmread(io.BytesIO(data)).file_meta
    assert meta.FileMetaInformationGroupLength == len(data) - 144
    assert meta.TransferSyntaxUID == EXPLICIT_LE
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == ("1.2.3", "1.2.3.4")
    assert meta.FileMetaInformationVersion == b"\x00\x01"
    assert meta.SourceApplicationEntityTitle == "MODALITY", "what does not depend on the encoding is kept"
    assert meta.ImplementationClassUID == file_meta.IMPLEMENTATION_CLASS_UID, "the writer is this server"


def test_private_information_is_kept() -> None:
    received = {0x0100: b"1.2.3", 0x0102: b"\x01\x02\x03\x04"}
    data = file_meta.write(received, transfer_syntax_uid=EXPLICIT_LE, sop_class_uid="1", sop_instance_uid="2")
    meta = pydicom.dcmread(io.BytesIO(data)).file_meta
    assert meta.PrivateInformationCreatorUID == "1.2.3"
    assert meta.PrivateInformation == b"\x01\x02\x03\x04"


@pytest.mark.parametrize(
    ("start", "kept"),
    [
        pytest.param(b"", True, id="all zero"),
        pytest.param(b"II*\0\x08\0\0\0", True, id="little endian TIFF"),
        pytest.param(b"MM\0*\0\0\0\x08", True, id="big endian TIFF"),
        pytest.param(b"II+\0\x08\0\0\0", True, id="BigTIFF"),
        pytest.param(b"MZ\x90\0", False, id="executable"),
        pytest.param(b"<script>", False, id="script"),
    ],
)
def test_preamble(start: bytes, kept: bool) -> None:
    preamble = start.ljust(128, b"\0")
    assert file_meta.blanked(preamble) == (preamble if kept else bytes(128))
