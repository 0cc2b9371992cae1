"""Damaged pixel data over HTTP: a 4xx or an error of that frame; never a crash, a hang, or memory that stays.

Frames of every Transfer Syntax are cut, changed, repeated and described wrongly (`damage`), stored as anybody may store
them, and asked for in all the ways that decode them. The server is the same process afterwards.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image

import video_files
from conftest import Server
from damage import damaged, damaged_image, damaged_video, good_frames
from dicom_files import ct, multipart, part10
from memory import MIB, Peak, resident
from metadata_stores import bulk, data_set, metadata, path, payload
from skiagraph.standard import transfer_syntaxes

EACH = 3
"""Damaged Instances of each kind of frame."""
VIDEOS = 30
PICTURES = 300
FRAMES = {
    "native": 'multipart/related; type="application/octet-stream"',
    "png": 'multipart/related; type="image/png"',
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, serving: Callable[..., Any]) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("hostile") / "data", env={"SKIAGRAPH_DURABLE": "false"}) as found:
        yield found


def ask(client: httpx.Client, files: list[bytes], *, video: bool = False) -> Counter[int]:
    """Store files and ask for what is stored; count the statuses, 0 for an answer that was broken off."""
    body, headers = multipart(files)
    answer = client.post("/studies", content=body, headers=headers)
    assert answer.status_code in (200, 202, 409), answer.text
    found: Counter[int] = Counter()
    for item in answer.json().get("00081199", {}).get("Value", ()):
        url = item["00081190"]["Value"][0]
        for request, accept in _requests(video):
            found[_status(client, url + request, accept)] += 1
    return found


def _requests(video: bool) -> Iterator[tuple[str, str]]:
    yield "/metadata", "application/dicom+json"
    yield "/thumbnail", "image/png"
    yield "/frames/2/rendered", "image/jpeg"
    yield "/rendered", "*/*"
    if video:
        yield "/rendered", "video/mp4"
        yield "/frames/30/rendered?viewport=10,10", "image/jpeg"
        return
    yield "/frames/1,2", 'multipart/related; type="application/octet-stream"'
    yield "/frames/1", 'multipart/related; type="image/jls"'
    yield "/frames/1,2/rendered", 'multipart/related; type="image/png"'
    yield "", "application/dicom"
    yield "", "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.202"


def _status(client: httpx.Client, url: str, accept: str) -> int:
    try:
        answer = client.get(url, headers={"accept": accept})
    except httpx.RemoteProtocolError:
        return 0
    assert answer.status_code < 500, (url, accept, answer.text)
    if answer.status_code >= 400:
        assert answer.text, "it says why"
    return answer.status_code


@pytest.mark.slow
def test_damaged_frames_of_every_syntax(server: Server) -> None:
    rng = Random(1)
    with server.client() as client:
        ask(client, [damaged_image(frame, rng) for frame in good_frames()])  # what is needed is imported
        before = resident(server)
        with Peak(server) as peak:
            found: Counter[int] = Counter()
            for frame in good_frames():
                found += ask(client, [damaged_image(frame, rng) for _ in range(EACH)])
        alive(server, client)
    assert resident(server) - before < 100 * MIB
    assert peak.growth < 300 * MIB, "a frame has at most 256 MiB once it is decoded"
    assert {200, 406} <= set(found), found
    assert found[0] < found.total() / 20, "most is noticed before the status is sent"


@pytest.mark.slow
def test_damaged_videos(server: Server) -> None:
    rng = Random(2)
    with server.client() as client:
        ask(client, [damaged_video(rng) for _ in range(8)], video=True)
        before = resident(server)
        found = ask(client, [damaged_video(rng) for _ in range(VIDEOS)], video=True)
        alive(server, client)
    assert resident(server) - before < 100 * MIB
    assert {200, 406} <= set(found), found


@pytest.mark.slow
def test_damaged_pictures_to_wrap(server: Server) -> None:
    """Bare pictures and videos beside metadata: refused with a reason, or stored and answered like all others."""
    rng = Random(3)
    bare = bare_streams()
    found: Counter[int] = Counter()
    with server.client() as client:
        for number in range(PICTURES):
            media_type = sorted(bare)[number % len(bare)]
            content = damaged(rng.choice(bare[media_type]), rng)
            data = data_set(x7FE00010={"vr": "OB", "BulkDataURI": "picture"})
            answer = client.post("/studies", **payload(metadata(data), bulk("picture", content, media_type)))
            found[answer.status_code] += 1
            assert answer.status_code in (200, 202, 409), answer.text
            if answer.status_code != 409:
                for request, accept in (("/rendered", "*/*"), ("/thumbnail", "image/png"), ("", "application/dicom")):
                    found[_status(client, path(data) + request, accept)] += 1
        alive(server, client)
    assert {200, 409} <= set(found), found


def bare_streams() -> dict[str, list[bytes]]:
    """Good pictures and videos by media type."""
    found: dict[str, list[bytes]] = {}
    for frame in good_frames():
        media_type = transfer_syntaxes.get(frame.syntax).media_type
        if media_type.startswith("image/"):
            found.setdefault(media_type, []).append(frame.data)
    for kind in ("PNG", "GIF", "JPEG2000"):
        out = io.BytesIO()
        gray = np.add.outer(np.arange(40), np.arange(60)).astype(np.uint8)
        frames = [Image.fromarray(gray), Image.fromarray(255 - gray)]
        frames[0].save(out, kind, **({"save_all": True, "append_images": frames[1:]} if kind == "GIF" else {}))
        found.setdefault("image/jp2" if kind == "JPEG2000" else f"image/{kind.lower()}", []).append(out.getvalue())
    found["video/mp4"] = [video_files.video(), video_files.video("mov")]
    found["video/mpeg"] = [video_files.video("mpegts", "mpeg2video"), video_files.video("mpeg2video", "mpeg2video")]
    return found


def alive(server: Server, client: httpx.Client) -> None:
    """The server is the process that was started, and does what it did before."""
    assert server.process.poll() is None
    log = server.log.read_text(errors="replace")
    assert " failed " not in log
    assert set(re.findall(r"aborted +reason=(\w+)", log)) <= {"BadPixels"}
    good = ct()
    client.post("/studies", content=part10(good), headers={"content-type": "application/dicom"}).raise_for_status()
    url = f"/studies/{good.StudyInstanceUID}/series/{good.SeriesInstanceUID}/instances/{good.SOPInstanceUID}"
    assert client.get(f"{url}/rendered").status_code == 200
    assert pydicom.dcmread(io.BytesIO(client.get(url, headers={"accept": "application/dicom"}).content))
