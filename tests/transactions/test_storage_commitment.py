"""The Storage Commitment Service over HTTP: a row for every status of both transactions — PS3.18 §13.4, §13.5."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset

from conftest import Server, start_server
from dicom_files import ct, part10, uid
from skiagraph import app
from skiagraph.index.base import Record
from skiagraph.services.committing import DONE
from skiagraph.settings import Settings
from skiagraph.standard import native_xml
from skiagraph.standard.commitment import COMMITMENT_REQUEST
from skiagraph.values import Attributes

FILE = {"content-type": "application/dicom"}
JSON = {"content-type": "application/dicom+json"}
XML = {"content-type": "application/dicom+xml"}
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


def store(client: httpx.Client, **changes: Any) -> Dataset:
    data = ct(**changes)
    client.post("studies", content=part10(data), headers=FILE).raise_for_status()
    return data


def ui(value: str) -> dict[str, Any]:
    return {"vr": "UI", "Value": [value]}


def sq(*items: Attributes) -> dict[str, Any]:
    return {"vr": "SQ", "Value": list(items)}


def item(name: str, sop_class: str | None = CT, reason: int = 0) -> Attributes:
    made = {"00081150": ui(sop_class)} if sop_class else {}
    made["00081155"] = ui(name)
    return made | ({"00081197": {"vr": "US", "Value": [reason]}} if reason else {})


def flat(*instances: Dataset | str) -> Attributes:
    return {"00081199": sq(*(item(one if isinstance(one, str) else one.SOPInstanceUID) for one in instances))}


def in_tree(study: str, series: str, *instances: Attributes) -> Attributes:
    by_class = {"0008114A": sq(*instances), "00081150": ui(CT)}
    return {"00081115": sq({"00081112": sq(by_class), "0020000E": ui(series)}), "0020000D": ui(study)}


def tree(*instances: Dataset) -> Attributes:
    return {
        "00081110": sq(
            *(in_tree(one.StudyInstanceUID, one.SeriesInstanceUID, item(one.SOPInstanceUID, None)) for one in instances)
        )
    }


def ask(client: httpx.Client, module: Attributes, name: str | None = None, **headers: str) -> httpx.Response:
    return client.post(f"commitment-requests/{name or uid()}", json=module, headers=JSON | headers)


# 200 ---------------------------------------------------------------------------------------------------------------


def test_200_flat(client: httpx.Client) -> None:
    data = store(client)
    response = ask(client, flat(data))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/dicom+json"
    assert response.json() == flat(data)


def test_200_tree(client: httpx.Client) -> None:
    data = store(client)
    assert ask(client, tree(data)).json() == tree(data)


def test_200_both_forms(client: httpx.Client) -> None:
    one, two = store(client), store(client)
    assert ask(client, flat(one) | tree(two)).json() == flat(one) | tree(two)


def test_200_may_be_failures_only(client: httpx.Client) -> None:
    missing = uid()
    response = ask(client, flat(missing))
    assert response.status_code == 200
    assert response.json() == {"00081198": sq(item(missing, reason=274))}


def test_200_with_the_right_reasons(client: httpx.Client) -> None:
    sound, deleted, other = store(client), store(client), store(client)
    client.delete(f"studies/{deleted.StudyInstanceUID}").raise_for_status()
    elsewhere = uid()
    module = flat(sound, deleted) | {
        "00081110": sq(
            in_tree(elsewhere, other.SeriesInstanceUID, item(other.SOPInstanceUID, None)),
            in_tree(sound.StudyInstanceUID, sound.SeriesInstanceUID, item(sound.SOPInstanceUID, None)),
        )
    }
    module["00081199"]["Value"].append(item(other.SOPInstanceUID, MR))
    assert ask(client, module).json() == {
        "00081198": sq(item(deleted.SOPInstanceUID, reason=274), item(other.SOPInstanceUID, MR, reason=281)),
        "00081199": sq(item(sound.SOPInstanceUID)),
        "00081110": sq(in_tree(sound.StudyInstanceUID, sound.SeriesInstanceUID, item(sound.SOPInstanceUID, None))),
        "0008119B": sq(in_tree(elsewhere, other.SeriesInstanceUID, item(other.SOPInstanceUID, None, reason=274))),
    }


def test_200_later_too(client: httpx.Client) -> None:
    """The result is kept as it was, whatever became of the Instances."""
    data, name = store(client), uid()
    missing = uid()
    first = ask(client, flat(data, missing), name)
    client.post("studies", content=part10(ct(SOPInstanceUID=missing)), headers=FILE).raise_for_status()
    later = client.get(f"commitment-requests/{name}", headers={"content-type": "application/dicom+json"})
    assert later.status_code == 200
    assert later.content == first.content


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "application/dicom+json",
        "application/json",
        "application/dicom+xml",
        'multipart/related; type="application/dicom+xml"',
        'multipart/related; type="application/dicom+json"',
    ],
)
def test_200_in_every_media_type(client: httpx.Client, accept: str | None) -> None:
    data, name, missing = store(client), uid(), uid()
    expected = {"00081198": sq(item(missing, reason=274)), "00081199": sq(item(data.SOPInstanceUID))}
    headers = {} if accept is None else {"accept": accept}
    if accept is None:
        client.headers.pop("accept")
    for response in (
        ask(client, flat(data, missing), name, **headers),
        client.get(f"commitment-requests/{name}", headers=headers),
    ):
        assert response.status_code == 200
        kind = response.headers["content-type"]
        body = response.content
        if kind.startswith("multipart/related"):
            assert kind.startswith(accept)
            part = body.split(b"\r\n\r\n", 1)[1]
            body = part[: part.rindex(b"\r\n--", 0, -4)]
        if "xml" in kind:
            assert native_xml.from_xml(body) == expected
        else:
            assert httpx.Response(200, content=body).json() == expected


def test_200_in_another_character_set(client: httpx.Client) -> None:
    name = uid()
    accept = {"accept": "application/dicom+xml"}
    for response in (
        client.post(f"commitment-requests/{name}?charset=iso-8859-1", json=flat("1.2.3"), headers=JSON | accept),
        client.get(f"commitment-requests/{name}?charset=iso-8859-1", headers=accept),
    ):
        assert response.headers["content-type"] == "application/dicom+xml; charset=ISO-8859-1"
        assert response.content.startswith(b'<?xml version="1.0" encoding="ISO-8859-1"?>')


def payloads(data: Dataset) -> Iterator[Any]:
    json = httpx.Request("POST", "http://x", json=tree(data)).content
    xml = native_xml.to_xml(tree(data))
    yield "application/dicom+json", json
    yield "application/dicom+json; charset=utf-8", b"[" + json + b"]"
    yield "application/dicom+xml", xml
    for kind, body in (("application/dicom+json", json), ("application/dicom+xml", xml)):
        related = f'multipart/related; type="{kind}"; boundary=b'
        yield related, b"--b\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + body + b"\r\n--b--\r\n"
        yield related, b"--b\r\n\r\n" + body + b"\r\n--b"


@pytest.mark.parametrize("number", range(7))
def test_200_for_every_media_type(client: httpx.Client, number: int) -> None:
    data = store(client)
    content_type, body = list(payloads(data))[number]
    response = client.post(f"commitment-requests/{uid()}", content=body, headers={"content-type": content_type})
    assert response.status_code == 200, response.text
    assert response.json() == tree(data)


def test_200_for_one_part_for_each_study(client: httpx.Client) -> None:
    """§B.29: several parts, one answer that covers them all."""
    one, two = store(client), store(client)
    body = b"".join(b"--b\r\n\r\n" + native_xml.to_xml(tree(data)) + b"\r\n" for data in (one, two)) + b"--b--"
    headers = {"content-type": 'multipart/related; type="application/dicom+xml"; boundary=b'}
    response = client.post(f"commitment-requests/{uid()}", content=body, headers=headers)
    assert response.json() == tree(one, two)


# 4xx ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "body", "headers", "status", "message"),
    [
        ("1.2.x", b"{}", JSON, 400, "is not a valid Transaction UID"),
        ("1" * 65, b"{}", JSON, 400, "is not a valid Transaction UID"),
        (None, b"", {}, 400, "The payload is empty"),
        (None, b"", JSON, 400, "The payload is empty"),
        (None, b"[]", JSON, 400, "The payload is empty"),
        (None, b"{}", JSON, 400, "neither a Referenced SOP Sequence"),
        (None, b'{"00081199":{"vr":"SQ"}}', JSON, 400, "(0008,1199) has no Items"),
        (None, b'{"00081199":{"vr":"SQ","Value":[{}]}}', JSON, 400, "(0008,1199)[1].(0008,1150) is not one UID"),
        (None, b'{"00081110":{"vr":"SQ","BulkDataURI":"x"}}', JSON, 400, "refers to bulk data"),
        (None, b"{", JSON, 400, "no JSON"),
        (None, b"<a/>", XML, 400, "no NativeDicomModel"),
        (None, b"{}", {"content-type": "text/plain"}, 415, "text/plain"),
        (None, b"{}", {}, 415, "no Content-Type"),
        (None, b"{}", JSON | {"content-encoding": "br"}, 415, "'br' is not supported"),
        (None, b"{}", JSON | {"accept": "image/png"}, 406, "None of the acceptable media types"),
        (None, b"{}", JSON | {"accept": "application/dicom"}, 406, "None of the acceptable media types"),
    ],
)
def test_refusals(
    client: httpx.Client, name: str | None, body: bytes, headers: dict[str, str], status: int, message: str
) -> None:
    name = name or uid()
    response = client.post(f"commitment-requests/{name}", content=body, headers=headers)
    assert response.status_code == status, response.text
    assert message in response.text
    if name.startswith("2.25."):
        assert client.get(f"commitment-requests/{name}").status_code == 404, "what was refused is not kept"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("1.2.x", {}, 400),
        ("2.25.1", {}, 404),
        ("2.25.1", {"accept": "image/png"}, 406),
        ("2.25.1?accept=%zz", {}, 400),
    ],
)
def test_refusals_of_result_check(client: httpx.Client, path: str, headers: dict[str, str], status: int) -> None:
    assert client.get(f"commitment-requests/{path}", headers=headers).status_code == status


def test_405_for_other_methods(client: httpx.Client) -> None:
    response = client.delete(f"commitment-requests/{uid()}")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert client.get("commitment-requests").status_code == 404


def test_409_for_a_used_transaction_uid(client: httpx.Client) -> None:
    data, name = store(client), uid()
    first = ask(client, flat(data), name)
    for module in (flat(data), tree(data)):
        response = ask(client, module, name)
        assert response.status_code == 409
        assert "in use already (0131)" in response.text
    assert client.get(f"commitment-requests/{name}").content == first.content


def test_409_to_delete_what_is_committed(client: httpx.Client) -> None:
    study = uid()
    committed, other = store(client, StudyInstanceUID=study), store(client, StudyInstanceUID=study)
    series = f"studies/{study}/series/{committed.SeriesInstanceUID}"
    ask(client, flat(committed)).raise_for_status()
    for path in (f"studies/{study}", series, f"{series}/instances/{committed.SOPInstanceUID}"):
        response = client.delete(path)
        assert response.status_code == 409
        assert "1 Instance is committed" in response.text
    assert client.delete(f"studies/{study}/series/{other.SeriesInstanceUID}").status_code == 204
    assert client.get(series).status_code == 200


# With other settings ----------------------------------------------------------------------------------------------

Serving = Callable[..., AbstractContextManager[Server]]


def wait(client: httpx.Client, name: str) -> httpx.Response:
    """Check as a client does, until there is a result."""
    deadline = time.monotonic() + 60
    while True:
        response = client.get(f"commitment-requests/{name}")
        if response.status_code != 202 or time.monotonic() > deadline:
            return response
        assert response.content == b""
        assert int(response.headers["retry-after"]) > 0
        time.sleep(0.02)


def test_202_when_it_takes_longer(serving: Serving, tmp_path: Path) -> None:
    env = {
        "SKIAGRAPH_COMMITMENT_WAIT_SECONDS": "0",
        "SKIAGRAPH_COMMITMENT_DAYS": "0",
        "SKIAGRAPH_MAX_DATA_SET_BYTES": "4000",
    }
    with serving(tmp_path / "data", env=env) as server, server.client() as client:
        data, name = store(client), uid()
        response = ask(client, flat(data), name, accept="application/dicom+xml")
        assert response.status_code == 202
        assert response.content == b""
        assert int(response.headers["retry-after"]) > 0
        assert ask(client, flat(data), name).status_code == 409
        assert wait(client, name).json() == flat(data)
        assert client.delete(f"studies/{data.StudyInstanceUID}").status_code == 204, "commitment_days is 0"
        response = ask(client, flat(*[data] * 40))
        assert response.status_code == 413
        assert "max_data_set_bytes" in response.text


def test_410_when_the_result_is_deleted(serving: Serving, tmp_path: Path) -> None:
    env = {"SKIAGRAPH_COMMITMENT_RESULT_DAYS": "1e-9"}
    with serving(tmp_path / "data", env=env) as server, server.client() as client:
        data, name = store(client), uid()
        assert ask(client, flat(data), name).status_code == 200
        assert client.get(f"commitment-requests/{name}").status_code == 410
        assert ask(client, flat(data), name).status_code == 409, "the UID stays used"
    with serving(tmp_path / "data", env=env) as server, server.client() as client:
        assert ask(client, flat(data), name).status_code == 409
        assert client.get(f"commitment-requests/{name}").status_code == 410


def test_corrupt_blobs_are_not_committed(serving: Serving, tmp_path: Path) -> None:
    env = {"SKIAGRAPH_DUPLICATES": "replace"}
    with serving(tmp_path / "data", env=env) as server, server.client() as client:
        sound, corrupt, missing = (store(client) for _ in range(3))
        for data, change in ((corrupt, True), (missing, False)):
            for path in (tmp_path / "data" / "blobs").rglob("*"):
                if path.is_file() and data.SOPInstanceUID.encode() in (content := path.read_bytes()):
                    path.unlink()
                    if change:
                        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert ask(client, flat(sound, corrupt, missing)).json() == {
            "00081198": sq(item(corrupt.SOPInstanceUID, reason=272), item(missing.SOPInstanceUID, reason=274)),
            "00081199": sq(item(sound.SOPInstanceUID)),
        }
        for data, status in ((sound, 409), (corrupt, 200)):
            data.PatientID = "another"
            response = client.post("studies", content=part10(data), headers=FILE)
            assert response.status_code == status, "what is committed is not replaced, what is not can be"


def kept(data: Path, name: str) -> Record:
    """What the index of a server that is down has of a request."""
    archive = app.open_archive(Settings(data=data))
    try:
        return asyncio.run(archive.index.record(COMMITMENT_REQUEST, name))
    finally:
        archive.index.close()


def test_kill_9_between_202_and_the_result(tmp_path: Path) -> None:
    """The result comes after the restart, and none is committed for whom it was not found out."""
    env = {"SKIAGRAPH_COMMITMENT_WAIT_SECONDS": "0"}
    server = start_server(tmp_path / "data", workers=2, env=env)
    try:
        with server.client() as client:
            instances = [store(client) for _ in range(3)]
            unknown = [uid() for _ in range(8_000)]  # looking for them takes longer than being killed
            names = [uid() for _ in range(3)]
            module = flat(*instances, *unknown)
            assert [ask(client, module, name).status_code for name in names] == [202] * 3
    finally:
        server.kill()
    assert not kept(tmp_path / "data", names[-1]).private[DONE]
    with_result = start_server(tmp_path / "data", workers=2, env=env)
    try:
        with with_result.client() as client:
            for name in names:
                result = wait(client, name)
                assert result.status_code == 200
                assert result.json()["00081199"] == flat(*instances)["00081199"]
                assert len(result.json()["00081198"]["Value"]) == len(unknown)
                assert ask(client, module, name).status_code == 409
    finally:
        with_result.stop()
