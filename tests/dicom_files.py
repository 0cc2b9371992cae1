"""Data sets for tests: small, made here, with fresh UIDs."""

from __future__ import annotations

import io
import itertools
import uuid
import warnings
from collections.abc import Iterable
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

_numbers = itertools.count(1)


def uid() -> str:
    return f"2.25.{uuid.uuid4().int}"


def ct(**changes: Any) -> Dataset:
    """A small CT image (8 × 6, 16 bit); keyword arguments are attributes to set, or to delete with None."""
    data = Dataset()
    data.SOPClassUID = CTImageStorage
    data.SOPInstanceUID = uid()
    data.StudyInstanceUID = uid()
    data.SeriesInstanceUID = uid()
    data.StudyDate = "20220928"
    data.StudyTime = "214137.000"
    data.AccessionNumber = "A-1"
    data.Modality = "CT"
    data.ReferringPhysicianName = "Ref^Erring"
    data.PatientName = "Zeta^Zachary"
    data.PatientID = "ID-1"
    data.PatientBirthDate = "19830606"
    data.PatientSex = "M"
    data.StudyID = "S-1"
    data.SeriesNumber = 3
    data.InstanceNumber = next(_numbers)
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.Rows, data.Columns = 6, 8
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.RescaleIntercept, data.RescaleSlope = "-1024", "1"
    data.PixelData = bytes(range(96))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tests make invalid data on purpose
        for keyword, value in changes.items():
            if value is None:
                delattr(data, keyword)
            elif isinstance(value, list) and value and isinstance(value[0], Dataset):
                setattr(data, keyword, Sequence(value))
            else:
                setattr(data, keyword, value)
    return data


def part10(data: Dataset, transfer_syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Encode as a PS3.10 file."""
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = transfer_syntax
        data.file_meta.MediaStorageSOPClassUID = data.get("SOPClassUID", CTImageStorage)
        data.file_meta.MediaStorageSOPInstanceUID = data.get("SOPInstanceUID", "1.2.3")
        pydicom.dcmwrite(out, data, enforce_file_format=True)
    return out.getvalue()


def multipart(
    files: Iterable[bytes], part_type: str = "application/dicom", boundary: str = "a-boundary"
) -> tuple[bytes, dict[str, str]]:
    """A multipart/related payload and the headers for it."""
    body = b"".join(
        b"--" + boundary.encode() + b"\r\nContent-Type: " + part_type.encode() + b"\r\n\r\n" + file + b"\r\n"
        for file in files
    )
    headers = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}'}
    return body + b"--" + boundary.encode() + b"--\r\n", headers


def parts(content: bytes, content_type: str) -> list[tuple[dict[str, str], bytes]]:
    """Take a multipart answer apart with the standard library's parser: an independent judge."""
    import email.policy
    from email.parser import BytesParser

    message = BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + content_type.encode() + b"\r\nMIME-Version: 1.0\r\n\r\n"
    )
    boundary = message.get_boundary()
    assert boundary, content_type
    assert message.get_content_type() == "multipart/related"
    delimiter = b"--" + boundary.encode()
    assert content.startswith(delimiter + b"\r\n")
    assert content.rstrip(b"\r\n").endswith(delimiter + b"--")
    result = []
    for piece in (b"\r\n" + content).split(b"\r\n" + delimiter)[1:-1]:
        head, _, body = piece[2:].partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode("ascii").split("\r\n"))
        result.append(({name.lower(): value for name, value in headers.items()}, body))
    return result
