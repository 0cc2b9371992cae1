"""STOW-RS of metadata and bulk data against a running server: PS3.18 §10.5.1.4, §10.5.2, and the seed's sample 2."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from lxml import etree
from PIL import Image

from dicom_files import uid
from metadata_stores import JSON, SC_CLASS, bulk, data_set, failures, metadata, path, payload, retrieved, value

XML = {"Accept": "application/dicom+xml"}
PDF = b"%PDF-1.4\n" + bytes(range(256)) * 700 + b"\n%%EOF"  # 179,214 bytes
PDF_CLASS = "1.2.840.10008.5.1.4.1.1.104.1"

SAMPLE_2 = """<?xml version="1.0" encoding="UTF-8"?>
<NativeDicomModel xml:space="preserve">
    <DicomAttribute keyword="SOPClassUID" tag="00080016" vr="UI">
        <Value number="1">1.2.840.10008.5.1.4.1.1.104.1</Value>
    </DicomAttribute>
    <DicomAttribute keyword="SOPInstanceUID" tag="00080018" vr="UI">
        <Value number="1">{instance}</Value>
    </DicomAttribute>
    <DicomAttribute keyword="StudyDate" tag="00080020" vr="DA"/>
    <DicomAttribute keyword="ContentDate" tag="00080023" vr="DA"/>
    <DicomAttribute keyword="AcquisitionDateTime" tag="0008002A" vr="DT"/>
    <DicomAttribute keyword="StudyTime" tag="00080030" vr="TM"/>
    <DicomAttribute keyword="ContentTime" tag="00080033" vr="TM"/>
    <DicomAttribute keyword="AccessionNumber" tag="00080050" vr="SH"/>
    <DicomAttribute keyword="Modality" tag="00080060" vr="CS">
        <Value number="1">DOC</Value>
    </DicomAttribute>
    <DicomAttribute keyword="ConversionType" tag="00080064" vr="CS">
        <Value number="1">SD</Value>
    </DicomAttribute>
    <DicomAttribute keyword="Manufacturer" tag="00080070" vr="LO"/>
    <DicomAttribute keyword="ReferringPhysicianName" tag="00080090" vr="PN"/>
    <DicomAttribute keyword="PatientName" tag="00100010" vr="PN"/>
    <DicomAttribute keyword="PatientID" tag="00100020" vr="LO"/>
    <DicomAttribute keyword="PatientBirthDate" tag="00100030" vr="DA"/>
    <DicomAttribute keyword="PatientSex" tag="00100040" vr="CS"/>
    <DicomAttribute keyword="StudyInstanceUID" tag="0020000D" vr="UI">
        <Value number="1">{study}</Value>
    </DicomAttribute>
    <DicomAttribute keyword="SeriesInstanceUID" tag="0020000E" vr="UI">
        <Value number="1">{series}</Value>
    </DicomAttribute>
    <DicomAttribute keyword="StudyID" tag="00200010" vr="SH"/>
    <DicomAttribute keyword="SeriesNumber" tag="00200011" vr="IS">
        <Value number="1">1</Value>
    </DicomAttribute>
    <DicomAttribute keyword="InstanceNumber" tag="00200013" vr="IS">
        <Value number="1">1</Value>
    </DicomAttribute>
    <DicomAttribute keyword="BurnedInAnnotation" tag="00280301" vr="CS">
        <Value number="1">YES</Value>
    </DicomAttribute>
    <DicomAttribute keyword="ConceptNameCodeSequence" tag="0040A043" vr="SQ"/>
    <DicomAttribute keyword="DocumentTitle" tag="00420010" vr="ST"/>
    <DicomAttribute keyword="EncapsulatedDocument" tag="00420011" vr="OB">
        <BulkData uri="bulk2.25.236273414892009727187587613562294401904"/>
    </DicomAttribute>
    <DicomAttribute keyword="MIMETypeOfEncapsulatedDocument" tag="00420012" vr="LO">
        <Value number="1">application/pdf</Value>
    </DicomAttribute>
</NativeDicomModel>
"""


class TestSample2:
    """The seed's STOW-RS sample 2, adapted to our Base URI."""

    @pytest.mark.parametrize(
        "line_end", [pytest.param(b"\r\n", id="as RFC 2046 has it"), pytest.param(b"\n", id="LF, as the sample has it")]
    )
    def test_as_shown(self, client: httpx.Client, base_url: str, line_end: bytes) -> None:
        study, series, instance = uid(), uid(), uid()
        document = SAMPLE_2.format(study=study, series=series, instance=instance).encode()
        body = line_end.join(
            [
                b"--myboundary",
                b"Content-Type: application/dicom+xml",
                b"",
                document + b"--myboundary" if line_end == b"\n" else document + line_end + b"--myboundary",
                b"Content-Type: application/pdf",
                b"Content-Location: bulk2.25.236273414892009727187587613562294401904",
                b"",
                PDF,
                b"--myboundary--",
                b"",
            ]
        )
        headers = XML | {"Content-Type": 'multipart/related; type="application/dicom+xml"; boundary=myboundary'}
        response = client.post("/studies", content=body, headers=headers)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/dicom+xml"
        url = f"{base_url}/studies/{study}"
        assert etree.tostring(etree.fromstring(response.content)).decode() == (
            '<NativeDicomModel xml:space="preserve">'
            f'<DicomAttribute keyword="RetrieveURL" tag="00081190" vr="UR"><Value number="1">{url}</Value>'
            '</DicomAttribute><DicomAttribute keyword="ReferencedSOPSequence" tag="00081199" vr="SQ">'
            '<Item number="1"><DicomAttribute keyword="ReferencedSOPClassUID" tag="00081150" vr="UI">'
            f'<Value number="1">{PDF_CLASS}</Value></DicomAttribute>'
            '<DicomAttribute keyword="ReferencedSOPInstanceUID" tag="00081155" vr="UI">'
            f'<Value number="1">{instance}</Value></DicomAttribute>'
            '<DicomAttribute keyword="RetrieveURL" tag="00081190" vr="UR">'
            f'<Value number="1">{url}/series/{series}/instances/{instance}</Value></DicomAttribute>'
            "</Item></DicomAttribute></NativeDicomModel>"
        )
        found = client.get(f"/studies/{study}/series/{series}/instances/{instance}/bulkdata/00420011")
        assert found.status_code == 200
        data = retrieved(
            client,
            {
                "0020000D": {"Value": [study]},
                "0020000E": {"Value": [series]},
                "00080018": {"Value": [instance]},
            },
        )
        assert data.EncapsulatedDocumentLength == len(PDF)
        assert data.EncapsulatedDocument[: len(PDF)] == PDF
        assert len(data.EncapsulatedDocument) % 2 == 0
        assert data.MIMETypeOfEncapsulatedDocument == "application/pdf"
        assert data.PatientName == ""


class TestJson:
    def test_single_part_with_all_values_inline(self, client: httpx.Client) -> None:
        data = data_set(x00091001={"vr": "OB", "InlineBinary": base64.b64encode(b"abcd").decode()})
        data["00090010"] = {"vr": "LO", "Value": ["ACME"]}
        response = client.post("/studies", json=[data], headers=JSON | {"Content-Type": "application/dicom+json"})
        assert response.status_code == 200, response.text
        assert retrieved(client, data)[0x00091001].value == b"abcd"

    def test_several_data_sets_share_bulk_data(self, client: httpx.Client) -> None:
        several = [data_set(x00282000={"vr": "OB", "BulkDataURI": "an icc profile"}) for _ in range(3)]
        response = client.post("/studies", **payload(metadata(*several), bulk("an%20icc%20profile", b"odd")))
        assert response.status_code == 200, response.text
        assert len(response.json()["00081199"]["Value"]) == 3
        for data in several:
            assert retrieved(client, data).ICCProfile == b"odd\0"

    def test_sent_again_is_the_same(self, client: httpx.Client) -> None:
        data = data_set()
        for _ in range(2):
            assert client.post("/studies", **payload(metadata(data))).status_code == 200

    def test_content_id(self, client: httpx.Client) -> None:
        data = data_set(x00282000={"vr": "OB", "BulkDataURI": "cid:1@example"})
        part = {"Content-Type": "application/octet-stream", "Content-ID": "<1@example>"}, b"ICC!"
        assert client.post("/studies", **payload(metadata(data), part)).status_code == 200
        assert retrieved(client, data).ICCProfile == b"ICC!"

    def test_text_is_utf_8(self, client: httpx.Client) -> None:
        name = {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}
        data = data_set(x00100010={"vr": "PN", "Value": [name]})
        assert client.post("/studies", **payload(metadata(data))).status_code == 200
        (found,) = client.get(f"{path(data)}/metadata", headers=JSON).json()
        assert found["00100010"]["Value"] == [name]
        assert found["00080005"]["Value"] == ["ISO_IR 192"]


class TestSupplied:
    def test_missing_uids(self, client: httpx.Client) -> None:
        study = uid()
        several = [{"00080016": {"vr": "UI", "Value": [SC_CLASS]}} for _ in range(2)]
        response = client.post(f"/studies/{study}", **payload(metadata(*several)))
        assert response.status_code == 200, response.text
        found = client.get(f"/studies/{study}/instances", headers=JSON).json()
        assert len(found) == 2
        assert len({value(each, "0020000E") for each in found}) == 1, "one Series"
        stored = {value(item, "00081155") for item in response.json()["00081199"]["Value"]}
        assert stored == {value(each, "00080018") for each in found}

    def test_empty_attributes_of_type_2(self, client: httpx.Client) -> None:
        data = data_set()
        assert client.post("/studies", **payload(metadata(data))).status_code == 200
        (found,) = client.get(f"{path(data)}/metadata", headers=JSON).json()
        for tag in ("00080020", "00080050", "00080090", "00100010", "00100020", "00200010"):
            assert "Value" not in found[tag]

    def test_document_class_and_type(self, client: httpx.Client) -> None:
        data = data_set(x00420011={"vr": "OB", "BulkDataURI": "pdf"})
        del data["00080016"]
        response = client.post("/studies", **payload(metadata(data), bulk("pdf", PDF, "application/pdf")))
        assert response.status_code == 200, response.text
        assert retrieved(client, data).SOPClassUID == PDF_CLASS


class TestFailures:
    def test_missing_bulk_data_harms_nobody_else(self, client: httpx.Client) -> None:
        good = data_set()
        bad = data_set(x00282000={"vr": "OB", "BulkDataURI": "nowhere"})
        response = client.post("/studies", **payload(metadata(bad, good), bulk("somewhere", b"unreferenced")))
        assert response.status_code == 202
        assert failures(response) == [(0xC000, ["00282000"])]
        assert value(response.json()["00081198"]["Value"][0], "00081155") == value(bad, "00080018")
        assert retrieved(client, good).SOPInstanceUID == value(good, "00080018")

    @pytest.mark.parametrize(
        ("media_type", "content"),
        [
            pytest.param("application/dicom+json", b"[{", id="no JSON"),
            pytest.param("application/dicom+json", b"[]", id="no data set"),
            pytest.param("application/dicom+json", b"[1]", id="no object"),
            pytest.param("application/dicom+json", b"[" * 100_000, id="too deep"),
            pytest.param("application/dicom+json", b"", id="empty"),
            pytest.param("application/dicom+xml", b"<NativeDicomModel>", id="no XML"),
            pytest.param("application/dicom+xml", b"<a/>", id="no NativeDicomModel"),
            pytest.param("application/dicom+xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', id="document type"),
        ],
    )
    def test_unreadable_metadata(self, client: httpx.Client, media_type: str, content: bytes) -> None:
        single = client.post("/studies", content=content, headers=JSON | {"Content-Type": media_type})
        assert single.status_code == 400
        multi = client.post("/studies", **payload(({"Content-Type": media_type}, content), root=media_type))
        assert multi.status_code == 400

    def test_one_unreadable_document_of_two(self, client: httpx.Client) -> None:
        document = SAMPLE_2.format(study=uid(), series=uid(), instance=uid()).encode()
        xml = {"Content-Type": "application/dicom+xml"}
        location = "bulk2.25.236273414892009727187587613562294401904"
        sent = payload((xml, b"<a/>"), (xml, document), bulk(location, PDF), root="application/dicom+xml")
        response = client.post("/studies", **sent)
        assert response.status_code == 202
        assert failures(response) == [(0xC000, [])]

    def test_no_metadata(self, client: httpx.Client) -> None:
        assert client.post("/studies", **payload(bulk("a", b"b"))).status_code == 400

    def test_truncated_payload(self, client: httpx.Client) -> None:
        sent = payload(metadata(data_set()))
        sent["content"] = sent["content"][:-10]
        assert client.post("/studies", **sent).status_code == 400

    def test_another_study(self, client: httpx.Client) -> None:
        response = client.post(f"/studies/{uid()}", **payload(metadata(data_set())))
        assert response.status_code == 409
        assert failures(response)[0][0] == 0xA901

    @pytest.mark.parametrize(
        "element",
        [
            pytest.param({"vr": "US", "Value": ["x"]}, id="no number"),
            pytest.param({"vr": "LO", "Value": {"a": 1}}, id="no array"),
            pytest.param(["vr"], id="no element"),
        ],
    )
    def test_invalid_element(self, client: httpx.Client, element: Any) -> None:
        response = client.post("/studies", **payload(metadata(data_set(x00091001=element))))
        assert response.status_code == 409
        assert failures(response) == [(0xC000, ["00091001"])]

    def test_file_among_metadata(self, client: httpx.Client) -> None:
        response = client.post(
            "/studies", **payload(metadata(data_set()), ({"Content-Type": "application/dicom"}, b"file"))
        )
        assert response.status_code == 202


PIXELS = {"vr": "OW", "BulkDataURI": "pixels"}
RAMP = np.add.outer(np.arange(32) * 4, np.arange(48) * 2).astype(np.uint8)


def encoded(picture: np.ndarray, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, kind, **options)
    return out.getvalue()


class TestPixels:
    def test_native(self, client: httpx.Client) -> None:
        macro: Sequence[tuple[str, Any]] = (("02", 1), ("10", 32), ("11", 48), ("00", 8))
        data = data_set(x7FE00010=PIXELS, x00280004={"vr": "CS", "Value": ["MONOCHROME2"]})
        for low, number in macro[:3]:
            data[f"002800{low}"] = {"vr": "US", "Value": [number]}
        for tag, number in (("00280100", 8), ("00280101", 8), ("00280102", 7), ("00280103", 0)):
            data[tag] = {"vr": "US", "Value": [number]}
        response = client.post("/studies", **payload(metadata(data), bulk("pixels", RAMP.tobytes())))
        assert response.status_code == 200, response.text
        found = retrieved(client, data)
        assert found.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
        assert (found.pixel_array == RAMP).all()

    @pytest.mark.parametrize(
        ("picture", "syntax", "photometric", "kind", "options"),
        [
            pytest.param(RAMP, ".50", "MONOCHROME2", "JPEG", {}, id="grey baseline"),
            pytest.param(np.dstack([RAMP] * 3), ".50", "YBR_FULL_422", "JPEG", {}, id="colour baseline"),
            pytest.param(
                np.dstack([RAMP] * 3), ".50", "YBR_FULL_422", "JPEG", {"subsampling": 0}, id="colour not subsampled"
            ),
            pytest.param(RAMP, ".55", "MONOCHROME2", "JPEG", {"progressive": True}, id="progressive"),
            pytest.param(RAMP, ".90", "MONOCHROME2", "JPEG2000", {}, id="JP2 in its boxes"),
            pytest.param(np.dstack([RAMP] * 3), ".90", "YBR_RCT", "JPEG2000", {"mct": 1}, id="JP2 colour"),
            pytest.param(RAMP, ".91", "MONOCHROME2", "JPEG2000", {"irreversible": True}, id="JP2 lossy"),
        ],
    )
    def test_compressed_pixels_tell_what_they_are(
        self, client: httpx.Client, picture: np.ndarray, syntax: str, photometric: str, kind: str, options: Any
    ) -> None:
        content = encoded(picture, kind, **options)
        data = data_set(x7FE00010=PIXELS)
        claim = "image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.70"  # wrong for all of them
        response = client.post("/studies", **payload(metadata(data), bulk("pixels", content, claim)))
        assert response.status_code == 200, response.text
        found = retrieved(client, data)
        assert found.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4" + syntax
        assert (found.Rows, found.Columns, found.BitsStored, found.HighBit) == (32, 48, 8, 7)
        assert found.PhotometricInterpretation == photometric
        assert found.get("LossyImageCompression") == (None if syntax == ".90" else "01")
        if syntax != ".55":  # which pydicom does not decode
            pixels = found.pixel_array.astype(int).reshape(32, 48, -1)
            assert np.abs(pixels[..., 0] - RAMP).max() < 12
        frame = client.get(f"{path(data)}/frames/1", headers={"Accept": "*/*"})
        assert frame.status_code == 200

    @pytest.mark.parametrize(
        ("picture", "options"),
        [
            pytest.param(RAMP, {}, id="grey"),
            pytest.param(RAMP.astype(np.uint16) * 257, {}, id="16 bit"),
            pytest.param(np.dstack([RAMP, RAMP // 2, RAMP // 3]), {}, id="colour"),
            pytest.param(np.dstack([RAMP, RAMP // 2, RAMP // 3, RAMP]), {}, id="transparency is left out"),
        ],
    )
    def test_png_becomes_native(self, client: httpx.Client, picture: np.ndarray, options: Any) -> None:
        data = data_set(x7FE00010=PIXELS)
        content = encoded(picture, "PNG", **options)
        response = client.post("/studies", **payload(metadata(data), bulk("pixels", content, "image/png")))
        assert response.status_code == 200, response.text
        found = retrieved(client, data)
        assert found.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
        assert found.PhotometricInterpretation == ("MONOCHROME2" if picture.ndim == 2 else "RGB")
        assert (found.pixel_array == (picture if picture.ndim == 2 else picture[..., :3])).all()

    def test_animated_gif_becomes_frames(self, client: httpx.Client) -> None:
        colours = [Image.new("P", (30, 20), number) for number in range(4)]
        for picture in colours:
            picture.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200, 99, 99, 99])
        out = io.BytesIO()
        colours[0].save(out, "GIF", save_all=True, append_images=colours[1:])
        data = data_set(x7FE00010=PIXELS)
        response = client.post("/studies", **payload(metadata(data), bulk("pixels", out.getvalue(), "image/gif")))
        assert response.status_code == 200, response.text
        found = retrieved(client, data)
        assert found.NumberOfFrames == 4
        assert found.pixel_array[:, 0, 0].tolist() == [[200, 10, 10], [10, 200, 10], [10, 10, 200], [99, 99, 99]]

    def test_one_part_for_each_frame(self, client: httpx.Client) -> None:
        frames = [encoded(RAMP + number, "JPEG") for number in range(3)]
        data = data_set(x7FE00010=PIXELS)
        sent = [bulk("pixels", frame, "image/jpeg") for frame in frames]
        response = client.post("/studies", **payload(metadata(data), *sent))
        assert response.status_code == 200, response.text
        found = retrieved(client, data)
        assert found.NumberOfFrames == 3
        assert [frame.removesuffix(b"\0") for frame in pydicom.encaps.generate_frames(found.PixelData)] == frames

    @pytest.mark.parametrize(
        ("changes", "media_type", "content", "tag"),
        [
            pytest.param({}, "image/png", b"no PNG", None, id="no PNG"),
            pytest.param({}, "image/tiff", b"II*\0", "7FE00010", id="unsupported media type"),
            pytest.param({"x00280010": {"vr": "US", "Value": [31]}}, "image/jpeg", None, "00280010", id="other Rows"),
            pytest.param(
                {"x00280008": {"vr": "IS", "Value": [2]}}, "image/jpeg", None, "00280008", id="frames missing"
            ),
            pytest.param({}, "image/dicom-rle", b"\1\0\0\0\x40" + bytes(99), "00280002", id="RLE tells nothing"),
            pytest.param({}, "video/mp4", b"....ftyp", None, id="video without track"),
        ],
    )
    def test_what_can_not_be(
        self, client: httpx.Client, changes: Any, media_type: str, content: bytes | None, tag: str | None
    ) -> None:
        data = data_set(x7FE00010=PIXELS, **changes)
        content = encoded(RAMP, "JPEG") if content is None else content
        response = client.post("/studies", **payload(metadata(data), bulk("pixels", content, media_type)))
        assert response.status_code == 409
        ((reason, tags),) = failures(response)
        assert reason == 0xC000
        assert tags == [] if tag is None else tag in tags

    def test_truncated_stream(self, client: httpx.Client) -> None:
        data = data_set(x7FE00010=PIXELS)
        sent = payload(metadata(data), bulk("pixels", encoded(RAMP, "JPEG")[:90], "image/jpeg"))
        assert client.post("/studies", **sent).status_code == 409


@pytest.mark.shared_data
class TestPayloads:
    """Media as devices for consumers make them: PS3.18 Table 10.5.2-1."""

    @pytest.mark.parametrize(
        ("name", "media_type", "syntax", "frames"),
        [
            pytest.param("video-h264-1280x720.mp4", "video/mp4", ".102", 12, id="H.264"),
            pytest.param(
                "video-h264-1280x720.mp4", "video/mp4; transfer-syntax=1.2.840.10008.1.2.4.103", ".103", 12, id="claim"
            ),
            pytest.param("video-hevc-1280x720.mp4", "video/mp4", ".107", 12, id="H.265"),
            pytest.param("video-mpeg2-720x576.m2v", "video/mpeg", ".100", 12, id="MPEG-2"),
        ],
    )
    def test_video(
        self, client: httpx.Client, shared_data: Path, name: str, media_type: str, syntax: str, frames: int | None
    ) -> None:
        content = (shared_data / "payloads" / "video" / name).read_bytes()
        data = data_set(x7FE00010=PIXELS)
        response = client.post("/studies", **payload(metadata(data), bulk("pixels", content, media_type)))
        assert response.status_code == 200, response.text
        found = retrieved(client, data)
        assert found.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4" + syntax
        assert found.get("NumberOfFrames") == frames
        (fragment,) = pydicom.encaps.generate_fragments(found.PixelData[8:])
        assert fragment[: len(content)] == content

    @pytest.mark.parametrize(
        ("name", "media_type", "number"),
        [
            ("report.pdf", "application/pdf", 1),
            ("report.cda.xml", "text/xml", 2),
            ("cube.stl", "model/stl", 3),
            ("cube.obj", "model/obj", 4),
        ],
    )
    def test_document(self, client: httpx.Client, shared_data: Path, name: str, media_type: str, number: int) -> None:
        content = (shared_data / "payloads" / "documents" / name).read_bytes()
        data = data_set(x00420011={"vr": "OB", "BulkDataURI": "document"})
        del data["00080016"]
        response = client.post("/studies", **payload(metadata(data), bulk("document", content, media_type)))
        assert response.status_code == 200, response.text
        found = retrieved(client, data)
        assert found.SOPClassUID == f"1.2.840.10008.5.1.4.1.1.104.{number}"
        assert found.EncapsulatedDocument[: found.EncapsulatedDocumentLength] == content


def test_a_full_disk(tmp_path: Path, serving: Callable[..., Any]) -> None:
    with (
        serving(tmp_path / "data", env={"SKIAGRAPH_KEEP_FREE_BYTES": str(2**60)}) as server,
        server.client() as client,
    ):
        response = client.post("/studies", **payload(metadata(data_set()), bulk("x", bytes(3_000_000))))
        assert response.status_code == 507
        assert client.get("/instances", headers=JSON).status_code in (200, 204)
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"[" + b"{}," * 20_000 + b"{}]", id="data sets"),
        pytest.param(b'[{"00081115":{"vr":"SQ","Value":[' + b"{}," * 2_000_000 + b"{}]}}]", id="items"),
    ],
)
def test_few_bytes_can_not_make_much_work(client: httpx.Client, content: bytes) -> None:
    response = client.post("/studies", content=content, headers={"Content-Type": "application/dicom+json"})
    assert response.status_code == 413, response.text
