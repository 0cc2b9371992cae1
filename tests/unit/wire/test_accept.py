"""Content negotiation: PS3.18 §8.7.5 to §8.7.8, with the very strings that user agents send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.errors import BadRequest, NoAcceptableRepresentation
from skiagraph.wire.accept import (
    Offer,
    bulkdata_offers,
    choose,
    choose_store_response,
    convertible_natively,
    for_instance,
    instance_offers,
    metadata_offers,
    select_transfer_syntax,
)

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG = "1.2.840.10008.1.2.2"
RLE = "1.2.840.10008.1.2.5"
PRIVATE = "1.3.6.1.4.1.5962.300.1"


def jpeg(suffix: str) -> str:
    return f"1.2.840.10008.1.2.4.{suffix}"


BASELINE, LOSSLESS, JLS, J2K_LOSSLESS, J2K, HTJ2K, H264 = map(jpeg, ("50", "70", "80", "90", "91", "201", "102"))

CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
IMG = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
VIDEO = "video/webm,video/ogg,video/*;q=0.9,application/ogg;q=0.7,audio/*;q=0.6,*/*;q=0.5"
AXIOS = "application/json, text/plain, */*"
OHIF_MIXED = "application/dicom+json, multipart/related; type=application/octet-stream; transfer-syntax=*"
OHIF_TWICE = (
    "application/dicom+json, multipart/related; type=application/octet-stream; transfer-syntax=*; transfer-syntax=*"
)
OHIF_FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax="*"'
CORNERSTONE = "multipart/related; type=application/octet-stream; transfer-syntax=*"
OHIF_CONFIGURED = (
    "multipart/related; type=application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1, "
    "multipart/related; type=application/octet-stream; transfer-syntax=*, "
    "multipart/related; type=application/octet-stream"
)
SLIM = ", ".join(
    f'multipart/related; type="{name}"; transfer-syntax={uid}'
    for name, uid in (
        ("image/jls", jpeg("80")),
        ("image/jls", jpeg("81")),
        ("image/jp2", jpeg("90")),
        ("image/jp2", jpeg("91")),
        ("image/jpx", jpeg("92")),
        ("image/jpx", jpeg("93")),
        ("image/jpeg", jpeg("50")),
        ("application/octet-stream", EXPLICIT),
    )
)
SLIM_GOOGLE = 'multipart/related; type="image/jpeg"; transfer-syntax=1.2.840.10008.1.2.4.50, ' + (
    'multipart/related; type="application/octet-stream"; transfer-syntax=*'
)
CORNERSTONE_OLD = ", ".join(
    f'multipart/related; type="{name}"; transfer-syntax={uid}'
    for name, uid in (
        ("image/x-dicom-rle", RLE),
        ("image/jpeg", jpeg("50")),
        ("image/jpeg", jpeg("57")),
        ("image/jll", jpeg("70")),
        ("image/jls", jpeg("80")),
        ("application/octet-stream", "*"),
    )
)
WEASIS = 'multipart/related; type="application/dicom"; transfer-syntax=*'
ORTHANC = "multipart/related;type=application/dicom;transfer-syntax=*"

JSON_METADATA = "application/dicom+json"
XML_METADATA = 'multipart/related; type="application/dicom+xml"'


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param(None, JSON_METADATA, id="design 6: no header is */*"),
        pytest.param("", JSON_METADATA, id="empty header"),
        pytest.param("*/*", JSON_METADATA, id="10.4.4 default; curl, fetch"),
        pytest.param(CHROME, JSON_METADATA, id="Chrome, address bar"),
        pytest.param(FIREFOX, JSON_METADATA, id="Firefox, address bar"),
        pytest.param(AXIOS, "application/json", id="axios"),
        pytest.param("application/dicom+json", JSON_METADATA, id="dcmjs dicomweb-client, Weasis, Orthanc"),
        pytest.param(
            "application/dicom+json, application/json", JSON_METADATA, id="dicomweb-client (Python), wsidicom"
        ),
        pytest.param("application/json", "application/json", id="alias"),
        pytest.param("application/json, application/dicom+json;q=0.9", "application/json", id="alias liked more"),
        pytest.param(OHIF_MIXED, JSON_METADATA, id="A.1 OHIF"),
        pytest.param(OHIF_TWICE, JSON_METADATA, id="A.1 OHIF, transfer-syntax twice"),
        pytest.param(
            "application/dicom+json,application/json,multipart/related;type=application/dicom;transfer-syntax=*",
            JSON_METADATA,
            id="OHIF with own request headers",
        ),
        pytest.param("application/dicom+json; charset=utf-8", JSON_METADATA, id="8.8 charset"),
        pytest.param("application/dicom+json; transfer-syntax=1.2.840.10008.1.2.1", JSON_METADATA, id="8.7.3.5"),
        pytest.param("application/*", JSON_METADATA, id="wildcard subtype"),
        pytest.param('multipart/related; type="application/dicom+xml"', XML_METADATA, id="seed sample 1"),
        pytest.param("multipart/related; type=application/dicom+xml", XML_METADATA, id="A.2 without quotes"),
        pytest.param("multipart/*", XML_METADATA, id="A.10 multipart wildcard"),
        pytest.param("application/dicom+json;q=0.5, " + XML_METADATA, XML_METADATA, id="XML liked more"),
        pytest.param("application/dicom+json;q=0.1, */*", "application/json", id="JSON liked less than anything"),
        pytest.param("application/dicom+json;q=0, application/json;q=0, */*;q=0.1", XML_METADATA, id="no JSON"),
        pytest.param("application/dicom+json, text/html, */*;q=0.1", JSON_METADATA, id="rendered types beside */*"),
    ],
)
def test_metadata_and_search(accept: str | None, expected: str) -> None:
    assert str(choose(accept, None, metadata_offers(single=False)).offer) == expected


@pytest.mark.parametrize(
    "accept",
    [
        pytest.param("application/dicom+xml", id="8.6.1 several documents are no single part"),
        pytest.param("text/plain", id="other type"),
        pytest.param("application/dicom+json;q=0", id="ruled out"),
        pytest.param("*/*;q=0", id="nothing"),
        pytest.param("nonsense", id="8.7.7 only invalid entries"),
        pytest.param(CORNERSTONE, id="frames wanted"),
        pytest.param('multipart/related; type="application/dicom+json"', id="8.6.1 JSON is never multipart"),
    ],
)
def test_metadata_not_acceptable(accept: str) -> None:
    with pytest.raises(NoAcceptableRepresentation) as refusal:
        choose(accept, None, metadata_offers(single=False))
    assert refusal.value.details == (JSON_METADATA, "application/json", XML_METADATA)


def test_one_document_may_be_single_part() -> None:
    assert str(choose("application/dicom+xml", None, metadata_offers(single=True)).offer) == "application/dicom+xml"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON_METADATA),
        ("application/dicom+xml", "application/dicom+xml"),
        (XML_METADATA, XML_METADATA),
        ("multipart/related; type=application/dicom+xml, application/dicom+xml", "application/dicom+xml"),
        ("application/json", "application/json"),
    ],
)
def test_store_response(accept: str | None, expected: str) -> None:
    assert str(choose_store_response(accept, None).offer) == expected


def multipart(media_type: str, uid: str) -> str:
    return f'multipart/related; type="{media_type}"; transfer-syntax={uid}'


def single(media_type: str, uid: str) -> str:
    return f"{media_type}; transfer-syntax={uid}"


DICOM = "application/dicom"
OCTETS = "application/octet-stream"


@pytest.mark.parametrize(
    ("accept", "stored", "expected"),
    [
        pytest.param(None, EXPLICIT, multipart(DICOM, EXPLICIT), id="design 6: no header"),
        pytest.param("*/*", LOSSLESS, multipart(DICOM, LOSSLESS), id="design 6: */* as stored"),
        pytest.param("*/*", IMPLICIT, multipart(DICOM, EXPLICIT), id="8.7.3 Implicit VR never goes out"),
        pytest.param("multipart/*", J2K, multipart(DICOM, J2K), id="A.10 wildcard"),
        pytest.param(CHROME, LOSSLESS, single(DICOM, LOSSLESS), id="Chrome, address bar: a file"),
        pytest.param(FIREFOX, BIG, single(DICOM, EXPLICIT), id="Firefox, address bar: a file"),
        pytest.param(WEASIS, LOSSLESS, multipart(DICOM, LOSSLESS), id="Weasis"),
        pytest.param(ORTHANC, BIG, multipart(DICOM, EXPLICIT), id="Orthanc; 8.7.3 Big Endian never goes out"),
        pytest.param(ORTHANC, DEFLATED, multipart(DICOM, DEFLATED), id="8.7.3.5.2 * is as stored"),
        pytest.param('multipart/related; type="application/dicom"', EXPLICIT, multipart(DICOM, EXPLICIT), id="dcmjs"),
        pytest.param('multipart/related; type="application/dicom"', DEFLATED, multipart(DICOM, EXPLICIT), id="default"),
        pytest.param("multipart/related; type=application/dicom", IMPLICIT, multipart(DICOM, EXPLICIT), id="A.2"),
        pytest.param('multipart/related; type="application/dicom"', BASELINE, multipart(DICOM, BASELINE), id="8.7.3.4"),
        pytest.param('multipart/related; type="application/dicom"', H264, multipart(DICOM, H264), id="8.7.3.4 video"),
        pytest.param(
            'multipart/related; type="application/dicom; transfer-syntax=*"',
            RLE,
            multipart(DICOM, RLE),
            id="A.2 quotes",
        ),
        pytest.param(multipart(DICOM, LOSSLESS), LOSSLESS, multipart(DICOM, LOSSLESS), id="wsidicom: the stored one"),
        pytest.param(
            f"{multipart(DICOM, HTJ2K)}, {multipart(DICOM, J2K_LOSSLESS)};q=0.5, {multipart(DICOM, EXPLICIT)};q=0.1",
            J2K_LOSSLESS,
            multipart(DICOM, J2K_LOSSLESS),
            id="8.7.3.5 alternatives by weight",
        ),
        pytest.param("application/dicom", IMPLICIT, single(DICOM, EXPLICIT), id="10.4.4 single part"),
        pytest.param("application/dicom; transfer-syntax=*", JLS, single(DICOM, JLS), id="single part as stored"),
        pytest.param("application/dicom; transfer-syntax=*, " + WEASIS, JLS, multipart(DICOM, JLS), id="either form"),
        pytest.param(WEASIS, PRIVATE, multipart(DICOM, PRIVATE), id="private syntax as stored"),
        pytest.param(
            "multipart/related; type=application/dicom; transfer-syntax=ELE",
            BIG,
            multipart(DICOM, EXPLICIT),
            id="8.7.7 no UID",
        ),
        pytest.param(
            'multipart/related; type="application/octet-stream"',
            EXPLICIT,
            multipart(OCTETS, EXPLICIT),
            id="10.4.4 bulkdata",
        ),
        pytest.param(CORNERSTONE, JLS, multipart("image/jls", JLS), id="bulkdata as stored"),
        pytest.param("application/zip", IMPLICIT, single("application/zip", EXPLICIT), id="archive"),
        pytest.param("application/zip; transfer-syntax=*", JLS, single("application/zip", JLS), id="archive as stored"),
        pytest.param("application/*", EXPLICIT, single(DICOM, EXPLICIT), id="archive not by a wildcard"),
        pytest.param("application/zip;q=0.9, */*;q=0.1", JLS, multipart(DICOM, JLS), id="archive would be converted"),
    ],
)
def test_instance(accept: str | None, stored: str, expected: str) -> None:
    assert str(choose(accept, None, instance_offers((stored,), single=True)).offer) == expected


@pytest.mark.parametrize(
    ("accept", "stored"),
    [
        pytest.param('multipart/related; type="application/dicom"', LOSSLESS, id="8.7.8.2 default, no decoder"),
        pytest.param(multipart(DICOM, EXPLICIT), BASELINE, id="insists on Explicit VR Little Endian"),
        pytest.param(multipart(DICOM, IMPLICIT), IMPLICIT, id="8.7.3 Implicit VR asked for"),
        pytest.param(multipart(DICOM, BIG), BIG, id="8.7.3 Big Endian asked for"),
        pytest.param('multipart/related; type="application/dicom"', PRIVATE, id="private syntax, nobody can decode"),
        pytest.param("image/png", EXPLICIT, id="rendered type on an Instance"),
        pytest.param(JSON_METADATA, EXPLICIT, id="metadata type on an Instance"),
    ],
)
def test_instance_not_acceptable(accept: str, stored: str) -> None:
    with pytest.raises(NoAcceptableRepresentation) as refusal:
        choose(accept, None, instance_offers((stored,), single=True))
    sendable = EXPLICIT if stored in (IMPLICIT, BIG) else stored
    assert multipart(DICOM, sendable) in refusal.value.details


def test_what_is_available_is_said() -> None:
    with pytest.raises(NoAcceptableRepresentation) as refusal:
        choose('multipart/related; type="application/dicom"', None, instance_offers((LOSSLESS,)))
    assert refusal.value.details == (
        'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.70',
        'multipart/related; type="image/jpeg"; transfer-syntax=1.2.840.10008.1.2.4.70',
        "application/zip; transfer-syntax=1.2.840.10008.1.2.4.70",
    )


@pytest.mark.parametrize("accept", ["application/dicom", "application/dicom; transfer-syntax=*", "image/jpeg"])
def test_single_part_of_a_study_is_refused_even_with_one_instance(accept: str) -> None:
    """§8.6.1, Table 10.4.4-1 note 3."""
    with pytest.raises(NoAcceptableRepresentation):
        choose(accept, None, instance_offers((BASELINE,)))


@pytest.mark.parametrize(
    ("accept", "stored", "expected"),
    [
        pytest.param("*/*", EXPLICIT, multipart(OCTETS, EXPLICIT), id="A.4 microscopy viewer, native"),
        pytest.param("*/*", J2K_LOSSLESS, multipart("image/jp2", J2K_LOSSLESS), id="A.4 microscopy viewer, compressed"),
        pytest.param(None, IMPLICIT, multipart(OCTETS, EXPLICIT), id="no header"),
        pytest.param(
            'multipart/related; type="*/*"', RLE, multipart("image/dicom-rle", RLE), id="dicomweb-client (Python)"
        ),
        pytest.param("multipart/related", J2K, multipart("image/jp2", J2K), id="old OHIF leaves the type out"),
        pytest.param(OHIF_FRAMES, J2K_LOSSLESS, multipart("image/jp2", J2K_LOSSLESS), id="A.6 OHIF"),
        pytest.param(OHIF_FRAMES, BIG, multipart(OCTETS, EXPLICIT), id="A.6 OHIF, native"),
        pytest.param(CORNERSTONE, HTJ2K, multipart("image/jphc", HTJ2K), id="A.6 Cornerstone"),
        pytest.param(f"{CORNERSTONE}, {CORNERSTONE}", JLS, multipart("image/jls", JLS), id="header set twice"),
        pytest.param(OHIF_MIXED, JLS, multipart("image/jls", JLS), id="A.1 OHIF's mixed list on frames"),
        pytest.param(OHIF_CONFIGURED, LOSSLESS, multipart("image/jpeg", LOSSLESS), id="OHIF with a list"),
        pytest.param(OHIF_CONFIGURED, EXPLICIT, multipart(OCTETS, EXPLICIT), id="OHIF with a list, native"),
        pytest.param(CORNERSTONE_OLD, RLE, multipart("image/dicom-rle", RLE), id="A.11 Cornerstone's old names"),
        pytest.param(CORNERSTONE_OLD, LOSSLESS, multipart("image/jpeg", LOSSLESS), id="A.11 image/jll"),
        pytest.param(SLIM, BASELINE, multipart("image/jpeg", BASELINE), id="Slim, JPEG"),
        pytest.param(SLIM, J2K, multipart("image/jp2", J2K), id="Slim, JPEG 2000"),
        pytest.param(SLIM, EXPLICIT, multipart(OCTETS, EXPLICIT), id="Slim, native"),
        pytest.param(SLIM_GOOGLE, RLE, multipart("image/dicom-rle", RLE), id="Slim, octet-stream with *"),
        pytest.param(multipart("image/jpeg", BASELINE), BASELINE, multipart("image/jpeg", BASELINE), id="wsidicom"),
        pytest.param(multipart("image/x-jls", JLS), JLS, multipart("image/jls", JLS), id="A.11 image/x-jls"),
        pytest.param(
            multipart("image/x-dicom-rle", RLE), RLE, multipart("image/dicom-rle", RLE), id="A.11 x-dicom-rle"
        ),
        pytest.param(multipart("image/jhc", HTJ2K), HTJ2K, multipart("image/jphc", HTJ2K), id="A.11 image/jhc"),
        pytest.param(
            multipart(OCTETS, LOSSLESS), LOSSLESS, multipart("image/jpeg", LOSSLESS), id="octet-stream with a UID"
        ),
        pytest.param(
            'multipart/related; type="image/jp2"', J2K_LOSSLESS, multipart("image/jp2", J2K_LOSSLESS), id="3.6 D"
        ),
        pytest.param(
            'multipart/related; type="image/jpeg"', BASELINE, multipart("image/jpeg", BASELINE), id="8.7.3.4 lossy"
        ),
        pytest.param(
            'multipart/related; type="image/jpeg"', jpeg("57"), multipart("image/jpeg", jpeg("57")), id="same type"
        ),
        pytest.param('multipart/related; type="image/*"', JLS, multipart("image/jls", JLS), id="2.2 wildcard in type"),
        pytest.param(
            'multipart/related; type="image/*"; transfer-syntax=*', RLE, multipart("image/dicom-rle", RLE), id="dcmjs *"
        ),
        pytest.param('multipart/related; type="video/*"', H264, multipart("video/mp4", H264), id="2.2 video wildcard"),
        pytest.param(
            'multipart/related; type="video/mpeg2"', jpeg("100"), multipart("video/mpeg", jpeg("100")), id="mpeg2"
        ),
        pytest.param(
            'multipart/related; type="video/H265"', jpeg("107"), multipart("video/H265", jpeg("107")), id="H265"
        ),
        pytest.param(
            'multipart/related; type="application/octet-stream"',
            EXPLICIT,
            multipart(OCTETS, EXPLICIT),
            id="dcmjs, native",
        ),
        pytest.param(
            'multipart/related; type="application/octet-stream"; boundary=**',
            DEFLATED,
            multipart(OCTETS, EXPLICIT),
            id="boundary",
        ),
        pytest.param(
            'multipart/related; type="application/octet-stream"',
            BASELINE,
            multipart("image/jpeg", BASELINE),
            id="8.7.3.4 octets",
        ),
        pytest.param("application/octet-stream", EXPLICIT, single(OCTETS, EXPLICIT), id="single part"),
        pytest.param("application/octet-stream; transfer-syntax=*", JLS, single("image/jls", JLS), id="single part, *"),
        pytest.param("image/jp2", J2K_LOSSLESS, single("image/jp2", J2K_LOSSLESS), id="8.6.1 one frame, single part"),
        pytest.param(CHROME, EXPLICIT, single(OCTETS, EXPLICIT), id="Chrome, address bar"),
        pytest.param(IMG, BASELINE, single("image/jpeg", BASELINE), id="img element"),
        pytest.param(VIDEO, H264, single("video/mp4", H264), id="video element"),
        pytest.param(CORNERSTONE, PRIVATE, multipart(OCTETS, PRIVATE), id="private syntax, as stored"),
        pytest.param("*/*;q=0.1, image/*;q=0", JLS, multipart("image/jls", JLS), id="image/* is single part only"),
    ],
)
def test_one_frame(accept: str | None, stored: str, expected: str) -> None:
    assert str(choose(accept, None, bulkdata_offers(stored, single=True)).offer) == expected


@pytest.mark.parametrize(
    ("accept", "stored"),
    [
        pytest.param('multipart/related; type="application/octet-stream"', LOSSLESS, id="lossless, no decoder"),
        pytest.param('multipart/related; type="application/octet-stream"', PRIVATE, id="private, no decoder"),
        pytest.param('multipart/related; type="image/jp2"', EXPLICIT, id="no encoder"),
        pytest.param(multipart("image/jp2", J2K), J2K_LOSSLESS, id="other syntax of the type"),
        pytest.param(multipart(OCTETS, EXPLICIT), JLS, id="insists on native"),
        pytest.param(WEASIS, EXPLICIT, id="application/dicom on frames"),
        pytest.param("application/octet-stream", EXPLICIT, id="8.6.1 single part of several frames"),
    ],
)
def test_frames_not_acceptable(accept: str, stored: str) -> None:
    with pytest.raises(NoAcceptableRepresentation):
        choose(accept, None, bulkdata_offers(stored))


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param("*/*", 'multipart/related; type="application/pdf"', id="*/* is the type of the document"),
        pytest.param(
            'multipart/related; type="*/*"', 'multipart/related; type="application/pdf"', id="dicomweb-client"
        ),
        pytest.param("application/pdf", "application/pdf", id="A.8 its own type"),
        pytest.param("application/*", "application/pdf", id="A.8 its wildcard"),
        pytest.param(
            'multipart/related; type="application/pdf"', 'multipart/related; type="application/pdf"', id="parts"
        ),
        pytest.param(CHROME, "application/pdf", id="E.35 address bar"),
        pytest.param("application/octet-stream", single(OCTETS, EXPLICIT), id="A.8 bytes"),
        pytest.param(
            'multipart/related; type="application/octet-stream"', multipart(OCTETS, EXPLICIT), id="dcmjs, OHIF"
        ),
        pytest.param(CORNERSTONE, multipart(OCTETS, EXPLICIT), id="any syntax"),
    ],
)
def test_encapsulated_document(accept: str, expected: str) -> None:
    assert str(choose(accept, None, bulkdata_offers(None, single=True, mime_type="application/PDF ")).offer) == expected


@pytest.mark.parametrize(
    "mime_type",
    [
        *("", "text", "a/b\r\nX: 1", "application/octet-stream", "*/*", "image/*", "application/dicom", "multipart/x"),
        *("text/html", "Text/HTML; charset=utf-8", "image/svg+xml", "application/javascript"),
    ],
)
def test_document_types_that_are_not_believed(mime_type: str) -> None:
    assert bulkdata_offers(None, mime_type=mime_type) == bulkdata_offers(None)


def test_encapsulated_uncompressed_frames_are_native() -> None:
    assert str(choose("*/*", None, bulkdata_offers("1.2.840.10008.1.2.1.98")).offer) == multipart(OCTETS, EXPLICIT)


# --- several Instances --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param("*/*", {LOSSLESS: LOSSLESS, IMPLICIT: EXPLICIT, J2K: J2K}, id="as stored"),
        pytest.param(WEASIS, {LOSSLESS: LOSSLESS, IMPLICIT: EXPLICIT, J2K: J2K}, id="8.7.3.5.2 *"),
        pytest.param(
            'multipart/related; type="application/dicom"', {LOSSLESS: None, IMPLICIT: EXPLICIT, J2K: J2K}, id="default"
        ),
        pytest.param(multipart(DICOM, LOSSLESS), {LOSSLESS: LOSSLESS, IMPLICIT: None, J2K: None}, id="one syntax"),
        pytest.param(
            f"{multipart(DICOM, LOSSLESS)}, {multipart(DICOM, EXPLICIT)};q=0.5",
            {LOSSLESS: LOSSLESS, IMPLICIT: EXPLICIT, J2K: None},
            id="8.7.8.1 chosen for each part",
        ),
        pytest.param(
            f"{WEASIS};q=0.5, {multipart(DICOM, EXPLICIT)}",
            {LOSSLESS: LOSSLESS, IMPLICIT: EXPLICIT, J2K: J2K},
            id="fall-back",
        ),
    ],
)
def test_study_of_several_syntaxes(accept: str, expected: dict[str, str | None]) -> None:
    choice = choose(accept, None, instance_offers(tuple(expected)))
    assert choice.offer.media_type == DICOM
    assert {stored: select_transfer_syntax(choice, stored) for stored in expected} == expected


def test_packaging_and_kind_stay_as_chosen() -> None:
    choice = choose("application/dicom, */*;q=0.5", None, instance_offers((EXPLICIT,), single=True))
    assert not choice.multipart
    offer = for_instance(choice, instance_offers((JLS,), single=True))
    assert offer == Offer(DICOM, False, JLS, True)
    choice = choose("multipart/*", None, instance_offers((EXPLICIT, JLS)))
    offer = for_instance(choice, instance_offers((JLS,)))
    assert offer == Offer(DICOM, True, JLS, True)


def test_more_conversions_only_need_to_be_named() -> None:
    def everything(stored_uid: str) -> tuple[str, ...]:
        return tuple(uid for uid in (EXPLICIT, J2K_LOSSLESS) if uid != stored_uid)

    offers = instance_offers((LOSSLESS,), everything)
    assert str(choose('multipart/related; type="application/dicom"', None, offers).offer) == multipart(DICOM, EXPLICIT)
    assert str(choose(WEASIS, None, offers).offer) == multipart(DICOM, LOSSLESS)
    frames = bulkdata_offers(LOSSLESS, everything)
    assert str(choose('multipart/related; type="application/octet-stream"', None, frames).offer) == multipart(
        OCTETS, EXPLICIT
    )
    assert str(choose('multipart/related; type="image/jp2"', None, frames).offer) == multipart(
        "image/jp2", J2K_LOSSLESS
    )
    assert str(choose(OHIF_FRAMES, None, frames).offer) == multipart("image/jpeg", LOSSLESS)
    lossy = bulkdata_offers(BASELINE, everything)
    assert str(choose('multipart/related; type="application/octet-stream"', None, lossy).offer) == multipart(
        OCTETS, EXPLICIT
    )
    assert str(choose(SLIM, None, lossy).offer) == multipart("image/jpeg", BASELINE)


def test_native_conversions() -> None:
    assert {uid: convertible_natively(uid) for uid in (IMPLICIT, BIG, DEFLATED, EXPLICIT, LOSSLESS)} == {
        IMPLICIT: (EXPLICIT,),
        BIG: (EXPLICIT,),
        DEFLATED: (EXPLICIT,),
        EXPLICIT: (),
        LOSSLESS: (),
    }


# --- the accept query parameter, strictness, mixtures -------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "parameter", "expected"),
    [
        pytest.param(CHROME, "application/json", "application/json", id="A.9 link"),
        pytest.param("application/dicom+json", XML_METADATA, XML_METADATA, id="8.7.8.1 parameter before header"),
        pytest.param("application/dicom+json", "image/jpeg", JSON_METADATA, id="8.7.8.1 step 3"),
        pytest.param("*/*", "image/png", JSON_METADATA, id="8.7.8.1 step 4"),
        pytest.param(None, "application/json", "application/json", id="no header"),
        pytest.param("*/*", "", JSON_METADATA, id="empty parameter"),
    ],
)
def test_query_parameter(header: str | None, parameter: str, expected: str) -> None:
    assert str(choose(header, parameter, metadata_offers(single=False)).offer) == expected


@pytest.mark.parametrize("header", [None, "", " "])
def test_strict_needs_a_header(header: str | None) -> None:
    with pytest.raises(NoAcceptableRepresentation, match="Accept header"):
        choose(header, "application/json", metadata_offers(single=False), strict=True)
    assert choose("*/*", None, metadata_offers(single=False), strict=True).q == 1.0


@pytest.mark.parametrize(
    ("header", "parameter"),
    [
        ("application/dicom+json, image/png", None),
        ('multipart/related; type="application/dicom", text/html', None),
        ("application/dicom", "image/gif"),
    ],
)
def test_dicom_and_rendered_types_are_not_mixed(header: str, parameter: str | None) -> None:
    """§8.3.3.1, §8.7.5."""
    with pytest.raises(BadRequest, match="can not be asked for in one request"):
        choose(header, parameter, metadata_offers(single=False))


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("application/dicom+json, image/*", id="8.3.3.1 image/* is no mixture"),
        pytest.param("application/dicom+json, image/png;q=0", id="ruled out"),
        pytest.param("application/dicom+json, image/jpeg", id="image/jpeg belongs to both"),
        pytest.param("application/dicom+json, text/plain, */*", id="HTTP libraries append */*"),
    ],
)
def test_no_mixture(header: str) -> None:
    assert choose(header, None, metadata_offers(single=False)).offer.media_type == JSON_METADATA


def test_endless_list() -> None:
    with pytest.raises(BadRequest):
        choose("a/b," * 5000, None, metadata_offers(single=False))


# --- properties ---------------------------------------------------------------------------------------------------

_SYNTAXES = st.sampled_from(
    [IMPLICIT, EXPLICIT, DEFLATED, BIG, RLE, BASELINE, LOSSLESS, JLS, J2K, HTJ2K, H264, PRIVATE]
)
_NAMES = st.sampled_from([DICOM, OCTETS, "image/jpeg", "image/jp2", "image/*", "video/mp4", "*/*", "application/*"])
_RANGES = st.builds(
    lambda name, parts, syntax, q: (
        (f'multipart/related; type="{name}"' if parts else name)
        + ("" if syntax is None else f"; transfer-syntax={syntax}")
        + ("" if q is None else f"; q={q}")
    ),
    _NAMES,
    st.booleans(),
    st.none() | st.just("*") | _SYNTAXES,
    st.none() | st.sampled_from(["0", "0.5", "1"]),
)


@given(st.lists(_RANGES, min_size=1, max_size=4), st.lists(_SYNTAXES, min_size=1, max_size=3, unique=True))
def test_only_offers_are_chosen_and_never_a_forbidden_syntax(ranges: list[str], stored: list[str]) -> None:
    offers = instance_offers(tuple(stored), single=len(stored) == 1)
    assert all(offer.transfer_syntax_uid not in (IMPLICIT, BIG) for offer in offers)
    try:
        choice = choose(", ".join(ranges), None, offers)
    except NoAcceptableRepresentation:
        return
    assert choice.offer in offers
    assert 0 < choice.q <= 1
    if choice.offer.media_type == DICOM:
        sent = [select_transfer_syntax(choice, uid) for uid in stored]
        assert choice.offer.transfer_syntax_uid in sent
        assert not {IMPLICIT, BIG} & set(sent)


@given(st.lists(_RANGES, min_size=1, max_size=4), _SYNTAXES)
def test_what_is_said_to_be_available_is(ranges: list[str], stored: str) -> None:
    try:
        choose(", ".join(ranges), None, bulkdata_offers(stored, single=True))
    except NoAcceptableRepresentation as refusal:
        for text in refusal.details:
            assert str(choose(text, None, bulkdata_offers(stored, single=True)).offer) == text
