"""wire.search_query: PS3.18 §8.3.4, with the strings that clients send."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.errors import BadRequest
from skiagraph.standard.matching import (
    AnyOf,
    DateTimeRange,
    Empty,
    InSequence,
    Multiple,
    PersonName,
    Private,
    Range,
    Search,
    Single,
    UidList,
    Wildcard,
)
from skiagraph.values import Level
from skiagraph.wire.search_query import parse

NAME, ID, DATE, TIME, STUDY = ("00100010",), ("00100020",), ("00080020",), ("00080030",), ("0020000D",)
SERIES, INSTANCE, MODALITY, MODALITIES = ("0020000E",), ("00080018",), ("00080060",), ("00080061",)
ACCESSION, DESCRIPTION, ISSUER = ("00080050",), ("00081030",), ("00100021",)
STUDIES: dict[str, Any] = {"level": Level.STUDY}
ALL_SERIES: dict[str, Any] = {"level": Level.SERIES}
STUDY_SERIES: dict[str, Any] = {"level": Level.SERIES, "study_instance_uid": "1.2"}
ALL_INSTANCES: dict[str, Any] = {"level": Level.INSTANCE}
STUDY_INSTANCES: dict[str, Any] = {"level": Level.INSTANCE, "study_instance_uid": "1.2"}
SERIES_INSTANCES: dict[str, Any] = STUDY_INSTANCES | {"series_instance_uid": "1.3"}
BELOW = "Attributes below the level of the results were ignored: "


@pytest.mark.parametrize(
    ("resource", "query", "expected"),
    [
        pytest.param(
            STUDIES,
            "PatientName=Zeta%5E%2A&StudyDate=20220928",
            {"conditions": (PersonName(NAME, "Zeta^*"), Range(DATE, "DA", "20220928", "20220928"))},
            id="sample exchange, keywords",
        ),
        pytest.param(
            STUDIES,
            "00100010=Zeta%5E%2A&00080020=20220928",
            {"conditions": (PersonName(NAME, "Zeta^*"), Range(DATE, "DA", "20220928", "20220928"))},
            id="sample exchange, tags",
        ),
        pytest.param(
            STUDIES,
            "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030",
            {
                "include": (DESCRIPTION,),
                "limit": 101,
                "warnings": (BELOW + "00080060 (use ModalitiesInStudy).",),
            },
            id="OHIF work list",
        ),
        pytest.param(
            STUDIES,
            "PatientName=*Head*&limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060",
            {
                "conditions": (PersonName(NAME, "*Head*"),),
                "include": (DESCRIPTION,),
                "limit": 101,
                "warnings": (BELOW + "00080060 (use ModalitiesInStudy).",),
            },
            id="OHIF filter by name",
        ),
        pytest.param(
            STUDIES,
            "00100020=*ABC*&AccessionNumber=*7*&StudyDescription=*CHEST*&ModalitiesInStudy=CT%2CMR&limit=101&offset=101"
            "&fuzzymatching=true&includefield=00081030%2C00080060&StudyDate=19700102-20201231",
            {
                "conditions": (
                    Wildcard(ID, "LO", "*ABC*"),
                    Wildcard(ACCESSION, "SH", "*7*"),
                    Wildcard(DESCRIPTION, "LO", "*CHEST*"),
                    AnyOf((Single(MODALITIES, "CS", "CT"), Single(MODALITIES, "CS", "MR"))),
                    Range(DATE, "DA", "19700102", "20201231"),
                ),
                "include": (DESCRIPTION,),
                "limit": 101,
                "offset": 101,
                "warnings": (BELOW + "00080060 (use ModalitiesInStudy).",),
            },
            id="OHIF all filters",
        ),
        pytest.param(
            STUDIES,
            "StudyInstanceUID=1.2%5C%5C1.3&limit=101&offset=0&fuzzymatching=false",
            {"conditions": (UidList(STUDY, ("1.2", "1.3")),), "limit": 101},
            id="OHIF several studies",
        ),
        pytest.param(
            STUDY_SERIES,
            "includefield=0008103E%2C00080021",
            {"include": (("00080021",),)},
            id="OHIF series of a study",
        ),
        pytest.param(
            STUDIES,
            "00100020=P+1&00100021=HOSP&includefield=00080020,00080030,00080050,00080061,00080090,00081030,00100010,"
            "00100020,00100021,00100030,00100040,0020000D,00200010",
            {
                "conditions": (
                    AnyOf((Single(ID, "LO", "P+1"), Single(ID, "LO", "P 1"))),
                    Single(ISSUER, "LO", "HOSP"),
                ),
                "include": (ISSUER, DESCRIPTION),
            },
            id="Weasis by patient",
        ),
        pytest.param(
            ALL_INSTANCES,
            "00080018=1.4&includefield=00080020,00080030,00100010&includefield=0008103E,00080060,0020000E,00200011,"
            "00200013,00081190",
            {"conditions": (UidList(INSTANCE, ("1.4",)),)},
            id="Weasis by instance: all fields are in the tables",
        ),
        pytest.param(
            STUDY_SERIES,
            "includefield=0008103E,00080060,0020000E,00200011,00081190",
            {},
            id="Weasis series",
        ),
        pytest.param(
            STUDIES,
            "limit=10&offset=20&PatientID=%2A&Modality=SM&includefield=ModalitiesInStudy&fuzzymatching=true",
            {"limit": 10, "offset": 20, "warnings": (BELOW + "Modality (use ModalitiesInStudy).",)},
            id="Slim work list",
        ),
        pytest.param(
            ALL_INSTANCES,
            "StudyInstanceUID=1.2&Modality=ANN&SOPClassUID=1.2.840.10008.5.1.4.1.1.91.1",
            {
                "conditions": (
                    UidList(STUDY, ("1.2",)),
                    Single(MODALITY, "CS", "ANN"),
                    UidList(("00080016",), ("1.2.840.10008.5.1.4.1.1.91.1",)),
                )
            },
            id="Slim annotations",
        ),
        pytest.param(
            STUDIES,
            "fuzzymatching=true&limit=5&offset=0&includefield=StudyDescription&includefield=00081032&PatientName=Doe+J"
            "&StudyDate=20200101-20201231",
            {
                "conditions": (
                    AnyOf((PersonName(NAME, "Doe+J", True), PersonName(NAME, "Doe J", True))),
                    Range(DATE, "DA", "20200101", "20201231"),
                ),
                "include": (DESCRIPTION, ("00081032",)),
                "limit": 5,
            },
            id="dicomweb-client: quote_plus, repeated includefield",
        ),
        pytest.param(
            STUDIES,
            "limit=100&includefield=00081030&includefield=00100010&PatientName=%2Adoe%2A&0020000D=",
            {"conditions": (PersonName(NAME, "*doe*"),), "include": (DESCRIPTION,), "limit": 100},
            id="3D Slicer",
        ),
        pytest.param(
            STUDIES,
            "PatientID=887&includefield=00081030%2C00081060&includefield=00080061",
            {"conditions": (Single(ID, "LO", "887"),), "include": (DESCRIPTION, ("00081060",))},
            id="Orthanc",
        ),
        pytest.param(
            STUDIES,
            "00080050=&00080052=STUDY&0020000D=1.2.3",
            {
                "conditions": (UidList(STUDY, ("1.2.3",)),),
                "warnings": (BELOW + "00080052.",),
            },
            id="Orthanc passing on a C-FIND",
        ),
    ],
)
def test_clients(resource: dict[str, Any], query: str, expected: dict[str, Any]) -> None:
    assert_search(resource, query, expected)


@pytest.mark.parametrize(
    ("resource", "query", "expected"),
    [
        pytest.param(STUDIES, "", {}, id="no query"),
        pytest.param(STUDIES, "&&", {}, id="empty parameters"),
        pytest.param(STUDIES, "PatientName=&StudyDate&PatientID=*&StudyTime=**", {}, id="C.2.2.2.3 universal"),
        pytest.param(STUDIES, "IssuerOfPatientID=", {"include": (ISSUER,)}, id="universal matching returns"),
        pytest.param(
            STUDIES,
            "IssuerOfPatientID=A",
            {"conditions": (Single(ISSUER, "LO", "A"),), "include": (ISSUER,)},
            id="C.4.1.3.1 match keys are returned",
        ),
        pytest.param(STUDIES, "0020000d=1.2", {"conditions": (UidList(STUDY, ("1.2",)),)}, id="tag in lower case"),
        pytest.param(
            STUDIES, "PatientN%61me=A", {"conditions": (PersonName(NAME, "A"),)}, id="percent-encoded keyword"
        ),
        pytest.param(
            STUDIES, "PatientName=%E5%B1%B1%E7%94%B0", {"conditions": (PersonName(NAME, "山田"),)}, id="8.3.4.1 UTF-8"
        ),
        pytest.param(
            STUDIES, "PatientName=MÃ¼ller", {"conditions": (PersonName(NAME, "Müller"),)}, id="raw UTF-8 bytes"
        ),
        pytest.param(
            STUDIES,
            "PatientID=a%2Bb%26c%3Dd",
            {"conditions": (Single(ID, "LO", "a+b&c=d"),)},
            id="encoded plus is a plus",
        ),
        pytest.param(STUDIES, "PatientID=a=b", {"conditions": (Single(ID, "LO", "a=b"),)}, id="equals sign in a value"),
        pytest.param(
            STUDIES,
            "PatientID=a%2Cb",
            {"conditions": (Single(ID, "LO", "a,b"),)},
            id="encoded comma is text",
        ),
        pytest.param(
            STUDIES,
            "StudyDate=20060705-20060707&StudyTime=1000-1800",
            {"conditions": (DateTimeRange(DATE, TIME, "200607051000", "200607071800"),)},
            id="8.3.4.1.1 combined",
        ),
        pytest.param(
            STUDIES,
            "TimezoneOffsetFromUTC=+0100&StudyTime=10&StudyDate=20060705",
            {"conditions": (DateTimeRange(DATE, TIME, "2006070510", "2006070510", "+0100"),)},
            id="8.3.4.1 zone",
        ),
        pytest.param(
            ALL_INSTANCES,
            "AcquisitionDateTime=2022&00080201=%2B0100",
            {
                "conditions": (Range(("0008002A",), "DT", "2022", "2022", "+0100"),),
                "include": (("0008002A",),),
            },
            id="zone given behind",
        ),
        pytest.param(
            STUDIES,
            "OtherPatientIDsSequence.PatientID=11&00101002.00100021=A",
            {
                "conditions": (InSequence(("00101002",), (Single(ID, "LO", "11"), Single(ISSUER, "LO", "A"))),),
                "include": (("00101002", "00100020"), ("00101002", "00100021")),
            },
            id="C.2.2.2.6 keys of one item",
        ),
        pytest.param(
            ALL_SERIES,
            "RequestAttributesSequence.00400009=A&00400275.RequestedProcedureID=*",
            {"conditions": (InSequence(("00400275",), (Single(("00400009",), "SH", "A"),)),)},
            id="mixed path",
        ),
        pytest.param(
            ALL_SERIES,
            "RequestAttributesSequence.ScheduledProtocolCodeSequence.CodeValue=A",
            {
                "conditions": (
                    InSequence(("00400275",), (InSequence(("00400008",), (Single(("00080100",), "SH", "A"),)),)),
                ),
                "include": (("00400275", "00400008", "00080100"),),
            },
            id="path of three",
        ),
        pytest.param(
            ALL_INSTANCES,
            "00091002=x&00090010=Vendor",
            {
                "conditions": (Private("Vendor", Single(("00091002",), "UN", "x")),),
                "include_private": (("Vendor", ("00091002",)),),
            },
            id="private",
        ),
        pytest.param(
            ALL_INSTANCES,
            "000900e7=Vendor&0009e702=x*",
            {
                "conditions": (Private("Vendor", Wildcard(("00091002",), "UN", "x*")),),
                "include_private": (("Vendor", ("00091002",)),),
            },
            id="private, in another block, creator first",
        ),
        pytest.param(
            ALL_INSTANCES,
            "00191008=7&00190010=SIEMENS%20MR%20HEADER",
            {
                "conditions": (Private("SIEMENS MR HEADER", Single(("00191008",), "CS", "7")),),
                "include_private": (("SIEMENS MR HEADER", ("00191008",)),),
            },
            id="private, VR of the dictionary",
        ),
        pytest.param(
            ALL_INSTANCES,
            "00081111.00091002=x&00090010=Vendor",
            {
                "conditions": (InSequence(("00081111",), (Private("Vendor", Single(("00091002",), "UN", "x")),)),),
                "include_private": (("Vendor", ("00081111", "00091002")),),
            },
            id="private in a sequence, creator given once",
        ),
        pytest.param(
            ALL_INSTANCES,
            "00081111.00091102=x&00081111.00090011=Vendor",
            {
                "conditions": (InSequence(("00081111",), (Private("Vendor", Single(("00091002",), "UN", "x")),)),),
                "include_private": (("Vendor", ("00081111", "00091002")),),
            },
            id="private in a sequence, creator in the item",
        ),
        pytest.param(
            ALL_INSTANCES,
            "00091003.00091002=x&00090010=Vendor",
            {
                "conditions": (
                    Private(
                        "Vendor", InSequence(("00091003",), (Private("Vendor", Single(("00091002",), "UN", "x")),))
                    ),
                ),
                "include_private": (("Vendor", ("00091003", "00091002")),),
            },
            id="private sequence",
        ),
        pytest.param(
            ALL_INSTANCES,
            "includefield=00091002&00090010=Vendor",
            {"include_private": (("Vendor", ("00091002",)),)},
            id="private return key",
        ),
        pytest.param(
            ALL_INSTANCES,
            "00081199=&00111199=x",
            {
                "include": (("00081199",),),
                "warnings": ("00111199 was ignored: a private element needs its creator, as in 00110011=Vendor.",),
            },
            id="private without creator",
        ),
        pytest.param(
            STUDIES,
            'AccessionNumber=""&emptyvaluematching=true&StudyID=%22%22',
            {"conditions": (Empty(ACCESSION, "SH"), Empty(("00200010",), "SH"))},
            id="8.3.4.5",
        ),
        pytest.param(
            STUDIES,
            "ModalitiesInStudy=CT%5CPT&multiplevaluematching=true",
            {"conditions": (Multiple(MODALITIES, "CS", ("CT", "PT")),)},
            id="8.3.4.6",
        ),
        pytest.param(
            STUDIES,
            "ModalitiesInStudy=CT,PT",
            {"conditions": (AnyOf((Single(MODALITIES, "CS", "CT"), Single(MODALITIES, "CS", "PT"))),)},
            id="any modality",
        ),
        pytest.param(STUDIES, "includefield=all", {"include_all": True}, id="8.3.4.3 all"),
        pytest.param(
            STUDIES,
            "includefield=all,StudyDescription",
            {"include_all": True, "include": (DESCRIPTION,)},
            id="all beside others",
        ),
        pytest.param(
            ALL_SERIES,
            "includefield=RequestAttributesSequence.RequestedProcedureDescription,,%20StudyDescription",
            {"include": (("00400275", "00321060"), DESCRIPTION)},
            id="8.3.4.3 path, blanks, empty elements",
        ),
        pytest.param(STUDIES, "limit=0", {"limit": 0}, id="8.3.4.4 limit 0"),
        pytest.param(STUDIES, "limit=007&offset=00", {"limit": 7}, id="leading zeros"),
        pytest.param(STUDIES, f"limit={10**30}", {"limit": 10**18}, id="endless limit"),
        pytest.param(
            STUDIES,
            "accept=application/dicom%2Bjson&charset=utf-8",
            {},
            id="parameters of others",
        ),
        pytest.param(
            STUDIES,
            "access_token=abc&_=1700000000&patientname=x&%0D%0ASet-Cookie=1",
            {"warnings": ("Unknown parameters were ignored: access_token, _, patientname, a parameter.",)},
            id="8.3 unknown parameters",
        ),
        pytest.param(
            STUDIES,
            "&".join(f"x{i}=1" for i in range(500)),
            {"warnings": (f"Unknown parameters were ignored: {', '.join(f'x{i}' for i in range(10))} and 490 more.",)},
            id="many unknown parameters",
        ),
        pytest.param(
            STUDIES,
            "SpecificCharacterSet=ISO_IR%20100",
            {"warnings": ("SpecificCharacterSet was ignored: text in the query is always UTF-8 (PS3.18 8.3.4.1).",)},
            id="8.3.4.1 character set, studies",
        ),
        pytest.param(
            STUDY_SERIES,
            "InstanceAvailability=ONLINE&RetrieveURL=",
            {"conditions": (Single(("00080056",), "CS", "ONLINE"),), "include": (("00080056",),)},
            id="attributes of every level",
        ),
        pytest.param(
            ALL_INSTANCES,
            "PixelData=x&00020010=1.2&00080000=1",
            {
                "warnings": (
                    "PixelData was ignored: binary values are not matched.",
                    "00020010 was ignored: it is no attribute of an Instance.",
                    "00080000 was ignored: it is no attribute of an Instance.",
                )
            },
            id="not matchable",
        ),
        pytest.param(
            STUDIES,
            "SOPClassUID=1.2&SeriesDescription=x",
            {"warnings": (BELOW + "SOPClassUID (use SOPClassesInStudy), SeriesDescription.",)},
            id="10.6.1.2.1 below the level",
        ),
        pytest.param(
            STUDY_SERIES,
            "StudyDescription=x&PatientID=A&StudyInstanceUID=1.9&Modality=CT",
            {
                "study_instance_uid": "1.2",
                "conditions": (
                    Single(ID, "LO", "A"),
                    UidList(STUDY, ("1.9",)),
                    Single(MODALITY, "CS", "CT"),
                ),
                "include": (ID, STUDY),
                "warnings": (
                    "StudyDescription was ignored: the path names the study, so that its attributes are no match keys"
                    " here.",
                ),
            },
            id="10.6.1.2.1 patients and unique keys anywhere, study keys not below a study",
        ),
        pytest.param(
            SERIES_INSTANCES,
            "Modality=CT&InstanceNumber=7",
            {
                "study_instance_uid": "1.2",
                "series_instance_uid": "1.3",
                "conditions": (Single(("00200013",), "IS", "7"),),
                "warnings": (
                    "Modality was ignored: the path names the series, so that its attributes are no match keys here.",
                ),
            },
            id="10.6.1.2.1 series keys not below a series",
        ),
        pytest.param(
            STUDY_INSTANCES,
            "Modality=CT&includefield=StudyDescription",
            {"conditions": (Single(MODALITY, "CS", "CT"),), "include": (DESCRIPTION,)},
            id="10.6.1.2.1 series keys below a study",
        ),
    ],
)
def test_rules(resource: dict[str, Any], query: str, expected: dict[str, Any]) -> None:
    assert_search(resource, query, expected)


def assert_search(resource: dict[str, Any], query: str, expected: dict[str, Any]) -> None:
    search = parse(query, **resource)
    assert search == Search(**resource | expected)
    assert search.warnings == expected.get("warnings", ())
    assert all(sentence.isascii() and sentence.isprintable() for sentence in search.warnings)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        pytest.param("limit=-1", "limit takes a whole number", id="8.3.4.4 negative"),
        pytest.param("limit=ten", "limit takes a whole number", id="8.3.4.4 word"),
        pytest.param("limit=", "limit takes a whole number", id="8.3.4.4 empty"),
        pytest.param("offset=1.5", "offset takes a whole number", id="8.3.4.4 fraction"),
        pytest.param("offset=%D9%A7", "offset takes a whole number", id="other digits"),
        pytest.param("limit=1&limit=2", "limit is given more than once", id="limit twice"),
        pytest.param("fuzzymatching=1", "fuzzymatching takes true or false", id="8.3.4.2"),
        pytest.param("emptyvaluematching=", "emptyvaluematching takes true or false", id="8.3.4.5"),
        pytest.param("PatientName=a&PatientName=b", "PatientName is given more than once", id="8.3.4.1 twice"),
        pytest.param("PatientName=a&00100010=b", "00100010 is given more than once", id="8.3.4.1 keyword and tag"),
        pytest.param("00101002.PatientID=a&OtherPatientIDsSequence.00100020=b", "more than once", id="paths twice"),
        pytest.param("StudyDate=2022-09-28", "StudyDate is no date", id="8.3 malformed value"),
        pytest.param("StudyInstanceUID=abc", "StudyInstanceUID is no UID", id="8.3 malformed UID"),
        pytest.param("PatientName.PatientID=a", "no Sequence", id="8.3.4.1 path through no sequence"),
        pytest.param("ReferencedStudySequence=a", "is a Sequence", id="value of a sequence"),
        pytest.param("TimezoneOffsetFromUTC=CET", "TimezoneOffsetFromUTC is no offset", id="zone"),
        pytest.param("PatientName=%FF", "UTF-8", id="8.3.4.1 not UTF-8"),
        pytest.param("PatientName=%4", "percent-encoding", id="broken percent-encoding"),
        pytest.param("PatientName=a%00b", "control characters", id="NUL"),
        pytest.param(".".join(["00081110"] * 17) + "=", "more than 16", id="endless path"),
        pytest.param("&".join(f"0010EE{i:02X}=a" for i in range(101)), "101 conditions", id="many conditions"),
        pytest.param(
            "includefield=" + ",".join(f"0010{i:04X}" for i in range(1001)), "names 1001 attributes", id="many fields"
        ),
        pytest.param(
            "&".join(f"includefield=0010{i:04X}" for i in range(1001)), "names 1001 attributes", id="many fields, apart"
        ),
        pytest.param(
            "&".join(f"0010{i:04X}=" for i in range(1, 1002)), "names 1001 attributes", id="many universal keys"
        ),
        pytest.param("includefield=" + "all," * 1001, "includefield=all", id="all, again and again"),
        pytest.param("ModalitiesInStudy=" + "CT," * 101, "101 conditions", id="many codes"),
    ],
)
def test_bad_requests(query: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        parse(query, level=Level.STUDY)


@pytest.mark.parametrize("query", ["includefield={}", "includefield={}&includefield=00100020"])
def test_many_fields(query: str) -> None:
    """Ten times as many as there may be conditions."""
    found = parse(query.format(",".join(f"0040{i:04X}" for i in range(1, 1000))), level=Level.INSTANCE)
    assert len(found.include) >= 990
    with pytest.raises(BadRequest, match="takes at most 20"):
        parse(query.format(",".join(f"0040{i:04X}" for i in range(1, 22))), level=Level.INSTANCE, max_conditions=2)


BULK = "Values that the metadata give as BulkDataURI, as they are long, were not matched: "


@pytest.mark.parametrize(
    ("query", "named"),
    [
        pytest.param("00660129=1", None, id="OD is not matched at all"),
        pytest.param("00281201.00281201=", None, id="universal"),
        pytest.param("Rows=512", None, id="one number is short"),
        pytest.param("ImageOrientationPatient=1", None, id="text is never bulk data"),
        pytest.param("00189073=1", None, id="one double is short"),
        pytest.param("PixelSpacing=1", None, id="DS"),
        pytest.param("00281101=1", None, id="three numbers are short"),
        pytest.param("RecommendedDisplayFrameRateInFloat=1", None, id="FL"),
        pytest.param("00280106=1", None, id="US or SS, one"),
        pytest.param("LUTData=1", "LUTData", id="US or OW, 1-n or 1"),
        pytest.param("00186060=1", "00186060", id="FL, 1-n"),
        pytest.param("SharedFunctionalGroupsSequence.00186060=1", "SharedFunctionalGroupsSequence.00186060", id="path"),
        pytest.param("00186060=", None, id="universal"),
        pytest.param("00186060=%22%22&emptyvaluematching=true", None, id="whether there is a value is known"),
        pytest.param("00091002=x&00090010=Vendor", None, id="unknown"),
    ],
)
def test_bulk_data_is_not_matched(query: str, named: str | None) -> None:
    with contextlib.suppress(BadRequest):
        warnings = parse(query, level=Level.INSTANCE).warnings
        assert [one for one in warnings if "BulkDataURI" in one] == ([f"{BULK}{named}."] if named else [])


@pytest.mark.parametrize(
    ("asked", "most", "expected"),
    [("", None, None), ("", 7, 7), ("limit=5", 7, 5), ("limit=9", 7, 7), ("limit=0", 7, 0)],
)
def test_limit_of_the_server(asked: str, most: int | None, expected: int | None) -> None:
    assert parse(asked, level=Level.STUDY, max_results=most).limit == expected


names = st.sampled_from(
    ["PatientName", "StudyDate", "00080061", "00101002.00100020", "limit", "includefield", "00091002", "00090010", "x"]
)
values = st.text(alphabet="*?-+,.%\\=&0123456789aZ^ é\x00\ud800", max_size=12) | st.sampled_from(
    ["all", "%22%22", "1.2"]
)


@given(st.lists(st.tuples(names, values), max_size=6), st.sampled_from(list(Level)))
def test_no_query_is_any_other_error(parameters: list[tuple[str, str]], level: Level) -> None:
    with contextlib.suppress(BadRequest):
        parse("&".join(f"{name}={value}" for name, value in parameters), level=level)
