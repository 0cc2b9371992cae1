"""Objects that Store makes of metadata and media, judged by dciodvfy (dicom3tools): PS3.18 §10.5.2, Table 10.5.2-1."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import imagecodecs
import numpy as np
import pydicom
import pytest
from PIL import Image

from dicom_files import uid
from metadata_stores import bulk, failures, metadata, path, payload, retrieved, value

RAMP = np.add.outer(np.arange(32) * 4, np.arange(48) * 2).astype(np.uint8)
COLOUR = np.dstack([RAMP, RAMP[::-1], RAMP[:, ::-1]])

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
PHOTOGRAPH = "1.2.840.10008.5.1.4.1.1.77.1.4"
VIDEO = "1.2.840.10008.5.1.4.1.1.77.1.4.1"
DOCUMENT = "1.2.840.10008.5.1.4.1.1.104"
TEXT = "1.2.840.10008.5.1.4.1.1.88.11"

UNKNOWN_TO_DCIODVFY = {
    "1.2.840.10008.1.2.4.107": "1.2.840.10008.1.2.4.102",
    "1.2.840.10008.1.2.4.110": "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.111": "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.112": "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.201": "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.203": "1.2.840.10008.1.2.4.91",
}
"""Transfer Syntaxes younger than the validator → older ones under which it reads the same data set."""


@dataclass(frozen=True)
class Medium:
    """What is sent."""

    media_type: str
    file: str | None = None
    """Below payloads of the shared data."""
    parts: tuple[bytes, ...] = ()
    document: bool = False


def saved(picture: np.ndarray, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, kind, **options)
    return out.getvalue()


def animation(*durations: int) -> bytes:
    pictures = [Image.new("P", (30, 20), number) for number in range(len(durations))]
    for picture in pictures:
        picture.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200, 99, 99, 99])
    out = io.BytesIO()
    pictures[0].save(out, "GIF", save_all=True, append_images=pictures[1:], duration=list(durations))
    return out.getvalue()


MEDIA: dict[str, tuple[Medium, str]] = {
    **{
        f"{name} {kind}": (Medium(media_type, f"codestreams/{name}-{kind}"), SECONDARY_CAPTURE)
        for name, media_type, kinds in (
            ("tile-jpeg-baseline", "image/jpeg", ("gray-8.jpg", "rgb-8.jpg", "ybr-8.jpg")),
            ("tile-jpeg-extended", "image/jpeg", ("gray-12.jpg",)),
            ("tile-jpeg-lossless", "image/jpeg", ("gray-8.jpg", "gray-16.jpg", "rgb-8.jpg")),
            ("tile-jpegls-lossless", "image/jls", ("gray-8.jls", "gray-16.jls", "rgb-8.jls")),
            ("tile-jpegls-near", "image/jls", ("gray-8.jls", "gray-16.jls", "rgb-8.jls")),
            ("tile-j2k-lossless", "image/jp2", ("gray-8.jp2", "gray-16.jp2", "rgb-8.jp2", "ybr-8.jp2")),
            ("tile-j2k-lossy", "image/jp2", ("gray-8.jp2", "gray-16.jp2", "rgb-8.jp2", "ybr-8.jp2")),
        )
        for kind in kinds
    },
    "HTJ2K": (Medium("image/jphc", "codestreams/htj2k-lossless.j2k"), SECONDARY_CAPTURE),
    "HTJ2K lossy": (Medium("image/jph", "codestreams/htj2k-lossy.j2k"), SECONDARY_CAPTURE),
    "photograph": (Medium("image/jpeg", "image/frame_rgb.jpeg"), SECONDARY_CAPTURE),
    "H.264": (Medium("video/mp4", "video/video-h264-1280x720.mp4"), VIDEO),
    "H.265": (Medium("video/H265", "video/video-hevc-1280x720.mp4"), VIDEO),
    "MPEG-2": (Medium("video/mpeg", "video/video-mpeg2-720x576.m2v"), VIDEO),
    "PDF": (Medium("application/pdf", "documents/report.pdf", document=True), f"{DOCUMENT}.1"),
    "CDA": (Medium("text/xml", "documents/report.cda.xml", document=True), f"{DOCUMENT}.2"),
    "STL": (Medium("model/stl", "documents/cube.stl", document=True), f"{DOCUMENT}.3"),
    "OBJ": (Medium("model/obj", "documents/cube.obj", document=True), f"{DOCUMENT}.4"),
    "MTL": (Medium("model/mtl", parts=(b"newmtl red\nKd 1 0 0\n",), document=True), f"{DOCUMENT}.5"),
    "text": (Medium("text/plain; charset=utf-8", parts=("Größe: 3\n\x0cEnde".encode(),), document=True), TEXT),
    "JPEG XL": (Medium("image/jxl", parts=(imagecodecs.jpegxl_encode(RAMP, lossless=True),)), SECONDARY_CAPTURE),
    "JPEG XL lossy": (Medium("image/jxl", parts=(imagecodecs.jpegxl_encode(COLOUR, distance=1.0),)), SECONDARY_CAPTURE),
    "JPEG XL of a JPEG": (
        Medium("image/jxl", parts=(imagecodecs.jpegxl_encode_jpeg(saved(COLOUR, "JPEG"), usecontainer=True),)),
        SECONDARY_CAPTURE,
    ),
    "PNG": (Medium("image/png", parts=(saved(RAMP, "PNG"),)), SECONDARY_CAPTURE),
    "PNG 16 bit": (Medium("image/png", parts=(saved(RAMP.astype(np.uint16) * 257, "PNG"),)), SECONDARY_CAPTURE),
    "PNG colour": (Medium("image/png", parts=(saved(COLOUR, "PNG"),)), SECONDARY_CAPTURE),
    "GIF": (Medium("image/gif", parts=(saved(RAMP, "GIF"),)), SECONDARY_CAPTURE),
    "GIF animated": (Medium("image/gif", parts=(animation(80, 80, 80),)), f"{SECONDARY_CAPTURE}.4"),
    "GIF animated unevenly": (Medium("image/gif", parts=(animation(80, 500, 80),)), f"{SECONDARY_CAPTURE}.4"),
    "pages": (Medium("image/jpeg", parts=(saved(RAMP, "JPEG"),) * 3), f"{SECONDARY_CAPTURE}.2"),
    "pages of 16 bit": (
        Medium("image/jp2", parts=(imagecodecs.jpeg2k_encode(RAMP.astype(np.uint16) * 257),) * 2),
        f"{SECONDARY_CAPTURE}.3",
    ),
    "pages in colour": (Medium("image/jpeg", parts=(saved(COLOUR, "JPEG"),) * 2), f"{SECONDARY_CAPTURE}.4"),
}

# Of type 1, and nobody but the client can know them
_ONLY_THE_CLIENT = {
    TEXT: {"ContentDate", "ContentTime"},
    VIDEO: {"AnatomicRegionSequence"},
    f"{DOCUMENT}.3": {
        "DeviceSerialNumber",
        "Manufacturer",
        "ManufacturerModelName",
        "MeasurementUnitsCodeSequence",
        "SoftwareVersions",
    },
}
_NO_IOD = {f"{DOCUMENT}.4", f"{DOCUMENT}.5"}  # of which dciodvfy has no definition


def code(code_value: str, scheme: str, meaning: str) -> dict[str, Any]:
    return {
        "vr": "SQ",
        "Value": [
            {
                "00080100": {"vr": "SH", "Value": [code_value]},
                "00080102": {"vr": "SH", "Value": [scheme]},
                "00080104": {"vr": "LO", "Value": [meaning]},
            }
        ],
    }


COMPLETE: dict[str, Any] = {
    "00080020": {"vr": "DA", "Value": ["20260101"]},
    "00080023": {"vr": "DA", "Value": ["20260101"]},
    "00080030": {"vr": "TM", "Value": ["101500"]},
    "00080033": {"vr": "TM", "Value": ["101500"]},
    "00080050": {"vr": "SH", "Value": ["A-1"]},
    "00080070": {"vr": "LO", "Value": ["Maker"]},
    "00080090": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane"}]},
    "00081090": {"vr": "LO", "Value": ["Model"]},
    "00082218": code("69536005", "SCT", "Head"),
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Roe^Richard"}]},
    "00100020": {"vr": "LO", "Value": ["P-1"]},
    "00100030": {"vr": "DA", "Value": ["19700101"]},
    "00100040": {"vr": "CS", "Value": ["M"]},
    "00181000": {"vr": "LO", "Value": ["1"]},
    "00181020": {"vr": "LO", "Value": ["1.0"]},
    "00200010": {"vr": "SH", "Value": ["S-1"]},
    "00200011": {"vr": "IS", "Value": [7]},
    "00200013": {"vr": "IS", "Value": [9]},
    "004008EA": code("mm", "UCUM", "mm"),
}


def errors(found: pydicom.Dataset, folder: Path) -> set[str]:
    """Keywords, or sentences without one, of what dciodvfy takes for an error."""
    found.file_meta.TransferSyntaxUID = UNKNOWN_TO_DCIODVFY.get(
        found.file_meta.TransferSyntaxUID, found.file_meta.TransferSyntaxUID
    )
    if found.get("PhotometricInterpretation") == "XYB":
        found.PhotometricInterpretation = "YBR_ICT"
    file = folder / "made.dcm"
    found.save_as(file)
    output = subprocess.run(["dciodvfy", "-new", str(file)], capture_output=True, text=True, check=False)
    lines = [line for line in (output.stdout + output.stderr).splitlines() if line.startswith("Error")]
    return {line.partition("</")[2].partition("(")[0] or line for line in lines}


def sent(shared_data: Path, medium: Medium, attributes: Mapping[str, Any]) -> tuple[dict[str, Any], Sequence[Any]]:
    tag = "00420011" if medium.document else "7FE00010"
    given = {
        "00080018": {"vr": "UI", "Value": [uid()]},
        "0020000D": {"vr": "UI", "Value": [uid()]},
        "0020000E": {"vr": "UI", "Value": [uid()]},
        tag: {"vr": "OB", "BulkDataURI": "it"},
        **attributes,
    }
    contents = medium.parts or ((shared_data / "payloads" / str(medium.file)).read_bytes(),)
    return given, [bulk("it", bytes(content), medium.media_type) for content in contents]


@pytest.mark.shared_data
@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
class TestValid:
    @pytest.mark.parametrize("name", MEDIA)
    def test_with_no_metadata_at_all(self, client: httpx.Client, shared_data: Path, tmp_path: Path, name: str) -> None:
        medium, sop_class_uid = MEDIA[name]
        given, parts = sent(shared_data, medium, {})
        response = client.post("/studies", **payload(metadata(given), *parts))
        assert response.status_code == 200, response.text
        found = retrieved(client, given)
        assert found.SOPClassUID == sop_class_uid
        if sop_class_uid not in _NO_IOD:
            assert errors(found, tmp_path) == _ONLY_THE_CLIENT.get(sop_class_uid, set())

    @pytest.mark.parametrize("name", MEDIA)
    def test_with_all_that_the_client_knows(
        self, client: httpx.Client, shared_data: Path, tmp_path: Path, name: str
    ) -> None:
        medium, sop_class_uid = MEDIA[name]
        given, parts = sent(shared_data, medium, COMPLETE)
        response = client.post("/studies", **payload(metadata(given), *parts))
        assert response.status_code == 200, response.text
        found = retrieved(client, given)
        if sop_class_uid not in _NO_IOD:
            assert errors(found, tmp_path) == set()
        stored = found.to_json_dict()
        for tag in COMPLETE:
            assert found[tag].value is not None
            assert stored[tag]["Value"], "what is given stays"
        assert (found.SeriesNumber, found.InstanceNumber) == (7, 9)

    @pytest.mark.parametrize("name", ["photograph", "PNG", "JPEG XL", "PNG colour"])
    def test_photographs(self, client: httpx.Client, shared_data: Path, tmp_path: Path, name: str) -> None:
        given, parts = sent(shared_data, MEDIA[name][0], COMPLETE | {"00080016": {"vr": "UI", "Value": [PHOTOGRAPH]}})
        assert client.post("/studies", **payload(metadata(given), *parts)).status_code == 200
        found = retrieved(client, given)
        assert found.Modality == "XC"
        assert errors(found, tmp_path) == set()

    def test_corrected(self, client: httpx.Client, shared_data: Path, tmp_path: Path) -> None:
        """The Original Attributes Sequence is a sound one, too."""
        wrong = COMPLETE | {"00280004": {"vr": "CS", "Value": ["RGB"]}, "00280006": {"vr": "US", "Value": [1]}}
        given, parts = sent(shared_data, MEDIA["photograph"][0], wrong)
        assert client.post("/studies", **payload(metadata(given), *parts)).status_code == 202
        found = retrieved(client, given)
        assert "OriginalAttributesSequence" in found
        assert errors(found, tmp_path) == set()


def test_text_can_be_read_again(client: httpx.Client) -> None:
    given, parts = sent(Path(), MEDIA["text"][0], {})
    assert client.post("/studies", **payload(metadata(given), *parts)).status_code == 200
    page = client.get(f"{path(given)}/rendered", headers={"Accept": "text/plain"})
    assert page.status_code == 200
    assert "Größe: 3" in page.text
    found = retrieved(client, given)
    assert "EncapsulatedDocument" not in found
    assert found.ContentSequence[0].TextValue == "Größe: 3\n\x0cEnde"


@pytest.mark.parametrize(
    ("content", "media_type", "tag"),
    [
        pytest.param(b"\xff\xfe\x00", "text/plain", "00420011", id="no UTF-8"),
        pytest.param(b"a\0b", "text/plain", "00420011", id="control characters"),
        pytest.param(b"\xe4", "text/plain; charset=klingon", "00420011", id="unknown character set"),
    ],
)
def test_no_text(client: httpx.Client, content: bytes, media_type: str, tag: str) -> None:
    given, parts = sent(Path(), Medium(media_type, parts=(content,), document=True), {})
    response = client.post("/studies", **payload(metadata(given), *parts))
    assert response.status_code == 409
    assert failures(response) == [(0xC000, [tag])]


def test_time_of_frames(client: httpx.Client) -> None:
    for medium, time, vector in ((animation(80, 80, 80), 80.0, None), (animation(80, 500, 80), None, [0, 80, 500])):
        given, parts = sent(Path(), Medium("image/gif", parts=(medium,)), {})
        assert client.post("/studies", **payload(metadata(given), *parts)).status_code == 200
        found = retrieved(client, given)
        assert found.get("FrameTime") == time
        assert found.get("FrameTimeVector") == vector
        assert found.FrameIncrementPointer == (0x00181065 if vector else 0x00181063)


def test_instances_of_a_series_are_numbered(client: httpx.Client) -> None:
    several = [sent(Path(), MEDIA["PNG"][0], {})[0] for _ in range(3)]
    for data in several:
        data["0020000D"], data["0020000E"] = several[0]["0020000D"], several[0]["0020000E"]
    assert client.post(
        "/studies", **payload(metadata(*several), bulk("it", saved(RAMP, "PNG"), "image/png"))
    ).is_success
    assert [retrieved(client, data).InstanceNumber for data in several] == [1, 2, 3]


def test_a_series_has_one_modality(client: httpx.Client) -> None:
    study = uid()
    kinds = {"PNG": "OT", "MTL": "M3D", "text": "SR"}
    given, parts = [], []
    for number, name in enumerate([*kinds, *kinds]):
        data, (part,) = sent(Path(), MEDIA[name][0], {"0020000D": {"vr": "UI", "Value": [study]}})
        del data["0020000E"]
        data["00420011" if MEDIA[name][0].document else "7FE00010"]["BulkDataURI"] = str(number)
        given.append(data)
        parts.append(bulk(str(number), part[1], part[0]["Content-Type"]))
    assert client.post("/studies", **payload(metadata(*given), *parts)).status_code == 200
    found = client.get(f"/studies/{study}/series").json()
    assert sorted(value(series, "00080060") for series in found) == sorted(kinds.values())
    assert all(value(series, "00201209") == 2 for series in found)


def test_colour_profile_of_png(client: httpx.Client) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    given, parts = sent(Path(), Medium("image/png", parts=(saved(COLOUR, "PNG", icc_profile=profile),)), {})
    assert client.post("/studies", **payload(metadata(given), *parts)).status_code == 200
    assert retrieved(client, given).ICCProfile == profile + b"\0" * (len(profile) % 2)
    rendered = client.get(f"{path(given)}/rendered", headers={"Accept": "image/png"})
    assert rendered.status_code == 200
    assert value(given, "00080018")
