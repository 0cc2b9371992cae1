"""The media type tables of PS3.18."""

from __future__ import annotations

import pytest

from skiagraph.standard import media_types


@pytest.mark.parametrize(
    ("uid", "media_type", "lossy"),
    [
        ("1.2.840.10008.1.2", "application/octet-stream", False),
        ("1.2.840.10008.1.2.1", "application/octet-stream", False),
        ("1.2.840.10008.1.2.1.98", "application/octet-stream", False),
        ("1.2.840.10008.1.2.5", "image/dicom-rle", False),
        ("1.2.840.10008.1.2.4.50", "image/jpeg", True),
        ("1.2.840.10008.1.2.4.57", "image/jpeg", False),
        ("1.2.840.10008.1.2.4.70", "image/jpeg", False),
        ("1.2.840.10008.1.2.4.81", "image/jls", True),
        ("1.2.840.10008.1.2.4.90", "image/jp2", False),
        ("1.2.840.10008.1.2.4.91", "image/jp2", True),
        ("1.2.840.10008.1.2.4.93", "image/jpx", True),
        ("1.2.840.10008.1.2.4.100", "video/mpeg", True),
        ("1.2.840.10008.1.2.4.106.1", "video/mp4", True),
        ("1.2.840.10008.1.2.4.108", "video/h265", True),
        ("1.2.840.10008.1.2.4.112", "image/jxl", True),
        ("1.2.840.10008.1.2.4.202", "image/jphc", False),
        ("1.3.6.1.4.1.5962.300.1", "application/octet-stream", False),
    ],
)
def test_bulkdata(uid: str, media_type: str, lossy: bool) -> None:
    assert media_types.bulkdata_media_type(uid) == media_type
    assert media_types.may_be_lossy(uid) is lossy


@pytest.mark.parametrize(
    ("media_type", "uid"),
    [
        ("application/dicom", "1.2.840.10008.1.2.1"),
        ("application/octet-stream", "1.2.840.10008.1.2.1"),
        ("image/jpeg", "1.2.840.10008.1.2.4.70"),
        ("image/dicom-rle", "1.2.840.10008.1.2.5"),
        ("image/jls", "1.2.840.10008.1.2.4.80"),
        ("image/jp2", "1.2.840.10008.1.2.4.90"),
        ("image/jpx", "1.2.840.10008.1.2.4.92"),
        ("image/jphc", "1.2.840.10008.1.2.4.201"),
        ("image/jxl", "1.2.840.10008.1.2.4.110"),
        ("video/mpeg", "1.2.840.10008.1.2.4.101"),
        ("video/mp4", "1.2.840.10008.1.2.4.102"),
        ("video/h265", "1.2.840.10008.1.2.4.107"),
        ("application/dicom+json", None),
        ("application/pdf", None),
    ],
)
def test_defaults(media_type: str, uid: str | None) -> None:
    """Tables 8.7.3-2, 8.7.3-4, 8.7.3-5: the rows marked D."""
    assert media_types.default_transfer_syntax(media_type) == uid


def test_old_names_lead_to_current_ones() -> None:
    """§8.7.3.3.2 note."""
    assert media_types.current_name("image/x-jls") == "image/jls"
    assert media_types.current_name("image/jpeg") == "image/jpeg"
    assert set(media_types.ALIASES.values()) <= media_types.COMPRESSED
    assert not media_types.ALIASES.keys() & media_types.COMPRESSED


def test_rendered_types_are_no_dicom_types() -> None:
    assert {"text/html", "image/png", "image/gif"} <= media_types.RENDERED_ONLY
    assert not media_types.RENDERED_ONLY & {"image/jpeg", "image/jp2", "video/mp4", "application/pdf", "text/xml"}


def test_required_and_default_types_of_the_resources() -> None:
    """Table 10.4.4-1."""
    asked = {(row.resource, row.media_type, row.multipart) for row in media_types.RESOURCES if row.use in "DR"}
    assert asked == {
        ("Instance", "application/dicom", True),
        ("Instance", "application/octet-stream", True),
        ("Metadata", "application/dicom+json", False),
        ("Metadata", "application/dicom+xml", True),
        ("Bulkdata", "application/octet-stream", True),
        ("Thumbnail", "image/jpeg", False),
    }


def test_spelling() -> None:
    assert media_types.spelling("video/h265") == "video/H265"
    assert media_types.spelling("image/jp2") == "image/jp2"
