"""Small videos of which every frame can be told from every other, in all containers and codings that PS3.5 has."""

from __future__ import annotations

import io
from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

import dicom_files

COLUMNS, ROWS = 96, 64
RATE = 25


def gray(number: int) -> int:
    """Gray value of frame `number` (1 to 40): no two are nearer than what coding changes."""
    return 20 + number * 17 % 41 * 5


def number_of(picture: NDArray[np.uint8]) -> int:
    """Number of the frame that a picture is."""
    value = float(np.median(picture))
    return min(range(1, 41), key=lambda number: abs(gray(number) - value))


@lru_cache(maxsize=64)
def video(
    container: str = "mp4",
    codec: str = "libx264",
    frames: int = 30,
    *,
    b_frames: int = 2,
    gop: int = 10,
    **options: str,
) -> bytes:
    """A video of plain gray frames.

    Parameters
    ----------
    container
        mp4, mov, mpegts, mpeg, or mpeg2video, h264, hevc for elementary streams.
    """
    out = io.BytesIO()
    written: dict[str, str] = {"movflags": options.pop("movflags")} if "movflags" in options else {}
    with av.open(out, "w", format=container, options=written) as file:
        given = {"g": str(gop), "bf": str(b_frames), "threads": "1", **options}
        if codec == "libx265":
            given["x265-params"] = f"log-level=none:bframes={b_frames}:keyint={gop}:pools=1:frame-threads=1"
        stream: Any = file.add_stream(codec, rate=RATE, options=given)
        stream.width, stream.height, stream.pix_fmt = COLUMNS, ROWS, "yuv420p"
        if codec == "mpeg2video":
            stream.bit_rate = 4_000_000
        for number in range(1, frames + 1):
            frame = VideoFrame.from_ndarray(np.full((ROWS, COLUMNS, 3), gray(number), np.uint8), format="rgb24")
            frame.pts, frame.time_base = number - 1, Fraction(1, RATE)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return out.getvalue()


CONTAINERS = {
    "H.264 in MP4": ("mp4", "libx264", "102"),
    "H.264 in QuickTime": ("mov", "libx264", "102"),
    "H.264 in a transport stream": ("mpegts", "libx264", "103"),
    "H.264 alone": ("h264", "libx264", "102"),
    "H.265 in MP4": ("mp4", "libx265", "107"),
    "H.265 in a transport stream": ("mpegts", "libx265", "107"),
    "H.265 alone": ("hevc", "libx265", "107"),
    "MPEG-2 in a transport stream": ("mpegts", "mpeg2video", "101"),
    "MPEG-2 in a program stream": ("mpeg", "mpeg2video", "100"),
    "MPEG-2 alone": ("mpeg2video", "mpeg2video", "100"),
}
"""Name → container, encoder, Transfer Syntax below 1.2.840.10008.1.2.4."""


def stored(content: bytes, syntax: str = "102", *, frames: int = 30, fragments: int = 1, **changes: Any) -> bytes:
    """A PS3.10 file that holds a video."""
    defaults: dict[str, Any] = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.1.1",
        "Modality": "ES",
        "Rows": ROWS,
        "Columns": COLUMNS,
        "SamplesPerPixel": 3,
        "PhotometricInterpretation": "YBR_PARTIAL_420",
        "PlanarConfiguration": 0,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "NumberOfFrames": frames,
        "CineRate": RATE,
        "FrameTime": 1000 / RATE,
        "RescaleSlope": None,
        "RescaleIntercept": None,
        "PixelData": b"",
    }
    data: Dataset = dicom_files.ct(**defaults | changes)
    data.PixelData = encapsulate([content], fragments_per_frame=fragments, has_bot=fragments == 1)
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    return dicom_files.part10(data, f"1.2.840.10008.1.2.4.{syntax}")


def decoded(content: bytes) -> list[NDArray[np.uint8]]:
    """All frames of an MP4 file as RGB."""
    with av.open(io.BytesIO(content)) as file:
        return [np.asarray(frame.to_ndarray(format="rgb24")) for frame in file.decode(video=0)]


def multi_frame(pixels: NDArray[np.uint8], **changes: Any) -> bytes:
    """A PS3.10 file with frames of 8 bits, (frames, rows, columns) or (frames, rows, columns, 3)."""
    data = pixels.tobytes()
    defaults: dict[str, Any] = {
        "Rows": pixels.shape[1],
        "Columns": pixels.shape[2],
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "RescaleSlope": None,
        "RescaleIntercept": None,
        "NumberOfFrames": len(pixels),
        "PixelData": data + b"\0" * (len(data) % 2),
    }
    return dicom_files.part10(dicom_files.ct(**defaults | changes))
