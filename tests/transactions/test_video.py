"""Stored videos and cine loops over HTTP: each stored syntax × each form that can be asked for, judged by ffprobe.

ffprobe reads what comes (container, coding, profile, size, number of frames, colours) and ffmpeg decodes it without an
error. Without them on this machine the tests of the matrix are skipped.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image, ImageSequence
from pydicom.encaps import generate_fragments

import video_files
from dicom_files import multipart
from skiagraph.standard import transfer_syntaxes

X = "1.2.840.10008.1.2.4"
MP4 = "video/mp4"
STORED = {
    "h264-bd41": ("103", MP4, "mpegts", "h264", 1280, 720),
    "h264-hp41": ("102", MP4, "mov,mp4,m4a,3gp,3g2,mj2", "h264", 1280, 720),
    "h264-hp41-fragmentable": ("102.1", MP4, "mov,mp4,m4a,3gp,3g2,mj2", "h264", 1280, 720),
    "h264-hp42-2d": ("104", MP4, "mov,mp4,m4a,3gp,3g2,mj2", "h264", 1920, 1080),
    "hevc-main10-51": ("108", "video/H265", "mov,mp4,m4a,3gp,3g2,mj2", "hevc", 1280, 720),
    "hevc-main51": ("107", "video/H265", "mov,mp4,m4a,3gp,3g2,mj2", "hevc", 1280, 720),
    "mpeg2-mphl": ("101", "video/mpeg", "mpegts", "mpeg2video", 1280, 720),
    "mpeg2-mpml": ("100", "video/mpeg", "mpegvideo", "mpeg2video", 720, 576),
}
"""File → Transfer Syntax, media type of bulk data (PS3.18 Table 8.7.3-5), container, coding, columns, rows."""
FRAMES = 12
MEDIA_TYPES = ("video/mpeg", MP4, "video/H265")

needs_ffprobe = pytest.mark.skipif(
    shutil.which("ffprobe") is None or shutil.which("ffmpeg") is None, reason="ffprobe is not on this machine"
)


def probed(content: bytes, folder: Path) -> dict[str, Any]:
    """What ffprobe says of the picture stream, the name of the container with it; ffmpeg finds nothing wrong."""
    path = folder / "video"
    path.write_bytes(content)
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, check=True)
    assert not done.stderr, done.stderr
    found = json.loads(done.stdout)
    (stream,) = (one for one in found["streams"] if one["codec_type"] == "video")
    decoded = subprocess.run(
        ["ffmpeg", "-v", "error", "-xerror", "-i", str(path), "-f", "null", "-"], capture_output=True, check=False
    )
    assert decoded.returncode == 0, decoded.stderr
    assert not decoded.stderr, decoded.stderr
    result: dict[str, Any] = {**stream, "container": found["format"]["format_name"]}
    return result


def store(client: httpx.Client, content: bytes) -> str:
    """Store one Instance under UIDs of its own; return its path."""
    data = pydicom.dcmread(io.BytesIO(content))
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(data, keyword, pydicom.uid.generate_uid())
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    out = io.BytesIO()
    data.save_as(out)
    payload, headers = multipart([out.getvalue()])
    assert client.post("/studies", content=payload, headers=headers).status_code == 200
    return f"/studies/{data.StudyInstanceUID}/series/{data.SeriesInstanceUID}/instances/{data.SOPInstanceUID}"


@pytest.fixture(scope="module", params=STORED)
def sample(request: pytest.FixtureRequest, base_url: str, shared_data: Path) -> tuple[str, bytes, str]:
    """A stored video: its name here, its stream, its path."""
    path = shared_data / "syntaxes" / "generated" / "video" / f"{request.param}.dcm"
    stream = b"".join(list(generate_fragments(pydicom.dcmread(path).PixelData))[1:])
    with httpx.Client(base_url=base_url, timeout=60, trust_env=False) as client:
        return request.param, stream, store(client, path.read_bytes())


def is_mpeg_4(content: bytes) -> bool:
    return content[4:8] == b"ftyp"


@pytest.mark.shared_data
class TestStoredSyntaxes:
    @needs_ffprobe
    def test_rendered(self, client: httpx.Client, sample: tuple[str, bytes, str], tmp_path: Path) -> None:
        """Always what browsers play: H.264 High Profile in MP4, all frames, index in front."""
        name, stream, url = sample
        *_, codec, columns, rows = STORED[name]
        for accept in (MP4, "*/*", "video/*;q=0.9,*/*;q=0.5"):
            answer = client.get(f"{url}/rendered", headers={"accept": accept})
            assert answer.status_code == 200
            assert answer.headers["content-type"] == MP4
        content = answer.content
        assert content.index(b"moov") < content.index(b"mdat")
        found = probed(content, tmp_path)
        assert (found["codec_name"], found["profile"], found["pix_fmt"]) == ("h264", "High", "yuv420p")
        assert (found["width"], found["height"], int(found["nb_read_frames"])) == (columns, rows, FRAMES)
        assert Fraction(found["avg_frame_rate"]) == (50 if name == "h264-hp42-2d" else 25)
        if codec != "h264":
            space = "smpte170m" if rows < 720 else "bt709"
            assert (found["color_space"], found["color_primaries"], found["color_range"]) == (space, space, "tv")
        elif is_mpeg_4(stream):
            coded = stream[stream.index(b"mdat") + 4 :][:5000]
            assert coded in content, "as it is stored"
        uri = client.get("/wado", params=wado(url) | {"contentType": MP4})
        assert uri.content == content

    @needs_ffprobe
    def test_rendered_otherwise(self, client: httpx.Client, sample: tuple[str, bytes, str], tmp_path: Path) -> None:
        _, _, url = sample
        answer = client.get(f"{url}/rendered?viewport=321,201&annotation=patient", headers={"accept": MP4})
        found = probed(answer.content, tmp_path)
        assert (found["codec_name"], int(found["nb_read_frames"])) == ("h264", FRAMES)
        assert found["width"] in (252, 322)
        assert found["height"] in (182, 202)
        again = client.get(f"{url}/rendered?viewport=321,201&annotation=patient", headers={"accept": MP4})
        assert (again.content, again.headers["etag"]) == (answer.content, answer.headers["etag"])

    def test_pictures(self, client: httpx.Client, sample: tuple[str, bytes, str]) -> None:
        """Single frames, the middle one, an animation, a thumbnail."""
        name, _, url = sample
        *_, columns, rows = STORED[name]
        frame = client.get(f"{url}/frames/7/rendered", headers={"accept": "image/png"})
        assert Image.open(io.BytesIO(frame.content)).size == (columns, rows)
        first = client.get(f"{url}/frames/1/rendered", headers={"accept": "image/png"})
        assert first.content != frame.content
        middle = client.get(f"{url}/rendered", headers={"accept": "image/jpeg"})
        assert Image.open(io.BytesIO(middle.content)).size == (columns, rows)
        animation = client.get(f"{url}/rendered?viewport=64,64", headers={"accept": "image/gif"})
        assert len(list(ImageSequence.Iterator(Image.open(io.BytesIO(animation.content))))) == FRAMES
        thumbnail = client.get(f"{url}/thumbnail")
        assert max(Image.open(io.BytesIO(thumbnail.content)).size) == 256

    @pytest.mark.parametrize("resource", ["", "/pixeldata", "/bulkdata/7FE00010"])
    def test_the_stream_under_its_media_type(
        self, client: httpx.Client, sample: tuple[str, bytes, str], resource: str
    ) -> None:
        """PS3.18 Table 8.7.3-5: one part with the whole stream; other video types are 406."""
        name, stream, url = sample
        syntax, media_type, *_ = STORED[name]
        padded = stream + stream[:0]
        for wanted in MEDIA_TYPES:
            for accept in (wanted, f"{wanted}; transfer-syntax={X}.{syntax}"):
                answer = client.get(url + resource, headers={"accept": accept})
                if wanted != media_type:
                    assert answer.status_code == 406, accept
                    assert media_type in answer.text, "what can be had is listed"
                    continue
                assert answer.status_code == 200
                assert answer.headers["content-type"] == f"{media_type}; transfer-syntax={X}.{syntax}"
                assert answer.content == padded
                assert answer.headers["accept-ranges"] == "bytes"
            other = client.get(url + resource, headers={"accept": f"{wanted}; transfer-syntax={X}.106"})
            assert other.status_code == 406
        part = client.get(url + resource, headers={"accept": "video/*", "range": "bytes=1000-1999"})
        assert (part.status_code, part.content) == (206, stream[1000:2000])
        assert part.headers["content-range"] == f"bytes 1000-1999/{len(stream)}"

    @pytest.mark.parametrize("resource", ["", "/pixeldata", "/bulkdata", "/bulkdata/7FE00010"])
    def test_the_stream_as_a_part(
        self, client: httpx.Client, sample: tuple[str, bytes, str], resource: str, tmp_path: Path
    ) -> None:
        name, stream, url = sample
        syntax, media_type, *_ = STORED[name]
        for accept in (media_type, "video/*"):
            answer = client.get(url + resource, headers={"accept": f'multipart/related; type="{accept}"'})
            assert answer.status_code == 200
            assert (
                f"content-type: {media_type}; transfer-syntax={X}.{syntax}\r\n".encode()
                in answer.content.lower().replace(media_type.lower().encode(), media_type.encode())
            )
            assert answer.content.count(stream) == 1

    @needs_ffprobe
    def test_the_stream_is_what_its_syntax_says(self, sample: tuple[str, bytes, str], tmp_path: Path) -> None:
        """The samples themselves, by the same judge."""
        name, stream, _ = sample
        _, _, container, codec, columns, rows = STORED[name]
        found = probed(stream, tmp_path)
        assert (found["container"], found["codec_name"]) == (container, codec)
        assert (found["width"], found["height"], int(found["nb_read_frames"])) == (columns, rows, FRAMES)

    def test_the_file_as_stored(self, client: httpx.Client, sample: tuple[str, bytes, str]) -> None:
        """Application/dicom in the stored syntax alone: a video is not decoded on the way to another."""
        name, _, url = sample
        syntax = f"{X}.{STORED[name][0]}"
        answer = client.get(url, headers={"accept": "application/dicom"})
        assert answer.headers["content-type"] == f"application/dicom; transfer-syntax={syntax}"
        for row in transfer_syntaxes.TRANSFER_SYNTAXES:
            accept = f"application/dicom; transfer-syntax={row.uid}"
            assert client.get(url, headers={"accept": accept}).status_code == (200 if row.uid == syntax else 406)


def wado(url: str) -> dict[str, str]:
    _, _, study, _, series, _, instance = url.split("/")
    return {"requestType": "WADO", "studyUID": study, "seriesUID": series, "objectUID": instance}


@needs_ffprobe
def test_a_cine_loop(client: httpx.Client, tmp_path: Path) -> None:
    """A multi-frame image that nobody encoded as a video."""
    pixels = np.stack([np.full((90, 121, 3), (200 - 3 * number, 40, 90), np.uint8) for number in range(20)])
    url = store(
        client,
        video_files.multi_frame(
            pixels, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, CineRate=30
        ),
    )
    answer = client.get(f"{url}/rendered", headers={"accept": MP4})
    found = probed(answer.content, tmp_path)
    assert (found["codec_name"], found["profile"], found["pix_fmt"]) == ("h264", "High", "yuv420p")
    assert (found["width"], found["height"], int(found["nb_read_frames"])) == (122, 90, 20)
    assert (found["color_space"], found["color_transfer"]) == ("bt709", "iec61966-2-1")
    assert abs(float(found["duration"]) - 20 / 30) < 0.001
    assert client.get(f"{url}/rendered").headers["content-type"] == "image/gif"


def test_seeking(client: httpx.Client) -> None:
    """As a video element does: it asks for all, reads the index, then asks for what it wants to show."""
    content = video_files.video()
    url = store(client, video_files.stored(content))
    headers = {"accept": "video/webm,video/ogg,video/*;q=0.9,application/ogg;q=0.7,audio/*;q=0.6,*/*;q=0.5"}
    first = client.get(f"{url}/rendered", headers=headers | {"range": "bytes=0-"})
    assert first.status_code == 206
    size = len(first.content)
    assert first.headers["content-range"] == f"bytes 0-{size - 1}/{size}"
    later = {"range": f"bytes={size // 2}-", "if-range": first.headers["etag"]}
    rest = client.get(f"{url}/rendered", headers=headers | later)
    assert (rest.status_code, rest.content) == (206, first.content[size // 2 :])
    assert client.get(f"{url}/rendered", headers=headers | {"range": f"bytes={size}-"}).status_code == 416
