"""STOW-RS against a running server: PS3.18 §10.5 and the seed's samples."""

from __future__ import annotations

import base64
import gzip
import socket
import uuid
import zlib
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import pytest
from lxml import etree
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from dicom_files import ct, multipart, part10, parts, uid

JSON = {"Accept": "application/dicom+json"}
XML = {"Accept": "application/dicom+xml"}


def instance_path(data: object) -> str:
    return f"/studies/{data.StudyInstanceUID}/series/{data.SeriesInstanceUID}/instances/{data.SOPInstanceUID}"  # type: ignore[attr-defined]


def reasons(response: httpx.Response) -> list[int]:
    document = response.json()
    items = document.get("00081198", {}).get("Value", []) + document.get("0008119A", {}).get("Value", [])
    return [item["00081197"]["Value"][0] for item in items]


class TestSample1:
    """The seed's STOW-RS sample 1, adapted to our Base URI."""

    def test_xml_answer(self, client: httpx.Client, base_url: str) -> None:
        data = ct()
        body, headers = multipart([part10(data)], boundary="9d056d4f-1f1a-4488-9760-581378378090")
        response = client.post("/studies", content=body, headers=headers | XML)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/dicom+xml"
        url = base_url + instance_path(data)
        root = etree.fromstring(response.content)
        assert etree.QName(root).localname == "NativeDicomModel"
        assert root.get("{http://www.w3.org/XML/1998/namespace}space") == "preserve"
        flat = [
            (element.get("keyword"), element.get("tag"), element.get("vr"))
            for element in root.iter()
            if element.get("tag")
        ]
        assert flat == [
            ("RetrieveURL", "00081190", "UR"),
            ("ReferencedSOPSequence", "00081199", "SQ"),
            ("ReferencedSOPClassUID", "00081150", "UI"),
            ("ReferencedSOPInstanceUID", "00081155", "UI"),
            ("RetrieveURL", "00081190", "UR"),
        ]
        values = [element.text for element in root.iter() if etree.QName(element).localname == "Value"]
        assert values == [f"{base_url}/studies/{data.StudyInstanceUID}", data.SOPClassUID, data.SOPInstanceUID, url]

    def test_json_answer(self, client: httpx.Client, base_url: str) -> None:
        data = ct()
        body, headers = multipart([part10(data)])
        response = client.post("/studies", content=body, headers=headers | JSON)
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/dicom+json"
        assert response.json() == {
            "00081190": {"vr": "UR", "Value": [f"{base_url}/studies/{data.StudyInstanceUID}"]},
            "00081199": {
                "vr": "SQ",
                "Value": [
                    {
                        "00081150": {"vr": "UI", "Value": [data.SOPClassUID]},
                        "00081155": {"vr": "UI", "Value": [data.SOPInstanceUID]},
                        "00081190": {"vr": "UR", "Value": [base_url + instance_path(data)]},
                    }
                ],
            },
        }
        assert response.headers["location"] == f"{base_url}/studies/{data.StudyInstanceUID}"
        assert response.headers["content-location"] == f"{base_url}/studies/{data.StudyInstanceUID}"


@pytest.mark.parametrize(
    "content_type",
    [
        pytest.param("application/dicom", id="B.21 single part"),
        pytest.param("application/dicom; transfer-syntax=1.2.840.10008.1.2.1", id="with a Transfer Syntax"),
    ],
)
def test_single_part(client: httpx.Client, content_type: str) -> None:
    data = ct()
    response = client.post("/studies", content=part10(data), headers={"Content-Type": content_type})
    assert response.status_code == 200, response.text
    assert client.get(
        instance_path(data), headers={"Accept": "application/dicom; transfer-syntax=*"}
    ).content == part10(data)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        pytest.param(
            "multipart/related; type=application/dicom; boundary=a-boundary", "application/dicom", id="type unquoted"
        ),
        pytest.param(
            'multipart/related; type="application/dicom"; boundary="a-boundary"',
            "application/dicom",
            id="boundary quoted",
        ),
        pytest.param("multipart/related; boundary=a-boundary", "application/dicom", id="no type"),
        pytest.param(
            'Multipart/Related; BOUNDARY=a-boundary; Type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1;'
            ' start="<1>"',
            "application/dicom; transfer-syntax=1.2.840.10008.1.2.1",
            id="more parameters, other case",
        ),
        pytest.param(
            'multipart/related; type="application/dicom"; boundary=a-boundary',
            "application/octet-stream",
            id="octet-stream part",
        ),
    ],
)
def test_senders_spell_it_differently(client: httpx.Client, outer: str, inner: str) -> None:
    body, _ = multipart([part10(ct())], part_type=inner)
    assert client.post("/studies", content=body, headers={"Content-Type": outer}).status_code == 200


class TestIsolation:
    """One bad part never harms its neighbours."""

    def test_bad_among_good(self, client: httpx.Client) -> None:
        good, other = ct(), ct()
        no_series = ct(SeriesInstanceUID=None)
        bad_uid = ct(StudyInstanceUID="not a uid")
        broken = part10(ct())[:-40]
        body, headers = multipart(
            [part10(good), b"this is no DICOM", part10(no_series), broken, b"", part10(bad_uid), part10(other)]
        )
        response = client.post("/studies", content=body, headers=headers)
        assert response.status_code == 202, response.text
        document = response.json()
        stored = [item["00081155"]["Value"][0] for item in document["00081199"]["Value"]]
        assert stored == [good.SOPInstanceUID, other.SOPInstanceUID]
        failed = {item["00081155"]["Value"][0]: item for item in document["00081198"]["Value"]}
        assert set(failed) == {no_series.SOPInstanceUID, bad_uid.SOPInstanceUID}
        assert failed[no_series.SOPInstanceUID]["00081197"]["Value"] == [0xA900]
        assert failed[no_series.SOPInstanceUID]["00741048"]["Value"][0]["00720026"]["Value"] == ["0020000E"]
        assert "Series Instance UID" in failed[no_series.SOPInstanceUID]["00000902"]["Value"][0]
        others = [item["00081197"]["Value"][0] for item in document["0008119A"]["Value"]]
        assert others == [0xC000] * 3
        for data in (good, other):
            assert client.get(instance_path(data), headers={"Accept": "application/dicom"}).status_code == 200
        assert (
            client.get(instance_path(no_series.__class__(ct(SOPInstanceUID=no_series.SOPInstanceUID)))).status_code
            == 404
        )

    def test_all_bad(self, client: httpx.Client) -> None:
        body, headers = multipart([b"this is no DICOM", part10(ct(StudyInstanceUID=None))])
        response = client.post("/studies", content=body, headers=headers)
        assert response.status_code == 409
        assert "00081199" not in response.json()
        assert sorted(reasons(response)) == [0xA900, 0xC000]

    def test_a_part_of_another_type(self, client: httpx.Client) -> None:
        data = ct()
        body, headers = multipart([part10(data)])
        head = b"--a-boundary\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xd9\r\n"
        response = client.post("/studies", content=head + body, headers=headers)
        assert response.status_code == 202
        assert reasons(response) == [0xC000]


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        pytest.param(b"", {"Content-Type": "application/dicom"}, 400, id="10.5.1 no payload"),
        pytest.param(b"x", {}, 415, id="no Content-Type"),
        pytest.param(b"x", {"Content-Type": "text/plain"}, 415, id="unsupported"),
        pytest.param(b"x", {"Content-Type": "multipart/form-data; boundary=x"}, 415, id="another multipart"),
        pytest.param(b"x", {"Content-Type": 'multipart/related; type="application/dicom"'}, 400, id="no boundary"),
        pytest.param(
            b"garbage",
            {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'},
            400,
            id="no delimiter",
        ),
        pytest.param(
            b"--b--\r\n", {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}, 400, id="no part"
        ),
        pytest.param(b"x", {"Content-Type": 'multipart/related; type="text/css"; boundary=b'}, 415, id="other type"),
    ],
)
def test_whole_request_refused(client: httpx.Client, content: bytes, headers: dict[str, str], status: int) -> None:
    response = client.post("/studies", content=content, headers=headers)
    assert response.status_code == status, response.text
    assert response.text.strip(), "an error says why"
    assert client.get("/studies?limit=1").status_code == 200, "the connection stays usable"


def test_truncated_multipart_tells_what_was_whole(client: httpx.Client) -> None:
    whole, cut = ct(), ct()
    body, headers = multipart([part10(whole), part10(cut)])
    response = client.post("/studies", content=body[: -len("\r\n--a-boundary--\r\n") - 20], headers=headers)
    assert response.status_code == 202
    document = response.json()
    assert [item["00081155"]["Value"][0] for item in document["00081199"]["Value"]] == [whole.SOPInstanceUID]
    assert "delimiter" in document["0008119A"]["Value"][0]["00000902"]["Value"][0]
    assert client.get(instance_path(cut) + "/metadata").status_code == 404
    assert client.get(instance_path(whole) + "/metadata").status_code == 200


def test_truncated_before_anything_was_whole(client: httpx.Client) -> None:
    body, headers = multipart([part10(ct())])
    assert client.post("/studies", content=body[:200], headers=headers).status_code == 400


class TestCodings:
    """8.6.1.2: a payload and each of its parts may be coded."""

    @pytest.mark.parametrize(
        ("coding", "encode"),
        [pytest.param("gzip", gzip.compress, id="gzip"), pytest.param("deflate", zlib.compress, id="deflate")],
    )
    def test_payload(self, client: httpx.Client, coding: str, encode: Callable[[bytes], bytes]) -> None:
        data = ct()
        body, headers = multipart([part10(data)])
        response = client.post("/studies", content=encode(body), headers=headers | {"Content-Encoding": coding})
        assert response.status_code == 200, response.text
        accept = {"Accept": "application/dicom; transfer-syntax=*"}
        assert client.get(instance_path(data), headers=accept).content == part10(data)

    @pytest.mark.parametrize(
        ("header", "encode"),
        [
            pytest.param("Content-Encoding: gzip", gzip.compress, id="gzip"),
            pytest.param("Content-Transfer-Encoding: base64", base64.encodebytes, id="base64"),
            pytest.param("Content-Transfer-Encoding: binary", bytes, id="binary"),
        ],
    )
    def test_part(self, client: httpx.Client, header: str, encode: Callable[[bytes], bytes]) -> None:
        data, plain = ct(), ct()
        body, headers = multipart([encode(part10(data))], part_type=f"application/dicom\r\n{header}")
        more, _ = multipart([part10(plain)])
        response = client.post("/studies", content=body[: -len("--a-boundary--\r\n")] + more, headers=headers)
        assert response.status_code == 200, response.text
        accept = {"Accept": "application/dicom; transfer-syntax=*"}
        assert client.get(instance_path(data), headers=accept).content == part10(data)

    def test_unsupported(self, client: httpx.Client) -> None:
        body, headers = multipart([part10(ct())])
        response = client.post("/studies", content=body, headers=headers | {"Content-Encoding": "br"})
        assert response.status_code == 415
        assert "gzip" in response.headers["accept-encoding"]

    def test_not_what_it_says(self, client: httpx.Client) -> None:
        body, headers = multipart([part10(ct())])
        assert client.post("/studies", content=body, headers=headers | {"Content-Encoding": "gzip"}).status_code == 400

    def test_a_bad_coding_harms_only_its_part(self, client: httpx.Client) -> None:
        body, headers = multipart(
            [gzip.compress(part10(ct()))[:-9]], part_type="application/dicom\r\nContent-Encoding: gzip"
        )
        more, _ = multipart([part10(ct())])
        response = client.post("/studies", content=body[: -len("--a-boundary--\r\n")] + more, headers=headers)
        assert response.status_code == 202
        assert len(response.json()["00081199"]["Value"]) == 1


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1\n", "1.2.3.4\r\nX-Evil: 1", "1.2.3.4.5; q=1, x"])
def test_a_transfer_syntax_uid_that_is_none(client: httpx.Client, syntax: str) -> None:
    """What stands in File Meta Information never gets into a header."""
    data = ct()
    file = part10(data).replace(b"1.2.840.10008.1.2.1\0", syntax.encode().ljust(20, b"\0"))
    response = client.post("/studies", content=file, headers={"Content-Type": "application/dicom"})
    assert response.status_code == 202
    for accept in ("*/*", 'multipart/related; type="application/dicom"; transfer-syntax=*'):
        answer = client.get(f"/studies/{data.StudyInstanceUID}", headers={"Accept": accept})
        assert answer.status_code == 200
        ((header, back),) = parts(answer.content, answer.headers["content-type"])
        assert header["content-type"] == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
        assert b"1.2.840.10008.1.2.1\0" in back[:400]
    assert client.get(instance_path(data) + "/frames/1").status_code == 200


def test_a_header_line_that_is_no_field(client: httpx.Client) -> None:
    body, headers = multipart([part10(ct())], part_type="application/dicom\r\nno field at all")
    assert client.post("/studies", content=body, headers=headers).status_code == 200


class TestStudyOfTheRequest:
    def test_same_study(self, client: httpx.Client) -> None:
        data = ct()
        body, headers = multipart([part10(data)])
        assert client.post(f"/studies/{data.StudyInstanceUID}", content=body, headers=headers).status_code == 200

    def test_other_study(self, client: httpx.Client) -> None:
        study = uid()
        fits, stranger = ct(StudyInstanceUID=study), ct()
        body, headers = multipart([part10(fits), part10(stranger)])
        response = client.post(f"/studies/{study}", content=body, headers=headers)
        assert response.status_code == 202
        assert reasons(response) == [0xA901]
        assert client.get(instance_path(stranger) + "/metadata").status_code == 404

    def test_invalid_study(self, client: httpx.Client) -> None:
        body, headers = multipart([part10(ct())])
        assert client.post("/studies/not-a-uid", content=body, headers=headers).status_code == 400


class TestDuplicates:
    def test_the_same_again_is_a_success(self, client: httpx.Client) -> None:
        data = ct()
        body, headers = multipart([part10(data)])
        first = client.post("/studies", content=body, headers=headers)
        again = client.post("/studies", content=body, headers=headers)
        assert (first.status_code, again.status_code) == (200, 200)
        assert again.json() == first.json()
        found = client.get("/studies", params={"StudyInstanceUID": data.StudyInstanceUID}).json()
        assert found[0]["00201208"]["Value"] == [1]

    def test_the_same_data_set_with_other_file_meta(self, client: httpx.Client) -> None:
        data = ct()
        file = part10(data)
        other = bytearray(file)
        other[0:4] = b"II*\0"
        assert client.post("/studies", content=file, headers={"Content-Type": "application/dicom"}).status_code == 200
        assert (
            client.post("/studies", content=bytes(other), headers={"Content-Type": "application/dicom"}).status_code
            == 200
        )

    def test_twice_in_one_request(self, client: httpx.Client) -> None:
        file = part10(ct())
        body, headers = multipart([file, file, file])
        response = client.post("/studies", content=body, headers=headers)
        assert response.status_code == 200
        assert len(response.json()["00081199"]["Value"]) == 3

    def test_another_data_set_is_refused(self, client: httpx.Client) -> None:
        data = ct()
        file = part10(data)
        data.PatientID = "somebody else"
        changed = part10(data)
        assert client.post("/studies", content=file, headers={"Content-Type": "application/dicom"}).status_code == 200
        response = client.post("/studies", content=changed, headers={"Content-Type": "application/dicom"})
        assert response.status_code == 409
        assert reasons(response) == [0x0111]
        kept = client.get(instance_path(data), headers={"Accept": "application/dicom; transfer-syntax=*"})
        assert kept.content == file

    def test_the_same_uid_in_another_series_is_refused(self, client: httpx.Client) -> None:
        data = ct()
        other = ct(SOPInstanceUID=data.SOPInstanceUID)
        body, headers = multipart([part10(data), part10(other)])
        response = client.post("/studies", content=body, headers=headers)
        assert response.status_code == 202
        assert reasons(response) == [0x0111]


class TestAnswerForms:
    @pytest.mark.parametrize(
        ("accept", "content_type"),
        [
            pytest.param("*/*", "application/dicom+json", id="anything"),
            pytest.param("application/dicom+json", "application/dicom+json", id="JSON"),
            pytest.param("application/json", "application/json", id="plain JSON"),
            pytest.param("application/dicom+xml", "application/dicom+xml", id="XML"),
            pytest.param("application/dicom+xml;q=0.5, application/dicom+json", "application/dicom+json", id="weights"),
        ],
    )
    def test_single_part(self, client: httpx.Client, accept: str, content_type: str) -> None:
        body, headers = multipart([part10(ct())])
        response = client.post("/studies", content=body, headers=headers | {"Accept": accept})
        assert response.status_code == 200
        assert response.headers["content-type"] == content_type

    def test_multipart_xml(self, client: httpx.Client) -> None:
        body, headers = multipart([part10(ct())])
        accept = {"Accept": 'multipart/related; type="application/dicom+xml"'}
        response = client.post("/studies", content=body, headers=headers | accept)
        assert response.status_code == 200
        ((part, content),) = parts(response.content, response.headers["content-type"])
        assert part["content-type"] == "application/dicom+xml"
        assert etree.fromstring(content) is not None

    def test_unacceptable_form_is_refused_before_anything_is_stored(self, client: httpx.Client) -> None:
        data = ct()
        body, headers = multipart([part10(data)])
        response = client.post("/studies", content=body, headers=headers | {"Accept": "image/png"})
        assert response.status_code == 406
        assert client.get(instance_path(data) + "/metadata").status_code == 404


@pytest.mark.parametrize("transfer_syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_native_syntaxes_that_never_go_out_are_stored(client: httpx.Client, transfer_syntax: str) -> None:
    data = ct()
    if transfer_syntax == ExplicitVRBigEndian:
        data["PixelData"].VR = "OW"
    file = part10(data, transfer_syntax)
    assert client.post("/studies", content=file, headers={"Content-Type": "application/dicom"}).status_code == 200
    answer = client.get(instance_path(data), headers={"Accept": "application/dicom; transfer-syntax=*"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"


def test_sequences_of_the_study_nested_deeper_than_a_json_library_goes(client: httpx.Client) -> None:
    item = Dataset()
    for _ in range(150):
        outer = Dataset()
        outer.ReferencedStudySequence = Sequence([item])
        item = outer
    data = ct(ReferencedStudySequence=[item])
    assert (
        client.post("/studies", content=part10(data), headers={"Content-Type": "application/dicom"}).status_code == 200
    )
    assert client.get("/studies", params={"StudyInstanceUID": data.StudyInstanceUID, "includefield": "all"}).json()
    metadata = client.get(instance_path(data) + "/metadata")
    assert metadata.text.count('"00081110"') == 151


def test_visible_at_once(client: httpx.Client) -> None:
    """users-ask 60: when Store answered, search, metadata and counts agree already."""
    study, series = uid(), uid()
    for number in range(1, 6):
        data = ct(StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=number)
        client.post("/studies", content=part10(data), headers={"Content-Type": "application/dicom"}).raise_for_status()
        found = client.get("/studies", params={"StudyInstanceUID": study}).json()
        assert found[0]["00201208"]["Value"] == [number]
        assert len(client.get(f"/studies/{study}/metadata").json()) == number


def test_expect_100_continue(base_url: str) -> None:
    """curl sends Expect: 100-continue with larger payloads and waits for the server to agree."""
    file = part10(ct())
    target = urlsplit(base_url)
    with socket.create_connection((target.hostname, target.port or 80), timeout=10) as connection:
        connection.sendall(
            f"POST {target.path}/studies HTTP/1.1\r\nHost: {target.netloc}\r\nContent-Type: application/dicom\r\n"
            f"Content-Length: {len(file)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n".encode()
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        connection.sendall(file)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert b"HTTP/1.1 200" in answer


def test_a_client_that_vanishes_leaves_nothing(client: httpx.Client, base_url: str) -> None:
    data = ct()
    body, headers = multipart([part10(data)])
    target = urlsplit(base_url)
    with socket.create_connection((target.hostname, target.port or 80), timeout=10) as connection:
        connection.sendall(
            f"POST {target.path}/studies HTTP/1.1\r\nHost: {target.netloc}\r\n"
            f"Content-Type: {headers['Content-Type']}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body[: len(body) // 2]
        )
    assert client.get(instance_path(data) + "/metadata").status_code == 404
    assert client.post("/studies", content=body, headers=headers).status_code == 200


def test_request_id_is_echoed(client: httpx.Client) -> None:
    given = f"test-{uuid.uuid4()}"
    assert client.get("/studies?limit=1", headers={"X-Request-Id": given}).headers["x-request-id"] == given
    assert (
        client.get("/studies?limit=1", headers={"X-Request-Id": "a bad <id>"}).headers["x-request-id"] != "a bad <id>"
    )
