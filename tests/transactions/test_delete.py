"""DELETE, a documented extension, and what caches hear afterwards."""

from __future__ import annotations

import httpx

from dicom_files import ct, part10, uid

FILE = {"Content-Type": "application/dicom"}


def stored(client: httpx.Client, count: int) -> tuple[str, list[str]]:
    """Store some Instances of one Study; return its path and theirs."""
    study, series = uid(), uid()
    paths = []
    for number in range(1, count + 1):
        data = ct(StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=number)
        client.post("/studies", content=part10(data), headers=FILE).raise_for_status()
        paths.append(f"/studies/{study}/series/{series}/instances/{data.SOPInstanceUID}")
    return f"/studies/{study}", paths


def test_gone_is_410_and_what_never_was_is_404(client: httpx.Client) -> None:
    study, (one, two) = stored(client, 2)
    assert client.delete(one).status_code == 204
    assert client.get(one).status_code == 410
    assert client.get(one + "/metadata").status_code == 410
    assert client.get(two).status_code == 200
    assert client.delete(one).status_code == 410
    assert client.delete(study).status_code == 204
    for path in (study, study + "/metadata", two, two + "/frames/1"):
        assert client.get(path).status_code == 410
    assert client.delete(f"/studies/{uid()}").status_code == 404


def test_counts_follow(client: httpx.Client) -> None:
    study, (one, *_) = stored(client, 3)
    client.delete(one).raise_for_status()
    (match,) = client.get("/studies", params={"StudyInstanceUID": study.rpartition("/")[2]}).json()
    assert match["00201208"]["Value"] == [2]


def test_no_stale_304_after_a_deletion(client: httpx.Client) -> None:
    study, (_, last) = stored(client, 2)
    before = client.get(study)
    conditional = {"If-None-Match": before.headers["etag"]}
    if "last-modified" in before.headers:
        conditional = {"If-Modified-Since": before.headers["last-modified"]}
    client.delete(last).raise_for_status()
    assert client.get(study, headers=conditional).status_code == 200


def test_if_match(client: httpx.Client) -> None:
    study, (one, _) = stored(client, 2)
    for path in (one, study):
        assert client.delete(path, headers={"If-Match": '"another"'}).status_code == 412
        assert client.get(path).status_code == 200
        etag = client.get(path + "/metadata").headers["etag"]
        assert client.delete(path, headers={"If-Match": etag}).status_code == 204
        assert client.get(path).status_code == 410


def test_stored_again(client: httpx.Client) -> None:
    data = ct()
    path = f"/studies/{data.StudyInstanceUID}/series/{data.SeriesInstanceUID}/instances/{data.SOPInstanceUID}"
    for _ in range(2):
        assert client.post("/studies", content=part10(data), headers=FILE).status_code == 200
        assert client.get(path).status_code == 200
        assert client.delete(path).status_code == 204
        assert client.get(path).status_code == 410
