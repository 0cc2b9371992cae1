"""Metadata and bulk data to files: parts are kept on the disk, found by what they are called, and let go of."""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from skiagraph.blobs.file import FileBlobStore
from skiagraph.errors import ArchiveError, BadRequest, CannotUnderstand, OutOfResources, PayloadTooLarge
from skiagraph.services import store_metadata
from skiagraph.services.store_metadata import Assembled, Gathering
from skiagraph.settings import Settings
from skiagraph.standard import part10
from skiagraph.standard.header import Header
from skiagraph.standard.part10_writer import Span

ICC = "00282000"


@pytest.fixture
def gathering(tmp_path: Path) -> Iterator[Gathering]:
    blobs = FileBlobStore(tmp_path, durable=False)
    made = Gathering(blobs, Settings(data=tmp_path))
    yield made
    made.discard()
    assert not list(tmp_path.rglob("*.part")), "nothing stays in the staging area"
    blobs.close()


def send(gathering: Gathering, body: bytes, media_type: str = "application/octet-stream", **headers: str) -> None:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    gathering.begin({"content-type": media_type} | fields)
    for at in range(0, len(body), 100_000):
        if gathering.write(body[at : at + 100_000]):
            gathering.spool()
    gathering.end()


def describe(gathering: Gathering, *data_sets: Mapping[str, Any]) -> None:
    send(gathering, json.dumps(data_sets).encode(), "application/dicom+json")


def refers(uri: str, **more: Any) -> dict[str, Any]:
    return {"00080016": {"vr": "UI", "Value": ["1.2.3"]}, ICC: {"vr": "OB", "BulkDataURI": uri}, **more}


def file_of(assembled: Assembled) -> bytes:
    if assembled.error is not None:
        raise assembled.error
    assert assembled.write is not None
    return b"".join(
        piece.source.read_at(piece.offset, piece.length) if isinstance(piece, Span) else piece
        for piece in assembled.write("20260101")
    )


def header_of(assembled: Assembled) -> Header:
    return part10.read(part10.BytesSource(file_of(assembled)))


def value(header: Header, tag: str) -> Any:
    return header.attributes[tag]["Value"][0]


class TestReferences:
    @pytest.mark.parametrize(
        ("uri", "headers"),
        [
            pytest.param("bulk123", {"content_location": "bulk123"}, id="as given"),
            pytest.param("a b", {"content_location": "a%20b"}, id="the part is percent-encoded"),
            pytest.param("a%20b", {"content_location": "a b"}, id="the metadata are percent-encoded"),
            pytest.param("http://h/x?y#z", {"content_location": "http://h/x?y#z"}, id="absolute"),
            pytest.param("cid:9@h", {"content_id": "<9@h>"}, id="Content-ID"),
            pytest.param("cid:9@h", {"content_location": "cid:9@h"}, id="cid as Content-Location"),
        ],
    )
    def test_found(self, gathering: Gathering, uri: str, headers: dict[str, str]) -> None:
        describe(gathering, refers(uri))
        send(gathering, b"the value", **headers)
        (assembled,) = gathering.assemble(None)
        assert b"the value\0" in file_of(assembled)

    @pytest.mark.parametrize("uri", ["BULK", "bulk/", "", 7, ["bulk"]])
    def test_not_found(self, gathering: Gathering, uri: Any) -> None:
        describe(gathering, refers(uri))
        send(gathering, b"the value", content_location="bulk")
        (assembled,) = gathering.assemble(None)
        assert isinstance(assembled.error, CannotUnderstand)
        assert assembled.error.details == (ICC,)

    def test_in_an_item(self, gathering: Gathering) -> None:
        describe(gathering, {"00480105": {"vr": "SQ", "Value": [refers("x")]}})
        send(gathering, b"the value", content_location="x")
        (assembled,) = gathering.assemble(None)
        assert b"the value\0" in file_of(assembled)

    def test_bulk_data_may_come_first(self, gathering: Gathering) -> None:
        send(gathering, b"the value", content_location="x")
        describe(gathering, refers("x"))
        (assembled,) = gathering.assemble(None)
        assert assembled.error is None

    def test_codings_are_undone(self, gathering: Gathering) -> None:
        describe(gathering, refers("x"), refers("y"), refers("z"))
        send(gathering, base64.b64encode(b"the value"), content_location="x", content_transfer_encoding="base64")
        send(gathering, gzip.compress(b"the value"), content_location="y", content_encoding="gzip")
        send(gathering, b"no gzip", content_location="z", content_encoding="gzip")
        good, also_good, bad = gathering.assemble(None)
        assert b"the value\0" in file_of(good)
        assert b"the value\0" in file_of(also_good)
        assert isinstance(bad.error, CannotUnderstand)

    def test_a_small_request_can_not_fill_the_disk(self, gathering: Gathering, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(store_metadata, "_MOST_REUSED", 0)
        describe(gathering, *(refers("x") for _ in range(200)))
        send(gathering, bytes(100_000), content_location="x")
        errors = [assembled.error for assembled in gathering.assemble(None)]
        assert errors[:60] == [None] * 60
        assert isinstance(errors[-1], OutOfResources)


class TestSupplied:
    def test_uids_belong_together(self, gathering: Gathering) -> None:
        describe(gathering, {}, {"0020000D": {"vr": "UI", "Value": ["1.5"]}}, {})
        first, other, second = map(header_of, gathering.assemble(None))
        for tag, same in (("0020000D", True), ("0020000E", True), ("00080018", False)):
            assert (value(first, tag) == value(second, tag)) is same
        assert value(other, "0020000D") == "1.5"
        assert value(other, "0020000E") != value(first, "0020000E"), "a Series belongs to one Study"

    def test_study_of_the_resource(self, gathering: Gathering) -> None:
        describe(gathering, {}, {"0020000D": {"vr": "UI"}})
        for header in map(header_of, gathering.assemble("1.2.840")):
            assert value(header, "0020000D") == "1.2.840"

    @pytest.mark.parametrize("said", [None, 7])
    def test_length_of_a_document(self, gathering: Gathering, said: int | None) -> None:
        data: dict[str, Any] = {"00420011": {"vr": "OB", "BulkDataURI": "x"}}
        if said is not None:
            data["00420015"] = {"vr": "UL", "Value": [said]}
        describe(gathering, data)
        send(gathering, b"%PDF-odd.", "application/pdf", content_location="x")
        header = header_of(next(gathering.assemble(None)))
        assert value(header, "00420015") == 9
        assert value(header, "00420012") == "application/pdf"
        assert value(header, "00080016") == "1.2.840.10008.5.1.4.1.1.104.1"


class TestMetadata:
    def test_a_clinical_document_is_no_metadata(self, gathering: Gathering) -> None:
        describe(gathering, {"00420011": {"vr": "OB", "BulkDataURI": "x"}})
        send(gathering, b"<ClinicalDocument/>", "text/xml", content_location="x")
        (assembled,) = gathering.assemble(None)
        assert value(header_of(assembled), "00080016") == "1.2.840.10008.5.1.4.1.1.104.2"

    @pytest.mark.parametrize("media_type", ["", "application/json", "text/xml"])
    def test_generic_types(self, gathering: Gathering, media_type: str) -> None:
        element = b'<DicomAttribute tag="00080060" vr="CS"><Value>OT</Value></DicomAttribute>'
        xml = b"<NativeDicomModel>" + element + b"</NativeDicomModel>"
        body = xml if media_type == "text/xml" else b'{"00080060": {"vr": "CS", "Value": ["OT"]}}'
        send(gathering, body, media_type)
        (assembled,) = gathering.assemble(None)
        assert value(header_of(assembled), "00080060") == "OT"

    def test_too_large(self, gathering: Gathering, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(store_metadata, "MOST_METADATA", 100)
        describe(gathering, *[{}] * 100)
        with pytest.raises(PayloadTooLarge):
            list(gathering.assemble(None))

    def test_none(self, gathering: Gathering) -> None:
        send(gathering, b"x", content_location="x")
        with pytest.raises(BadRequest):
            list(gathering.assemble(None))

    def test_messages_hold_no_values(self, gathering: Gathering) -> None:
        send(gathering, b'[{"00100010": {"vr": "PN", "Value": ["Zeta^Zachary"]} x]', "application/dicom+json")
        with pytest.raises(BadRequest) as caught:
            list(gathering.assemble(None))
        assert "Zeta" not in str(caught.value)


def test_bulk_data_are_not_held_in_memory(gathering: Gathering) -> None:
    describe(gathering, refers("x"))
    send(gathering, bytes(5_000_001), content_location="x")
    (assembled,) = gathering.assemble(None)
    assert assembled.write is not None
    pieces = list(assembled.write(""))
    assert sum(len(piece) for piece in pieces if isinstance(piece, bytes)) < 2000
    assert [piece.length for piece in pieces if isinstance(piece, Span)] == [5_000_001]


def test_a_bomb_ends_at_the_limit_and_harms_nobody_else(tmp_path: Path) -> None:
    blobs = FileBlobStore(tmp_path, durable=False)
    gathering = Gathering(blobs, Settings(data=tmp_path, max_inflated_bytes=2**20))
    describe(gathering, refers("bomb"), refers("x"))
    send(gathering, gzip.compress(bytes(2**24)), content_location="bomb", content_encoding="gzip")
    send(gathering, b"the value", content_location="x")
    bomb, good = gathering.assemble(None)
    assert isinstance(bomb.error, CannotUnderstand)
    assert "max_inflated_bytes" in bomb.error.message
    assert b"the value\0" in file_of(good)
    gathering.discard()
    blobs.close()


VRS = st.sampled_from(["AT", "CS", "DS", "FD", "IS", "LO", "OB", "PN", "SQ", "UI", "UN", "US", "UT", "UV"])
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(["x", "ISO_IR 13", "QUJD"])
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["vr", "Value", "BulkDataURI", "Alphabetic", "00100010"]), inner, max_size=3)
    ),
    max_leaves=8,
)
ELEMENTS = st.fixed_dictionaries(
    {"vr": VRS | ANYTHING},
    optional={"Value": ANYTHING | st.lists(ANYTHING, max_size=2), "InlineBinary": ANYTHING, "BulkDataURI": ANYTHING},
)
TAGS = st.sampled_from(
    ["00080005", "00080016", "00080018", "00100010", "00081115", "00280010", "7FE00010", "00420011", "00091001", "x"]
)


@given(data=st.dictionaries(TAGS, ELEMENTS | ANYTHING, max_size=5))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_anything_becomes_a_file_or_a_reason(tmp_path: Path, data: Any) -> None:
    blobs = FileBlobStore(tmp_path, durable=False)
    gathering = Gathering(blobs, Settings(data=tmp_path))
    describe(gathering, data)
    send(gathering, b"\xff\xd8abc", "image/jpeg", content_location="x")
    (assembled,) = gathering.assemble(None)
    if assembled.error is None:
        part10.read(part10.BytesSource(file_of(assembled)))
    else:
        assert isinstance(assembled.error, ArchiveError), assembled.error
    gathering.discard()
    blobs.close()


def encoded(kind: str) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((8, 8)).save(out, kind)
    return out.getvalue()


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(-1e9, 1e9)
    | st.sampled_from(["", "RGB", "1", "x\0", "1.2.840"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["Value", "0", "vr"]), inner, max_size=2)
    ),
    max_leaves=4,
)
TAGS = (
    *("00080016", "00080018", "00080060", "0020000D", "0020000E", "00200013", "00280002", "00280004", "00280006"),
    *("00280008", "00280009", "00280010", "00280100", "00280101", "00280102", "00282110", "00282112", "00420011"),
    *("00420012", "00420015", "0040A043", "0040A730", "04000561", "7FE00010"),
)


@given(
    st.dictionaries(
        st.sampled_from(TAGS),
        st.fixed_dictionaries(
            {"Value": ODD | st.lists(ODD, max_size=2)}, optional={"vr": st.sampled_from(["CS", "SQ"])}
        )
        | st.just({"vr": "OB", "BulkDataURI": "it"}),
        max_size=6,
    ),
    st.sampled_from([b"\xff\xd8\xff\xe0", encoded("JPEG"), encoded("PNG"), b"%PDF-1", b"<ClinicalDocument/>", b"text"]),
    st.sampled_from(["image/jpeg", "text/plain", "application/octet-stream", "video/mp4", "image/dicom-rle"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_odd_metadata_fail_with_a_reason(
    tmp_path: Path, attributes: dict[str, Any], content: bytes, media_type: str
) -> None:
    blobs = FileBlobStore(tmp_path, durable=False)
    gathering = Gathering(blobs, Settings(data=tmp_path))
    try:
        describe(gathering, attributes)
        send(gathering, content, media_type, content_location="it")
        (assembled,) = gathering.assemble(None)
        try:
            if assembled.error is not None:
                raise assembled.error
            file_of(assembled)
        except ArchiveError:
            pass
    finally:
        gathering.discard()
        blobs.close()
