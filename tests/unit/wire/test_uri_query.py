"""The query of the URI Service: PS3.18 §9.1.2, §9.4.2, §9.5.1.2."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.errors import BadRequest
from skiagraph.values import ResourcePath
from skiagraph.wire.uri_image_query import ImageQuery
from skiagraph.wire.uri_query import UriQuery, check_dicom, dicom_ranges, parse_uri

UIDS = "studyUID=1.2&seriesUID=1.3&objectUID=1.4"
WHOLE = f"requestType=WADO&{UIDS}"
PATH = ResourcePath("1.2", "1.3", "1.4")
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
RLE = "1.2.840.10008.1.2.5"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param(WHOLE, UriQuery(PATH), id="9.1.2.1 what is required"),
        pytest.param("objectUID=1.4&seriesUID=1.3&studyUID=1.2&requestType=WADO", UriQuery(PATH), id="9.1.2 any order"),
        pytest.param(
            f"{WHOLE}&x=1&x=2&Rows=0&accept=image/png",
            UriQuery(PATH, unknown=("x", "Rows", "accept")),
            id="8.3 unknown parameters are ignored",
        ),
        pytest.param(f"{WHOLE}&charset=", UriQuery(PATH), id="8.8 a charset that is not supported is ignored"),
        pytest.param(f"{WHOLE}&charset=UTF-8,x;q=0&charset=%22", UriQuery(PATH), id="8.8 charset: whatever it is"),
        pytest.param(
            f"{WHOLE}&contentType=image/png;q=0.5,image/jpeg",
            UriQuery(PATH, content_type="image/png;q=0.5, image/jpeg"),
            id="9.1.2.2.1 a list with weights",
        ),
        pytest.param(
            f"{WHOLE}&contentType=application%2Fdicom",
            UriQuery(PATH, content_type="application/dicom"),
            id="9.1.2.2.1 percent-encoded",
        ),
        pytest.param(
            f"{WHOLE}&contentType=image/png%2Cimage/gif&region=0%2C0%2C1%2C1",
            UriQuery(PATH, content_type="image/png, image/gif", image=ImageQuery(region=(0, 0, 1, 1))),
            id="commas as HTTP libraries encode them",
        ),
        pytest.param(
            f"{WHOLE}&imageAnnotation=patient",
            UriQuery(PATH, image=ImageQuery(annotation="patient")),
            id="Table 9.5.1-1 imageAnnotation",
        ),
        pytest.param(f"{WHOLE}&transferSyntax={RLE}", UriQuery(PATH, transfer_syntax=RLE), id="9.4.1.2.3 one UID"),
        pytest.param(f"{WHOLE}&transferSyntax=*", UriQuery(PATH, transfer_syntax="*"), id="8.7.3.6 any"),
        pytest.param(f"{WHOLE}&transferSyntax=%2A", UriQuery(PATH, transfer_syntax="*"), id="8.7.3.6 any, encoded"),
        pytest.param(f"{WHOLE}&anonymize=yes", UriQuery(PATH, anonymize=True), id="9.4.1.2.1 anonymize"),
    ],
)
def test_what_a_query_says(query: str, expected: UriQuery) -> None:
    assert parse_uri(query) == expected


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("", id="9.1.2.1 nothing"),
        pytest.param(UIDS, id="9.1.2.1.1 requestType is missing"),
        pytest.param(f"requestType&{UIDS}", id="9.1.2.1.1 requestType without value"),
        pytest.param(f"requestType=&{UIDS}", id="9.1.2.1.1 requestType is empty"),
        pytest.param(f"requestType=wado&{UIDS}", id="9.1.2.1.1 requestType: case matters"),
        pytest.param(f"requestType=QIDO&{UIDS}", id="9.1.2.1.1 requestType: another"),
        pytest.param(f"requestType=WADO,WADO&{UIDS}", id="9.1.2.1.1 requestType: a list"),
        pytest.param(f"{WHOLE}&requestType=WADO", id="9.1.2.1.1 requestType twice"),
        pytest.param("requestType=WADO&seriesUID=1.3&objectUID=1.4", id="9.1.2.1.2 studyUID is missing"),
        pytest.param("requestType=WADO&studyUID=1.2&objectUID=1.4", id="9.1.2.1.3 seriesUID is missing"),
        pytest.param("requestType=WADO&studyUID=1.2&seriesUID=1.3", id="9.1.2.1.4 objectUID is missing"),
        pytest.param("requestType=WADO&studyUID=&seriesUID=1.3&objectUID=1.4", id="9.1.2.1.2 studyUID is empty"),
        pytest.param("requestType=WADO&studyUID=x&seriesUID=1.3&objectUID=1.4", id="5.1.1 studyUID is no UID"),
        pytest.param("requestType=WADO&studyUID=1.2&seriesUID=1..3&objectUID=1.4", id="5.1.1 seriesUID is no UID"),
        pytest.param("requestType=WADO&studyUID=1.2&seriesUID=1.3&objectUID=1.4%00", id="5.1.1 objectUID is padded"),
        pytest.param(f"requestType=WADO&studyUID=1.{'2' * 63}&seriesUID=1.3&objectUID=1.4", id="5.1.1 too long"),
        pytest.param("requestType=WADO&studyUID=1.2&seriesUID=1.3&objectUID=1.4,1.5", id="9.1.2.1.4 a list"),
        pytest.param(f"{WHOLE}&objectUID=1.4", id="9.1.2.1.4 objectUID twice"),
        # contentType
        pytest.param(f"{WHOLE}&contentType", id="9.1.2.2.1 contentType without value"),
        pytest.param(f"{WHOLE}&contentType=", id="9.1.2.2.1 contentType is empty"),
        pytest.param(f"{WHOLE}&contentType=jpeg", id="9.1.2.2.1 contentType is none"),
        pytest.param(f"{WHOLE}&contentType=image/jpeg,", id="5.1.3 contentType: an empty element"),
        pytest.param(f"{WHOLE}&contentType=*/*", id="9.1.2.2.1 contentType: no wildcards"),
        pytest.param(f"{WHOLE}&contentType=image/*", id="9.1.2.2.1 contentType: no wildcard subtypes"),
        pytest.param(f"{WHOLE}&contentType=application/dicom;transfer-syntax=*", id="9.1.2.2.1 no transfer-syntax"),
        pytest.param(f"{WHOLE}&contentType=text/html;charset=utf-8", id="9.1.2.2.1 no charset"),
        pytest.param(f"{WHOLE}&contentType=application/dicom,image/jpeg", id="8.7.5 DICOM and rendered types mixed"),
        pytest.param(f"{WHOLE}&contentType=image/png&contentType=image/gif", id="9.1.2.2.1 contentType twice"),
        pytest.param(f"{WHOLE}&contentType={'image/x,' * 300}image/jpeg", id="9.1.2.2.1 contentType: endless"),
        # transferSyntax, anonymize
        pytest.param(f"{WHOLE}&transferSyntax", id="9.4.2.4 transferSyntax without value"),
        pytest.param(f"{WHOLE}&transferSyntax=", id="9.4.2.4 transferSyntax is empty"),
        pytest.param(f"{WHOLE}&transferSyntax=JPEG", id="9.4.2.4 transferSyntax is no UID"),
        pytest.param(f"{WHOLE}&transferSyntax={RLE},{JPEG_BASELINE}", id="9.4.2.4 transferSyntax: a list"),
        pytest.param(f"{WHOLE}&transferSyntax=*,*", id="9.4.2.4 transferSyntax: a list of any"),
        pytest.param(f"{WHOLE}&transferSyntax=*&transferSyntax=*", id="9.4.2.4 transferSyntax twice"),
        pytest.param(f"{WHOLE}&anonymize", id="9.4.2.3 anonymize without value"),
        pytest.param(f"{WHOLE}&anonymize=", id="9.4.2.3 anonymize is empty"),
        pytest.param(f"{WHOLE}&anonymize=no", id="9.4.2.3 anonymize=no"),
        pytest.param(f"{WHOLE}&anonymize=YES", id="9.4.2.3 anonymize: case matters"),
        pytest.param(f"{WHOLE}&anonymize=yes,yes", id="9.4.2.3 anonymize: a list"),
        pytest.param(f"{WHOLE}&anonymize=yes&anonymize=yes", id="9.4.2.3 anonymize twice"),
        pytest.param(f"{WHOLE}&transferSyntax={RLE}%2C{RLE}", id="9.4.2.4 transferSyntax: a list, encoded"),
        pytest.param(f"{WHOLE}&annotation=patient&imageAnnotation=patient", id="Table 9.5.1-1 annotation twice"),
        pytest.param(f"{WHOLE}&rows=%4", id="RFC 3986 broken percent-encoding"),
    ],
)
def test_what_is_wrong(query: str) -> None:
    with pytest.raises(BadRequest):
        parse_uri(query)


def test_an_error_says_what_is_needed() -> None:
    with pytest.raises(BadRequest, match=r"'objectUID' is missing: one UID.* is needed"):
        parse_uri("requestType=WADO&studyUID=1.2&seriesUID=1.3")


@pytest.mark.parametrize(
    ("content_type", "accept", "dicom"),
    [
        pytest.param("", None, False, id="9.3 nothing said: rendered"),
        pytest.param("", "*/*", False, id="9.3 */*: rendered"),
        pytest.param("", "image/png", False, id="9.3 Accept: a rendered type"),
        pytest.param("", "application/dicom", True, id="9.3 Accept: application/dicom"),
        pytest.param("", "application/dicom;q=0", False, id="9.3 Accept: not application/dicom"),
        pytest.param("", "application/dicom, */*;q=0.1", True, id="9.3 Accept: application/dicom before all else"),
        pytest.param("", "application/dicom, */*", True, id="9.3 Accept: named wins over a wildcard"),
        pytest.param("", "application/dicom;q=0.5, */*", False, id="9.3 Accept: all else before application/dicom"),
        pytest.param(
            "", "application/dicom;q=0.5, multipart/related", True, id="9.3 Accept: beside what this service has not"
        ),
        pytest.param("application/dicom", "*/*", True, id="9.3 contentType"),
        pytest.param("application/dicom", None, True, id="Table 9.4.1-2 Accept is optional"),
        pytest.param("application/dicom", "image/png", True, id="8.7.8.1 contentType before Accept"),
        pytest.param("image/jpeg", "application/dicom", False, id="8.7.8.1 contentType before Accept, rendered"),
    ],
)
def test_which_of_the_two_transactions(content_type: str, accept: str | None, dicom: bool) -> None:
    asked = parse_uri(f"{WHOLE}&contentType={content_type}" if content_type else WHOLE)
    assert bool(dicom_ranges(asked, accept)) is dicom


@pytest.mark.parametrize(
    "parameter",
    [
        "windowCenter=1&windowWidth=2",
        "rows=5",
        "columns=5",
        "region=0,0,1,1",
        "frameNumber=1",
        "imageQuality=5",
        f"imageQuality=5&transferSyntax={RLE}",
        "imageQuality=5&transferSyntax=*",
        "presentationUID=1.2&presentationSeriesUID=1.3",
    ],
)
def test_images_have_parameters_that_dicom_has_not(parameter: str) -> None:
    """§9.5.1.2.6, and of old §8.2."""
    with pytest.raises(BadRequest, match=f"{parameter.partition('=')[0]}|presentationSeriesUID"):
        check_dicom(parse_uri(f"{WHOLE}&{parameter}"))


@pytest.mark.parametrize(
    "parameter",
    [
        pytest.param("annotation=patient", id="Table 9.4.1-1 annotation"),
        pytest.param(f"imageQuality=5&transferSyntax={JPEG_BASELINE}", id="imageQuality of a lossy syntax"),
        pytest.param("anonymize=yes&transferSyntax=*&charset=utf-8", id="Table 9.4.1-1 the others"),
    ],
)
def test_what_dicom_may_have(parameter: str) -> None:
    check_dicom(parse_uri(f"{WHOLE}&{parameter}"))


_NAMES = ["contentType", "transferSyntax", "anonymize", "rows", "region", "windowCenter", "imageQuality", "annotation"]


@given(st.lists(st.tuples(st.sampled_from(_NAMES), st.text(max_size=12)), max_size=3))
def test_anything_else_is_a_bad_request(pairs: list[tuple[str, str]]) -> None:
    query = "&".join([WHOLE, *(f"{name}={value}" for name, value in pairs)])
    with contextlib.suppress(BadRequest):
        assert parse_uri(query.encode().decode("latin-1")).path.study_instance_uid
