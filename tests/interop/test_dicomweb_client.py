"""dicomweb-client (Python) works without special settings."""

from __future__ import annotations

import io

import pydicom
import pytest
from dicomweb_client import DICOMwebClient
from pydicom.dataset import Dataset

from dicom_files import ct, part10, uid


@pytest.fixture(scope="module")
def web(base_url: str) -> DICOMwebClient:
    return DICOMwebClient(url=base_url)


@pytest.fixture(scope="module")
def series(web: DICOMwebClient) -> list[Dataset]:
    """Three slices and a multi-frame image of one series, stored by the client."""
    study, number = uid(), uid()
    same = {"StudyInstanceUID": study, "SeriesInstanceUID": number, "PatientID": uid()[-20:]}
    data = [ct(InstanceNumber=index, **same) for index in (1, 2, 3)]
    data.append(ct(InstanceNumber=4, NumberOfFrames=3, PixelData=bytes(range(96)) * 3, **same))
    data[0].add_new(0x00091010, "OB", bytes(5000))
    data[0].add_new(0x00090010, "LO", "SOMEBODY")
    response = web.store_instances([pydicom.dcmread(io.BytesIO(part10(one))) for one in data])
    assert len(response.ReferencedSOPSequence) == 4
    assert "FailedSOPSequence" not in response
    return data


def uids(data: Dataset) -> tuple[str, str, str]:
    return str(data.StudyInstanceUID), str(data.SeriesInstanceUID), str(data.SOPInstanceUID)


def test_search(web: DICOMwebClient, series: list[Dataset]) -> None:
    study, number, _ = uids(series[0])
    found = web.search_for_studies(search_filters={"PatientID": series[0].PatientID})
    assert [match["0020000D"]["Value"][0] for match in found] == [study]
    found = web.search_for_studies(
        fuzzymatching=True, search_filters={"PatientName": "zachary zeta", "StudyInstanceUID": study}
    )
    assert len(found) == 1
    found = web.search_for_series(study)
    assert [match["0020000E"]["Value"][0] for match in found] == [number]
    found = web.search_for_instances(study, number)
    assert [match["00080018"]["Value"][0] for match in found] == [str(one.SOPInstanceUID) for one in series]
    found = web.search_for_instances(study, number, limit=2, offset=1, fields=["ImageType"])
    assert [match["00080018"]["Value"][0] for match in found] == [str(one.SOPInstanceUID) for one in series[1:3]]
    assert found[0]["00080008"]["Value"] == ["ORIGINAL", "PRIMARY", "AXIAL"]
    found = web.search_for_instances(search_filters={"SOPInstanceUID": str(series[0].SOPInstanceUID)})
    assert len(found) == 1
    paged = web.search_for_instances(study, limit=2, get_remaining=True)
    assert len(paged) == 4


def test_metadata(web: DICOMwebClient, series: list[Dataset]) -> None:
    study, number, instance = uids(series[0])
    metadata = Dataset.from_json(web.retrieve_instance_metadata(study, number, instance), lambda *_: b"")
    assert metadata.PatientName == series[0].PatientName
    assert metadata.Rows == 6
    assert len(web.retrieve_series_metadata(study, number)) == 4
    assert len(web.retrieve_study_metadata(study)) == 4


def test_instances(web: DICOMwebClient, series: list[Dataset]) -> None:
    study, number, _ = uids(series[0])
    for data in series:
        back = web.retrieve_instance(*uids(data))
        assert back.PixelData == data.PixelData
        assert back == pydicom.dcmread(io.BytesIO(part10(data)))
    assert len(web.retrieve_series(study, number)) == 4
    assert len(web.retrieve_study(study)) == 4
    assert [str(data.SOPInstanceUID) for data in web.iter_series(study, number)] == [
        str(one.SOPInstanceUID) for one in series
    ]


def test_frames(web: DICOMwebClient, series: list[Dataset]) -> None:
    frames = web.retrieve_instance_frames(*uids(series[3]), frame_numbers=[1, 3])
    assert frames == [bytes(range(96))] * 2
    assert list(web.iter_instance_frames(*uids(series[3]), frame_numbers=[2])) == [bytes(range(96))]


def test_bulkdata(web: DICOMwebClient, series: list[Dataset]) -> None:
    metadata = web.retrieve_instance_metadata(*uids(series[0]))
    assert web.retrieve_bulkdata(metadata["00091010"]["BulkDataURI"]) == [bytes(5000)]
    assert web.retrieve_bulkdata(metadata["7FE00010"]["BulkDataURI"]) == [bytes(range(96))]


def test_delete(web: DICOMwebClient) -> None:
    data = ct()
    web.store_instances([pydicom.dcmread(io.BytesIO(part10(data)))])
    web.delete_instance(*uids(data))
    assert web.search_for_studies(search_filters={"StudyInstanceUID": str(data.StudyInstanceUID)}) == []
