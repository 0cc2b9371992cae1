"""Frames of every Transfer Syntax that is decoded, and ways to damage them: what senders and disks do, and worse."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from PIL import Image

import video_files
from archives import compressed
from pictures import image, pixels
from pixel_files import DEFLATED_FRAMES, module
from skiagraph.pixels import encode, transcode
from skiagraph.pixels.image import ImageParams
from skiagraph.standard import transfer_syntaxes

X = "1.2.840.10008.1.2"
PROGRESSIVE = (f"{X}.4.53", f"{X}.4.55")
RECOMPRESSED = f"{X}.4.111"
KINDS = {
    "8 bit": image(allocated=8),
    "12 bit": image(stored=12),
    "16 bit, signed": image(signed=1),
    "RGB": image("RGB", 8),
    "1 bit": image(allocated=1, columns=32),
}
_NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
_STAND_INS = {DEFLATED_FRAMES: f"{X}.4.90", **dict.fromkeys((f"{X}.4.110", RECOMPRESSED, f"{X}.4.112"), f"{X}.4.201")}
"""For Transfer Syntaxes that pydicom does not write: one whose UID takes as many bytes."""
_BOMBS: tuple[dict[str, Any], ...] = (
    {"Rows": 65535, "Columns": 65535},
    {"Rows": 16384, "Columns": 16384},
    {"Rows": 0},
    {"Columns": 1},
    {"NumberOfFrames": 2**31 - 1},
    {"NumberOfFrames": -1},
    {"SamplesPerPixel": 65535},
    {"SamplesPerPixel": 4, "PhotometricInterpretation": "CMYK"},
    {"PhotometricInterpretation": "PALETTE COLOR"},
    {"PhotometricInterpretation": "YBR_RCT"},
    {"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31},
    {"BitsAllocated": 16, "BitsStored": 16, "HighBit": 0},
    {"BitsAllocated": 65535},
    {"PixelRepresentation": 1},
    {"PlanarConfiguration": 1},
)


@dataclass(frozen=True)
class Frame:
    """One good frame."""

    name: str
    syntax: str
    image: ImageParams
    data: bytes


@cache
def good_frames() -> tuple[Frame, ...]:
    """A frame of each kind of pixels in each encapsulated Transfer Syntax, in a fixed order."""
    found = []
    for uid in sorted(encode.ENCODERS):
        for kind, of in KINDS.items():
            if transfer_syntaxes.get(uid).encapsulated and encode.unfit(uid, of) is None:
                data, described = encode.encode(pixels(of), uid, of)
                found.append(Frame(f"{uid} {kind}", uid, described, data))
    baseline = next(frame for frame in found if frame.name == f"{X}.4.50 RGB")
    data, described = transcode.transcode_frame(baseline.data, baseline.syntax, RECOMPRESSED, baseline.image)
    found.append(Frame(f"{RECOMPRESSED} RGB", RECOMPRESSED, described, data))
    of = KINDS["8 bit"]
    out = io.BytesIO()
    Image.fromarray(pixels(of)).save(out, "JPEG", progressive=True)
    found += [Frame(f"{uid} 8 bit", uid, of, out.getvalue()) for uid in PROGRESSIVE]
    return tuple(found)


def damaged(data: bytes, rng: Random) -> bytes:
    """The same with some of its bytes lost, changed, repeated or in the wrong place."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        # Most of what a decoder believes stands at the beginning
        at = rng.randrange(max(1, min(len(found), rng.choice((32, 128, 10**9)))))
        match rng.randrange(8):
            case 0:
                del found[at:]
            case 1:
                found[at : at + 1] = bytes([rng.randrange(256)])
            case 2 | 3:
                size = rng.choice((1, 2, 4))
                number = rng.choice(_NUMBERS) % 256**size
                found[at : at + size] = number.to_bytes(size, rng.choice(("big", "little")))
            case 4:
                del found[at : at + rng.choice((1, 2, 7, 64))]
            case 5:
                found[at:at] = found[at : at + rng.choice((1, 16, 256))] * rng.choice((1, 2, 50))
            case 6:
                found[at : at + 64] = rng.randbytes(64)
            case 7:
                found = bytearray(found[at:] + found[:at])
    return bytes(found) or b"\0\0"


def damaged_image(frame: Frame, rng: Random) -> bytes:
    """A PS3.10 file with two frames, one or both damaged, or whose data set says something else of them."""
    of = module(frame.image)
    first = second = frame.data
    match rng.randrange(6):
        case 0:
            of |= rng.choice(_BOMBS)
        case 1:
            second = damaged(second, rng)
        case _:
            first = damaged(first, rng)
    stand_in = _STAND_INS.get(frame.syntax, frame.syntax)
    data = compressed([first, second], stand_in, **of)
    return data.replace(_padded(stand_in), _padded(frame.syntax), 1)


def _padded(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)


def damaged_video(rng: Random) -> bytes:
    """A PS3.10 file with a video that is damaged in some places."""
    container, codec, syntax = video_files.CONTAINERS[rng.choice(sorted(video_files.CONTAINERS))]
    content = video_files.video(container, codec)
    for _ in range(rng.choice((1, 1, 3))):
        content = damaged(content, rng)
    more: dict[str, Any] = rng.choice(({}, {}, {}, {"Rows": 65535, "Columns": 65535}, {"NumberOfFrames": 2**31 - 1}))
    return video_files.stored(content, syntax, **{"frames": 30, **more})
