"""The synthetic Instances: what differs between them, and that they are DICOM."""

from __future__ import annotations

import io

import pydicom
import pytest
from benchmarks import data
from benchmarks.data import Key


@pytest.fixture(scope="module")
def template() -> data.Template:
    return data.ct()


def test_uids_have_one_length_and_their_levels_differ() -> None:
    key = Key(1, 2, 3)
    uids = {key.study_instance_uid, key.series_instance_uid, key.uid, Key(999_999, 999_998, 999_999).uid}
    assert len(uids) == 4
    assert {len(uid) for uid in uids} == {44}


def test_instance_carries_its_key_everywhere(template: data.Template) -> None:
    key = Key(12, 3, 45)
    made = pydicom.dcmread(io.BytesIO(template.instance(key)))
    assert made.SOPInstanceUID == made.file_meta.MediaStorageSOPInstanceUID == key.uid
    assert (made.StudyInstanceUID, made.SeriesInstanceUID) == (key.study_instance_uid, key.series_instance_uid)
    assert (made.SeriesNumber, made.InstanceNumber, made.PatientID) == (3, 45, "BENCH00012")
    assert made.SliceLocation == made.ImagePositionPatient[2] == 45 * 1.25 - 400
    assert data.PLACEHOLDER.uid.encode() not in template.instance(key)


def test_ct_is_what_the_aims_speak_of(template: data.Template) -> None:
    made = pydicom.dcmread(io.BytesIO(template.instance(Key(1, 1, 1))))
    assert (made.Rows, made.Columns, made.BitsAllocated) == (512, 512, 16)
    assert 240 <= data.count_elements(made) <= 290
    assert len(made.PixelData) == 512 * 512 * 2


def test_boundary_does_not_occur_in_the_data(template: data.Template) -> None:
    assert data.BOUNDARY.encode() not in template.data


@pytest.mark.parametrize("make", [data.native_multiframe, data.encapsulated_multiframe])
def test_multiframes_are_whole(make: object) -> None:
    large = make(Key(4, 1, 1), 100, side=16)  # type: ignore[operator]
    sent = b"".join(large.pieces())
    assert len(sent) == large.size
    made = pydicom.dcmread(io.BytesIO(sent))
    assert (made.SOPInstanceUID, made.NumberOfFrames) == (large.key.uid, 100)
    assert made.pixel_array.shape == (100, 16, 16)
