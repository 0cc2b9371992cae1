"""What metadata and part headers claim against what the bytes are: PS3.18 §10.5.1.4, §10.5.2, Table I.2-2."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import httpx
import imagecodecs
import numpy as np
import pydicom
import pytest
from PIL import Image

from dicom_files import ct, multipart, part10, uid
from metadata_stores import JSON, bulk, data_set, failures, metadata, path, payload, retrieved, value
from skiagraph.standard import native_xml

RAMP = np.add.outer(np.arange(32) * 4, np.arange(48) * 2).astype(np.uint8)
COLOUR = np.dstack([RAMP, RAMP[::-1], RAMP[:, ::-1]])
PIXELS = {"vr": "OW", "BulkDataURI": "pixels"}
PDF = b"%PDF-1.4\n%%EOF\n"
CDA = (
    b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3" extension="7"/></ClinicalDocument>'
)
DOCUMENT = "1.2.840.10008.5.1.4.1.1.104."
NATIVE = "1.2.840.10008.1.2.1"
J2K = "1.2.840.10008.1.2.4.90"
BASELINE = "1.2.840.10008.1.2.4.50"


def saved(picture: np.ndarray, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, kind, **options)
    return out.getvalue()


def us(number: int) -> dict[str, Any]:
    return {"vr": "US", "Value": [number]}


def cs(text: str) -> dict[str, Any]:
    return {"vr": "CS", "Value": [text]}


def native(**changes: Any) -> dict[str, Any]:
    """Metadata of RAMP as native pixels."""
    numbers = {"02": 1, "10": 32, "11": 48}
    macro = {f"x002800{low}": us(number) for low, number in numbers.items()}
    macro |= {"x00280100": us(8), "x00280101": us(8), "x00280102": us(7), "x00280103": us(0)}
    return data_set(**(macro | {"x00280004": cs("MONOCHROME2"), "x7FE00010": PIXELS} | changes))


JPEG = saved(RAMP, "JPEG")
JPEG_COLOUR = saved(COLOUR, "JPEG")
PNG = saved(RAMP, "PNG")
JP2 = saved(RAMP, "JPEG2000")


class TestPixelsAreWhatTheyAre:
    """Content-Type, ``transfer-syntax`` and Transfer Syntax UID give way to the bytes."""

    @pytest.mark.parametrize(
        ("claim", "content", "syntax"),
        [
            pytest.param("image/jpeg", PNG, NATIVE, id="JPEG claimed, PNG sent"),
            pytest.param("image/png", JPEG, BASELINE, id="PNG claimed, JPEG sent"),
            pytest.param("image/jpeg", JP2, J2K, id="JPEG claimed, JP2 sent"),
            pytest.param(f"image/jp2; transfer-syntax={J2K}", JPEG, BASELINE, id="JPEG 2000 claimed, JPEG sent"),
            pytest.param("image/gif", imagecodecs.jpegxl_encode(RAMP, lossless=True), "1.2.840.10008.1.2.4.110",
                         id="GIF claimed, JPEG XL sent"),
            pytest.param("application/octet-stream", JPEG, BASELINE, id="nothing claimed, JPEG sent"),
            pytest.param("", PNG, NATIVE, id="no Content-Type, PNG sent"),
            pytest.param("video/mp4", JPEG, BASELINE, id="video claimed, JPEG sent"),
            pytest.param(f"application/octet-stream; transfer-syntax={NATIVE}", JP2, J2K, id="native claimed"),
        ],
    )  # fmt: skip
    def test_content_type(self, client: httpx.Client, claim: str, content: bytes, syntax: str) -> None:
        data = data_set(x7FE00010=PIXELS)
        response = client.post("/studies", **payload(metadata(data), bulk("pixels", content, claim)))
        assert response.status_code == 200, response.text
        found = retrieved(client, data)
        assert found.file_meta.TransferSyntaxUID == syntax
        assert (found.Rows, found.Columns, found.SamplesPerPixel) == (32, 48, 1)

    @pytest.mark.parametrize("claimed", [J2K, NATIVE, "1.2.840.10008.1.2.4.70", "1.2.3"])
    def test_transfer_syntax_uid_in_the_metadata(self, client: httpx.Client, claimed: str) -> None:
        data = data_set(x7FE00010=PIXELS, x00020010={"vr": "UI", "Value": [claimed]})
        assert client.post("/studies", **payload(metadata(data), bulk("pixels", JPEG, "image/jpeg"))).status_code == 200
        assert retrieved(client, data).file_meta.TransferSyntaxUID == BASELINE

    def test_native_pixels_that_begin_like_a_picture(self, client: httpx.Client) -> None:
        pixels = b"\xff\xd8\xff" + RAMP.tobytes()[3:]
        data = native()
        assert client.post("/studies", **payload(metadata(data), bulk("pixels", pixels))).status_code == 200
        found = retrieved(client, data)
        assert found.file_meta.TransferSyntaxUID == NATIVE
        assert found.PixelData == pixels

    @pytest.mark.shared_data
    def test_quicktime(self, client: httpx.Client, shared_data: Path) -> None:
        content = (shared_data / "payloads" / "video" / "video-h264-1280x720.mp4").read_bytes()
        movie = content.replace(b"ftypisom", b"ftypqt  ", 1)
        data = data_set(x7FE00010=PIXELS)
        sent = payload(metadata(data), bulk("pixels", movie, "video/quicktime"))
        assert client.post("/studies", **sent).status_code == 200
        assert retrieved(client, data).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.102"


class TestCorrected:
    """Values that contradict the pixels: corrected, with the original kept (PS3.3 C.12.1.1.9) and a warning."""

    @pytest.mark.parametrize(
        ("tag", "wrong", "right", "content"),
        [
            pytest.param("00280004", cs("RGB"), "YBR_FULL_422", JPEG_COLOUR, id="Photometric Interpretation"),
            pytest.param("00280004", cs("PALETTE COLOR"), "RGB", saved(COLOUR, "PNG"), id="of an expanded palette"),
            pytest.param("00280006", us(1), 0, JPEG_COLOUR, id="Planar Configuration"),
            pytest.param("00280101", us(12), 8, JPEG, id="Bits Stored"),
            pytest.param("00280100", us(4), 8, JPEG, id="Bits Allocated"),
            pytest.param("00282110", cs("00"), "01", JPEG, id="Lossy Image Compression"),
        ],
    )
    def test_pixels(
        self, client: httpx.Client, base_url: str, tag: str, wrong: dict[str, Any], right: Any, content: bytes
    ) -> None:
        data = data_set(**{f"x{tag}": wrong, "x7FE00010": PIXELS})
        sent = payload(metadata(data), bulk("pixels", content, "image/x-any"))
        response = client.post("/studies", **sent)
        assert response.status_code == 202, response.text
        (item,) = response.json()["00081199"]["Value"]
        assert value(item, "00081196") == 0xB000
        (told,) = item["04000561"]["Value"]
        found = retrieved(client, data)
        assert found[tag].value == right
        (kept,) = found.OriginalAttributesSequence
        assert kept.ReasonForTheAttributeModification == "CORRECT"
        assert kept.ModifyingSystem == "skiagraph"
        assert kept.SourceOfPreviousValues == ""
        assert pydicom.valuerep.DT(kept.AttributeModificationDateTime).tzinfo is not None
        (modified,) = kept.ModifiedAttributesSequence
        assert {each.tag for each in modified} == {int(tag, 16)} | ({0x00280102} & {each.tag for each in modified})
        assert modified[tag].value == wrong["Value"][0]
        assert kept.to_json_dict() == pydicom.Dataset.from_json(told).to_json_dict()
        again = client.post("/studies", **sent)
        assert again.status_code == 202, "the same metadata again are the same data set"
        assert value(again.json()["00081199"]["Value"][0], "00081196") == 0xB000

    def test_items_that_were_there_stay(self, client: httpx.Client) -> None:
        before = {
            "04000550": {"vr": "SQ", "Value": [{"00100020": {"vr": "LO", "Value": ["OLD"]}}]},
            "04000562": {"vr": "DT", "Value": ["20200101"]},
            "04000563": {"vr": "LO", "Value": ["elsewhere"]},
            "04000564": {"vr": "LO"},
            "04000565": {"vr": "CS", "Value": ["COERCE"]},
        }
        data = data_set(x04000561={"vr": "SQ", "Value": [before]}, x00282110=cs("00"), x7FE00010=PIXELS)
        assert client.post("/studies", **payload(metadata(data), bulk("pixels", JPEG, "image/jpeg"))).status_code == 202
        found = retrieved(client, data)
        assert [item.ModifyingSystem for item in found.OriginalAttributesSequence] == ["elsewhere", "skiagraph"]

    def test_length_of_a_document(self, client: httpx.Client) -> None:
        data = data_set(
            x00080016={"vr": "UI", "Value": [DOCUMENT + "1"]},
            x00420011={"vr": "OB", "BulkDataURI": "it"},
            x00420015={"vr": "UL", "Value": [99]},
        )
        assert client.post("/studies", **payload(metadata(data), bulk("it", PDF, "application/pdf"))).status_code == 202
        found = retrieved(client, data)
        assert found.EncapsulatedDocumentLength == len(PDF)
        assert found.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].EncapsulatedDocumentLength == 99

    def test_what_is_only_supplied_is_no_change(self, client: httpx.Client) -> None:
        data = data_set(x7FE00010=PIXELS)
        assert client.post("/studies", **payload(metadata(data), bulk("pixels", JPEG, "image/jpeg"))).status_code == 200
        assert "OriginalAttributesSequence" not in retrieved(client, data)

    def test_what_is_said_in_another_way_is_no_change(self, client: httpx.Client) -> None:
        data = data_set(
            x7FE00010=PIXELS,
            x00280010={"vr": "US", "Value": ["32"]},
            x00280004=cs("YBR_FULL"),
            x00280002={"vr": "US", "Value": [3]},
            x00280101={"vr": "US", "Value": ["8"]},
        )
        sent = payload(metadata(data), bulk("pixels", JPEG_COLOUR, "image/jpeg"))
        assert client.post("/studies", **sent).status_code == 200

    def test_a_file_is_kept_bit_for_bit(self, client: httpx.Client) -> None:
        """With the same contradiction: PS3.10 files are not touched."""
        odd = ct(PhotometricInterpretation="RGB", SamplesPerPixel=1, LossyImageCompression="01")
        file = part10(odd)
        body, headers = multipart([file])
        assert client.post("/studies", content=body, headers=headers | JSON).status_code in (200, 202)
        where = f"/studies/{odd.StudyInstanceUID}/series/{odd.SeriesInstanceUID}/instances/{odd.SOPInstanceUID}"
        found = client.get(where, headers={"Accept": "application/dicom; transfer-syntax=*"})
        assert found.content == file


class TestContradictions:
    """Where it is in doubt whether these are the right bytes at all, the Instance fails, and it alone."""

    @pytest.mark.parametrize(
        ("changes", "content", "reason", "tag"),
        [
            pytest.param({"x00280010": us(31)}, JPEG, 0xC000, "00280010", id="Rows"),
            pytest.param({"x00280011": us(31)}, PNG, 0xC000, "00280011", id="Columns"),
            pytest.param({"x00280002": us(3)}, JPEG, 0xC000, "00280002", id="Samples per Pixel"),
            pytest.param({"x00280008": {"vr": "IS", "Value": [2]}}, JPEG, 0xC000, "00280008", id="Number of Frames"),
            pytest.param({"x00280100": us(16)}, PNG, 0xC000, "00280100", id="Bits Allocated of PNG"),
            pytest.param({}, JPEG[:40], 0xC000, None, id="truncated"),
            pytest.param({}, b"nothing", 0xC000, None, id="no picture"),
            pytest.param({"x0020000D": {"vr": "UI", "Value": ["1.2.x"]}}, JPEG, 0xA900, "0020000D", id="no UID"),
            pytest.param(
                {"x00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.38.1"]}}, JPEG, 0x0122, None, id="SOP Class"
            ),
        ],
    )
    def test_pixels(
        self, client: httpx.Client, changes: dict[str, Any], content: bytes, reason: int, tag: str | None
    ) -> None:
        bad = data_set(**({"x7FE00010": PIXELS} | changes))
        good = data_set()
        response = client.post("/studies", **payload(metadata(bad, good), bulk("pixels", content, "image/jpeg")))
        assert response.status_code == 202
        assert failures(response) == [(reason, [] if tag is None else [tag])] or failures(response)[0][0] == reason
        assert retrieved(client, good)
        assert client.get(path(bad) if "x" not in value(bad, "0020000D") else "/nothing").status_code == 404

    @pytest.mark.parametrize(
        ("sop_class", "content", "claim", "reason"),
        [
            pytest.param("1", CDA, "application/pdf", 0xA900, id="CDA as PDF"),
            pytest.param("2", PDF, "text/xml", 0xA900, id="PDF as CDA"),
            pytest.param("1", JPEG, "application/pdf", 0xA900, id="JPEG as PDF"),
            pytest.param("3", PDF, "model/stl", 0xA900, id="PDF as STL"),
        ],
    )
    def test_documents(self, client: httpx.Client, sop_class: str, content: bytes, claim: str, reason: int) -> None:
        data = data_set(
            x00080016={"vr": "UI", "Value": [DOCUMENT + sop_class]}, x00420011={"vr": "OB", "BulkDataURI": "it"}
        )
        response = client.post("/studies", **payload(metadata(data), bulk("it", content, claim)))
        assert response.status_code == 409
        assert failures(response) == [(reason, ["00080016", "00420011"])]

    def test_document_without_class_is_what_its_bytes_are(self, client: httpx.Client) -> None:
        data = data_set(x00420011={"vr": "OB", "BulkDataURI": "it"})
        del data["00080016"]
        assert client.post("/studies", **payload(metadata(data), bulk("it", CDA, "application/pdf"))).status_code == 200
        found = retrieved(client, data)
        assert found.SOPClassUID == DOCUMENT + "2"
        assert found.MIMETypeOfEncapsulatedDocument == "text/xml"
        assert found.HL7InstanceIdentifier == "1.2.3^7"

    def test_document_that_could_be_anything(self, client: httpx.Client) -> None:
        data = data_set(x00080016={"vr": "UI", "Value": [DOCUMENT + "1"]}, x00420011={"vr": "OB", "BulkDataURI": "it"})
        response = client.post("/studies", **payload(metadata(data), bulk("it", b"odd", "application/pdf")))
        assert response.status_code == 202
        assert value(response.json()["00081199"]["Value"][0], "00081196") == 0xB007

    @pytest.mark.parametrize("size", [100, 3000])
    def test_native_pixels_of_another_size_are_stored_with_a_warning(self, client: httpx.Client, size: int) -> None:
        data = native()
        response = client.post("/studies", **payload(metadata(data), bulk("pixels", bytes(size))))
        assert response.status_code == 202
        assert value(response.json()["00081199"]["Value"][0], "00081196") == 0xB007


class TestParts:
    """Bulk data parts and what refers to them, in JSON and XML."""

    @staticmethod
    def send(
        client: httpx.Client, form: str, data_sets: list[dict[str, Any]], *parts: tuple[dict[str, str], bytes]
    ) -> httpx.Response:
        if form == "JSON":
            return client.post("/studies", **payload(metadata(*data_sets), *parts))
        documents = [({"Content-Type": "application/dicom+xml"}, native_xml.to_xml(data)) for data in data_sets]
        return client.post("/studies", **payload(*documents, *parts, root="application/dicom+xml"))

    @pytest.mark.parametrize("form", ["JSON", "XML"])
    @pytest.mark.parametrize(
        ("uri", "location"),
        [
            pytest.param("icc", "icc", id="a bare name"),
            pytest.param("bulkdata/1/icc", "bulkdata/1/icc", id="relative"),
            pytest.param("../a/./b", "../a/./b", id="not resolved"),
            pytest.param("http://elsewhere.example/icc?a=1&b=2", "http://elsewhere.example/icc?a=1&b=2", id="absolute"),
            pytest.param("urn:uuid:1", "urn:uuid:1", id="URN"),
            pytest.param("a profile", "a%20profile", id="escaped in the header"),
            pytest.param("a%20profile", "a%20profile", id="escaped in both"),
            pytest.param("%C3%A4", "%c3%a4", id="escaped in another case"),
        ],
    )
    def test_reference(self, client: httpx.Client, form: str, uri: str, location: str) -> None:
        data = data_set(x00282000={"vr": "OB", "BulkDataURI": uri})
        response = self.send(client, form, [data], bulk(location, b"ICC!"))
        assert response.status_code == 200, response.text
        assert retrieved(client, data).ICCProfile == b"ICC!"

    @pytest.mark.parametrize("form", ["JSON", "XML"])
    def test_several_data_sets_each_with_its_own(self, client: httpx.Client, form: str) -> None:
        several = [data_set(x00282000={"vr": "OB", "BulkDataURI": f"it/{number}"}) for number in range(3)]
        parts = [bulk(f"it/{number}", b"no %d" % number) for number in (2, 0, 1)]
        response = self.send(client, form, several, *parts)
        assert response.status_code == 200, response.text
        assert [retrieved(client, data).ICCProfile for data in several] == [b"no 0", b"no 1", b"no 2"]

    @pytest.mark.parametrize("form", ["JSON", "XML"])
    def test_missing_part(self, client: httpx.Client, form: str) -> None:
        good, bad = data_set(), data_set(x00282000={"vr": "OB", "BulkDataURI": "nowhere"})
        response = self.send(client, form, [bad, good], bulk("elsewhere", b"nobody refers to it"))
        assert response.status_code == 202
        assert failures(response) == [(0xC000, ["00282000"])]
        assert len(response.json()["00081199"]["Value"]) == 1

    @pytest.mark.parametrize("form", ["JSON", "XML"])
    def test_part_that_nobody_refers_to(self, client: httpx.Client, form: str) -> None:
        assert self.send(client, form, [data_set()], bulk("nobody", b"x")).status_code == 200

    def test_two_parts_for_one_value(self, client: httpx.Client) -> None:
        """Only frames are several parts; of what else comes twice, nobody can say which is meant."""
        data = data_set(x00282000={"vr": "OB", "BulkDataURI": "icc"})
        response = client.post("/studies", **payload(metadata(data), bulk("icc", b"1st."), bulk("icc", b"2nd.")))
        assert response.status_code == 409
        assert failures(response) == [(0xC000, ["00282000"])]

    def test_the_same_part_twice(self, client: httpx.Client) -> None:
        data = data_set(x00282000={"vr": "OB", "BulkDataURI": "icc"})
        response = client.post("/studies", **payload(metadata(data), bulk("icc", b"same"), bulk("icc", b"same")))
        assert response.status_code == 200
        assert retrieved(client, data).ICCProfile == b"same"

    def test_frames_by_their_numbers(self, client: httpx.Client) -> None:
        data = data_set(x7FE00010=PIXELS)
        parts = [bulk(f"pixels/frames/{number + 1}", saved(RAMP + number, "JPEG"), "image/jpeg") for number in range(3)]
        assert client.post("/studies", **payload(metadata(data), *parts[::-1])).status_code == 200
        assert retrieved(client, data).NumberOfFrames == 3

    @pytest.mark.parametrize("form", ["JSON", "XML"])
    def test_each_fails_for_its_own_reason(self, client: httpx.Client, form: str) -> None:
        good = data_set()
        missing = data_set(x00282000={"vr": "OB", "BulkDataURI": "nowhere"})
        stranger = data_set(x00080018={"vr": "UI", "Value": ["1.2.x"]})
        palette = data_set(x00080016={"vr": "UI", "Value": ["1.2.840.10008.5.1.4.39.1"]})
        other = dict(good) | {"00100020": {"vr": "LO", "Value": ["another data set under the same UID"]}}
        response = self.send(client, form, [good, missing, stranger, palette, other])
        assert response.status_code == 202
        document = response.json()
        failed = {value(item, "00081155"): value(item, "00081197") for item in document["00081198"]["Value"]}
        assert failed == {
            value(missing, "00080018"): 0xC000,
            value(palette, "00080018"): 0x0122,
            value(good, "00080018"): 0x0111,
        }
        assert [value(item, "00081197") for item in document["0008119A"]["Value"]] == [0xA900]
        assert [value(item, "00081155") for item in document["00081199"]["Value"]] == [value(good, "00080018")]

    def test_another_study_than_the_resource_names(self, client: httpx.Client) -> None:
        mine, other = data_set(), data_set()
        response = client.post(f"/studies/{value(mine, '0020000D')}", **payload(metadata(mine, other)))
        assert response.status_code == 202
        assert failures(response) == [(0xA901, ["0020000D"])]


@pytest.mark.parametrize(
    "resource", ["/studies", "/studies/1.2.3", "/studies/1.2.3/series/1.2.3", "/studies/1.2/series/1.3/instances/1.4"]
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_no_put(client: httpx.Client, resource: str, method: str) -> None:
    """Chapter 10 has no PUT: 405 with what there is (§8.5), and nothing is changed."""
    data = ct(StudyInstanceUID="1.2.3", SOPInstanceUID=uid())
    response = client.request(method, resource, content=part10(data), headers={"Content-Type": "application/dicom"})
    assert response.status_code == 405
    allowed = {name.strip() for name in response.headers["allow"].split(",")}
    assert "PUT" not in allowed
    assert {"GET", "HEAD", "OPTIONS"} <= allowed
    assert ("POST" in allowed) == (resource.count("/") <= 2)
    assert client.get("/instances", params={"SOPInstanceUID": data.SOPInstanceUID}, headers=JSON).json() == []
