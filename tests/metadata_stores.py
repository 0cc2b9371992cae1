"""Store requests of metadata and bulk data for tests, and what became of them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pydicom

from dicom_files import parts, uid

JSON = {"Accept": "application/dicom+json"}
SC_CLASS = "1.2.840.10008.5.1.4.1.1.7"


def payload(*sent: tuple[Mapping[str, str], bytes], root: str = "application/dicom+json") -> dict[str, Any]:
    """A multipart payload and its header."""
    body = b"".join(
        b"--myboundary\r\n"
        + b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items())
        + b"\r\n"
        + content
        + b"\r\n"
        for headers, content in sent
    )
    return {
        "content": body + b"--myboundary--\r\n",
        "headers": JSON | {"Content-Type": f'multipart/related; type="{root}"; boundary=myboundary'},
    }


def metadata(*data_sets: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
    return {"Content-Type": "application/dicom+json"}, json.dumps(data_sets).encode()


def bulk(location: str, content: bytes, media_type: str = "application/octet-stream") -> tuple[dict[str, str], bytes]:
    return {"Content-Type": media_type, "Content-Location": location}, content


def data_set(**changes: Any) -> dict[str, Any]:
    """A Secondary Capture data set; names are tags with an x before."""
    found = {
        "00080016": {"vr": "UI", "Value": [SC_CLASS]},
        "00080018": {"vr": "UI", "Value": [uid()]},
        "00080060": {"vr": "CS", "Value": ["OT"]},
        "0020000D": {"vr": "UI", "Value": [uid()]},
        "0020000E": {"vr": "UI", "Value": [uid()]},
    }
    return found | {tag.removeprefix("x"): element for tag, element in changes.items()}


def value(data: Mapping[str, Any], tag: str) -> Any:
    return data[tag]["Value"][0]


def path(data: Mapping[str, Any]) -> str:
    return f"/studies/{value(data, '0020000D')}/series/{value(data, '0020000E')}/instances/{value(data, '00080018')}"


def failures(response: httpx.Response) -> list[tuple[int, list[str]]]:
    """Failure Reason and the tags at fault, of each that failed."""
    document = response.json()
    items = document.get("00081198", {}).get("Value", []) + document.get("0008119A", {}).get("Value", [])
    return [
        (item["00081197"]["Value"][0], item["00741048"]["Value"][0].get("00720026", {}).get("Value", []))
        for item in items
    ]


def retrieved(client: httpx.Client, data: Mapping[str, Any]) -> pydicom.Dataset:
    """The file of an Instance, as the server gives it."""
    response = client.get(path(data), headers={"Accept": "application/dicom; transfer-syntax=*"})
    assert response.status_code == 200, response.text
    content = response.content
    if response.headers["content-type"].startswith("multipart"):
        ((_, content),) = parts(content, response.headers["content-type"])
    return pydicom.dcmread(io.BytesIO(content))
