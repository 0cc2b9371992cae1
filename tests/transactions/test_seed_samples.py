"""The sample requests that the project started from, adapted to our Base URI: answers of the same shape."""

from __future__ import annotations

import httpx
import pytest
from lxml import etree
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import JPEGBaseline8Bit

from dicom_files import ct, part10, parts, uid

JPEG = b"\xff\xd8\xff\xe0" + bytes(2000) + b"\xff\xd9"
ICC = bytes(range(256)) * 8
SLIDE_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"


@pytest.fixture(scope="module")
def slide(base_url: str) -> Dataset:
    """A whole slide image as in the samples: JPEG frames, a nested ICC profile, empty attributes."""
    data = ct(
        SOPClassUID=SLIDE_CLASS,
        PatientName=f"Zeta{uid()[-8:]}^Zachary",
        PatientID="ccbaf3d29596b6d2",
        StudyID="Case-F",
        Modality="SM",
        AccessionNumber="",
        ReferringPhysicianName="",
        TimezoneOffsetFromUTC="",
        SeriesNumber=1,
        InstanceNumber=1,
        SamplesPerPixel=3,
        PhotometricInterpretation="YBR_FULL_422",
        PlanarConfiguration=0,
        NumberOfFrames=1,
        Rows=16,
        Columns=16,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        RescaleIntercept=None,
        RescaleSlope=None,
    )
    path = Dataset()
    path.OpticalPathIdentifier = "1"
    path.add_new(0x00282000, "OB", ICC)
    data.OpticalPathSequence = Sequence([path])
    data.SpecimenDescriptionSequence = Sequence([])
    data.PixelData = encapsulate([JPEG])
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    file = part10(data, JPEGBaseline8Bit)
    httpx.post(
        f"{base_url}/studies", content=file, headers={"Content-Type": "application/dicom"}, trust_env=False
    ).raise_for_status()
    data.file_bytes = file
    return data


def query(slide: Dataset) -> dict[str, str]:
    return {"PatientName": f"{slide.PatientName.family_name}^*", "StudyDate": "20220928"}


def instance_path(slide: Dataset) -> str:
    return f"/studies/{slide.StudyInstanceUID}/series/{slide.SeriesInstanceUID}/instances/{slide.SOPInstanceUID}"


EXPECTED = [
    # keyword, tag, vr, value
    ("StudyDate", "00080020", "DA", "20220928"),
    ("StudyTime", "00080030", "TM", "214137.000"),
    ("AccessionNumber", "00080050", "SH", None),
    ("InstanceAvailability", "00080056", "CS", "ONLINE"),
    ("ModalitiesInStudy", "00080061", "CS", "SM"),
    ("ReferringPhysicianName", "00080090", "PN", None),
    ("TimezoneOffsetFromUTC", "00080201", "SH", None),
    ("RetrieveURL", "00081190", "UR", "URL"),
    ("PatientName", "00100010", "PN", "NAME"),
    ("PatientID", "00100020", "LO", "ccbaf3d29596b6d2"),
    ("PatientBirthDate", "00100030", "DA", "19830606"),
    ("PatientSex", "00100040", "CS", "M"),
    ("StudyInstanceUID", "0020000D", "UI", "STUDY"),
    ("StudyID", "00200010", "SH", "Case-F"),
    ("NumberOfStudyRelatedSeries", "00201206", "IS", "1"),
    ("NumberOfStudyRelatedInstances", "00201208", "IS", "1"),
]
"""Attributes of the samples; we do not send Retrieve AE Title, and Time Zone Offset only where it is known."""


class TestQido:
    @pytest.mark.parametrize(
        "names",
        [
            pytest.param({}, id="keywords"),
            pytest.param({"PatientName": "00100010", "StudyDate": "00080020"}, id="tags"),
        ],
    )
    def test_sample_1_xml(self, client: httpx.Client, base_url: str, slide: Dataset, names: dict[str, str]) -> None:
        asked = {names.get(name, name): value for name, value in query(slide).items()}
        response = client.get(
            "/studies", params=asked, headers={"Accept": 'multipart/related; type="application/dicom+xml"'}
        )
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith('multipart/related; type="application/dicom+xml"; boundary=')
        ((header, document),) = parts(response.content, response.headers["content-type"])
        assert header["content-type"] == "application/dicom+xml"
        assert document.startswith(b"<?xml version")
        assert (
            b'<DicomAttribute keyword="StudyDate" tag="00080020" vr="DA"><Value number="1">20220928</Value>' in document
        )
        assert b'<DicomAttribute keyword="AccessionNumber" tag="00080050" vr="SH"/>' in document
        root = etree.fromstring(document)
        found = {element.get("tag"): element for element in root}
        for keyword, tag, vr, value in EXPECTED:
            if tag == "00080201" and tag not in found:
                continue
            element = found[tag]
            assert (element.get("keyword"), element.get("vr")) == (keyword, vr)
            text = "".join(element.itertext())
            expected = {
                None: "",
                "URL": f"{base_url}/studies/{slide.StudyInstanceUID}",
                "NAME": slide.PatientName.family_name + "Zachary",
                "STUDY": slide.StudyInstanceUID,
            }.get(value, value)
            assert text == expected, keyword
        name = found["00100010"][0]
        assert [etree.QName(part).localname for part in name.iter()] == [
            "PersonName",
            "Alphabetic",
            "FamilyName",
            "GivenName",
        ]

    def test_sample_2_json(self, client: httpx.Client, base_url: str, slide: Dataset) -> None:
        response = client.get("/studies", params=query(slide), headers={"Accept": "application/dicom+json"})
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/dicom+json"
        (match,) = response.json()
        assert list(match) == sorted(match)
        for _, tag, vr, value in EXPECTED:
            if tag == "00080201" and tag not in match:
                continue
            assert match[tag]["vr"] == vr
            if value is None:
                assert match[tag] == {"vr": vr}
        assert match["00081190"]["Value"] == [f"{base_url}/studies/{slide.StudyInstanceUID}"]
        assert match["00100010"]["Value"] == [{"Alphabetic": str(slide.PatientName)}]
        # IS as numbers: PS3.18 Annex F allows both, and numbers are what clients can compare.
        assert match["00201206"]["Value"] == [1]
        assert match["00201208"]["Value"] == [1]


class TestWado:
    def test_sample_1_file(self, client: httpx.Client, base_url: str, slide: Dataset) -> None:
        response = client.get(
            instance_path(slide), headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
        )
        assert response.status_code == 200, response.text
        ((header, file),) = parts(response.content, response.headers["content-type"])
        assert header["content-type"].replace(" ", "") == "application/dicom;transfer-syntax=1.2.840.10008.1.2.4.50"
        assert header["content-location"] == base_url + instance_path(slide)
        assert file == slide.file_bytes
        assert response.headers["etag"]
        assert response.headers["last-modified"]

    def test_sample_3_metadata(self, client: httpx.Client, base_url: str, slide: Dataset) -> None:
        response = client.get(instance_path(slide) + "/metadata", headers={"Accept": "application/dicom+json"})
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/dicom+json"
        (metadata,) = response.json()
        url = base_url + instance_path(slide)
        assert metadata["00480105"]["Value"][0]["00282000"] == {
            "vr": "OB",
            "BulkDataURI": f"{url}/bulkdata/00480105/0/00282000",
        }
        assert metadata["7FE00010"] == {"vr": "OB", "BulkDataURI": f"{url}/pixeldata"}
        assert metadata["00400560"] == {"vr": "SQ"}
        assert metadata["00080050"] == {"vr": "SH"}
        assert metadata["00280002"] == {"vr": "US", "Value": [3]}
        assert not [tag for tag in metadata if tag.startswith("0002")]

    def test_sample_3_metadata_xml(self, client: httpx.Client, base_url: str, slide: Dataset) -> None:
        response = client.get(
            instance_path(slide) + "/metadata", headers={"Accept": 'multipart/related; type="application/dicom+xml"'}
        )
        assert response.status_code == 200
        ((_, document),) = parts(response.content, response.headers["content-type"])
        assert f'uri="{base_url}{instance_path(slide)}/bulkdata/00480105/0/00282000"'.encode() in document

    def test_sample_3_bulkdata(self, client: httpx.Client, slide: Dataset) -> None:
        (metadata,) = client.get(instance_path(slide) + "/metadata").json()
        icc = metadata["00480105"]["Value"][0]["00282000"]["BulkDataURI"]
        assert client.get(icc, headers={"Accept": "application/octet-stream"}).content == ICC
        pixels = client.get(
            metadata["7FE00010"]["BulkDataURI"], headers={"Accept": 'multipart/related; type="image/jpeg"'}
        )
        assert pixels.status_code == 200, pixels.text
        ((header, frame),) = parts(pixels.content, pixels.headers["content-type"])
        assert header["content-type"].startswith("image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50")
        assert frame == JPEG
