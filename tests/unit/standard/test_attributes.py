"""standard.attributes: the tables against the data dictionary and against each other."""

from __future__ import annotations

import pytest
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag, tag_for_keyword

from skiagraph.standard import attributes
from skiagraph.values import Level

KEYS = [(level, key) for level, keys in attributes.RETURN_KEYS.items() for key in keys]


@pytest.mark.parametrize(("level", "key"), KEYS, ids=lambda value: getattr(value, "keyword", None))
def test_return_keys_are_as_the_dictionary_has_them(level: Level, key: attributes.ReturnKey) -> None:
    tag = int(key.tag, 16)
    assert keyword_for_tag(tag) == key.keyword
    assert dictionary_VR(tag) == key.vr


@pytest.mark.parametrize("level", list(Level))
def test_return_keys_have_one_unique_key_and_ascend(level: Level) -> None:
    keys = attributes.RETURN_KEYS[level]
    assert [key.tag for key in keys] == sorted(key.tag for key in keys)
    assert [key.tag for key in keys if key.type == "U"] == [attributes.UNIQUE_KEYS[level]]


@pytest.mark.parametrize("level", list(Level))
def test_matching_keys_belong_to_their_level(level: Level) -> None:
    assert {attributes.level_of(path[0]) for path in attributes.MATCHING_KEYS[level]} == {level}


def test_module_tables_hold_known_attributes_once() -> None:
    tables = (attributes.PATIENT_MODULES, attributes.STUDY_MODULES, attributes.SERIES_MODULES)
    assert all(dictionary_has_tag(int(tag, 16)) for table in tables for tag in table)
    assert sum(map(len, tables)) == len(frozenset().union(*tables))


def test_pairs_are_a_date_and_a_time() -> None:
    for date, time in attributes.DATE_TIME_PAIRS.items():
        assert (dictionary_VR(int(date, 16)), dictionary_VR(int(time, 16))) == ("DA", "TM")
        assert attributes.level_of(date) == attributes.level_of(time)


@pytest.mark.parametrize(
    ("keyword", "level"),
    [
        pytest.param("PatientName", Level.STUDY, id="patients belong to the study, PS3.4 C.6.2"),
        pytest.param("EthnicGroup", Level.STUDY, id="retired patient attribute"),
        pytest.param("PatientIdentityRemoved", Level.STUDY, id="patient module, group 0012"),
        pytest.param("ClinicalTrialSponsorName", Level.STUDY, id="clinical trial subject"),
        pytest.param("StudyDescription", Level.STUDY, id="general study"),
        pytest.param("PatientAge", Level.STUDY, id="patient study"),
        pytest.param("AdmissionID", Level.STUDY, id="patient study, group 0038"),
        pytest.param("ModalitiesInStudy", Level.STUDY, id="computed"),
        pytest.param("TimezoneOffsetFromUTC", Level.STUDY, id="returned at every level"),
        pytest.param("Modality", Level.SERIES, id="general series"),
        pytest.param("AnatomicalOrientationType", Level.SERIES, id="general series, group 0010"),
        pytest.param("BodyPartExamined", Level.SERIES, id="general series, group 0018"),
        pytest.param("ClinicalTrialSeriesID", Level.SERIES, id="clinical trial series"),
        pytest.param("Manufacturer", Level.SERIES, id="general equipment"),
        pytest.param("RequestAttributesSequence", Level.SERIES, id="request attributes"),
        pytest.param("PresentationIntentType", Level.SERIES, id="DX series"),
        pytest.param("Units", Level.SERIES, id="PET series"),
        pytest.param("SOPClassUID", Level.INSTANCE, id="SOP common"),
        pytest.param("PixelPaddingValue", Level.INSTANCE, id="general equipment, but the image's"),
        pytest.param("ConvolutionKernel", Level.INSTANCE, id="PET series and CT image"),
        pytest.param("FrameOfReferenceUID", Level.INSTANCE, id="frame of reference"),
        pytest.param("ContentDate", Level.INSTANCE, id="general image"),
    ],
)
def test_level_of(keyword: str, level: Level) -> None:
    assert attributes.level_of(f"{tag_for_keyword(keyword):08X}") is level


def test_private_attributes_belong_to_the_instance() -> None:
    assert attributes.level_of("00091002") is Level.INSTANCE
    assert attributes.level_of("00111001") is Level.INSTANCE


@pytest.mark.parametrize(
    ("level", "study", "series", "expected"),
    [
        pytest.param(Level.STUDY, False, False, {Level.STUDY}, id="/studies"),
        pytest.param(Level.SERIES, True, False, {Level.SERIES}, id="/studies/{study}/series"),
        pytest.param(Level.SERIES, False, False, {Level.STUDY, Level.SERIES}, id="/series"),
        pytest.param(Level.INSTANCE, True, True, {Level.INSTANCE}, id="/studies/{study}/series/{series}/instances"),
        pytest.param(Level.INSTANCE, True, False, {Level.SERIES, Level.INSTANCE}, id="/studies/{study}/instances"),
        pytest.param(Level.INSTANCE, False, False, set(Level), id="/instances"),
        pytest.param(Level.INSTANCE, False, True, {Level.STUDY, Level.INSTANCE}, id="/series/{series}/instances"),
    ],
)
def test_searched_levels(level: Level, study: bool, series: bool, expected: set[Level]) -> None:
    """Table 10.6.1-4."""
    assert attributes.searched_levels(level, study_given=study, series_given=series) == expected
