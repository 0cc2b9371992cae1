"""Pictures of formats that no Transfer Syntax has, as native frames: PNG and GIF — PS3.18 Table 10.5.2-1.

Indexed colours become RGB and transparency is left out, which the table allows; nothing else is lost. An animated GIF
gives its frames as they are seen.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from skiagraph.errors import CannotUnderstand, OutOfResources
from skiagraph.pixels import png

PNG: Final = "image/png"
GIF: Final = "image/gif"

_PNG_HEADER: Final = struct.Struct(">8s4x4sLLBB")
_MOST_CHUNKS: Final = 1000
_LARGEST_PROFILE: Final = 2**22
_PNG_SAMPLES: Final = {0: 1, 2: 3, 3: 4, 4: 2, 6: 4}
"""By colour type; of indexed colours those that a decoder may give out."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One native frame."""

    rows: int
    columns: int
    samples: int
    """1 (grey) or 3 (RGB, by pixel)."""
    bits: int
    """8 or 16; all are stored, unsigned."""
    data: bytes
    """Little endian."""
    duration: float | None = None
    """Milliseconds for which it is shown, where it is one of several."""
    profile: bytes = b""
    """ICC profile, of even length."""


def frames(media_type: str, body: bytes, most_bytes: int) -> Iterator[Picture]:
    """Decode a PNG or GIF file.

    Parameters
    ----------
    most_bytes
        Of one frame.

    Raises
    ------
    CannotUnderstand
        It is no such file, or damaged.
    OutOfResources
        A frame is larger.
    """
    yield from _png(body, most_bytes) if media_type == PNG else _gif(body, most_bytes)


def _check(rows: int, columns: int, size: int, most_bytes: int) -> None:
    if not (0 < rows < 65536 and 0 < columns < 65536):
        raise CannotUnderstand(f"The picture has {rows} rows and {columns} columns; DICOM has 1 to 65535.")
    if size > most_bytes:
        raise OutOfResources(f"A picture decodes to more than {most_bytes} bytes (max_frame_bytes).")


def _png(body: bytes, most_bytes: int) -> Iterator[Picture]:
    import imagecodecs

    if len(body) < _PNG_HEADER.size or not body.startswith(b"\x89PNG\r\n\x1a\n"):
        raise CannotUnderstand("The part is no PNG file.")
    _, kind, columns, rows, bits, colour = _PNG_HEADER.unpack_from(body)
    if kind != b"IHDR" or colour not in _PNG_SAMPLES or bits not in (1, 2, 4, 8, 16):
        raise CannotUnderstand("The part is no PNG file.")
    _check(rows, columns, rows * columns * _PNG_SAMPLES[colour] * (2 if bits == 16 else 1), most_bytes)
    whole = png.critical(body)
    try:
        pixels = imagecodecs.png_decode(whole)
    except Exception as error:
        raise CannotUnderstand("The PNG file is damaged.") from error
    if pixels.ndim == 3:
        pixels = pixels[..., :3] if pixels.shape[2] > 2 else pixels[..., 0]
    samples = 1 if pixels.ndim == 2 else 3
    data = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    profile = _png_profile(body) if samples == 3 else b""
    yield Picture(pixels.shape[0], pixels.shape[1], samples, pixels.dtype.itemsize * 8, data, profile=profile)


def _png_profile(body: bytes) -> bytes:
    """The ICC profile of a PNG file (iCCP, before the pixels); b"" where there is none that can be read."""
    at = 8
    for _ in range(_MOST_CHUNKS):
        length, kind = struct.unpack_from(">L4s", body, at) if at + 8 <= len(body) else (0, b"IDAT")
        if kind == b"IDAT":
            break
        if kind == b"iCCP":
            _, _, packed = body[at + 8 : at + 8 + length].partition(b"\0")
            inflater = zlib.decompressobj()
            try:
                profile = inflater.decompress(packed[1:], _LARGEST_PROFILE)
            except zlib.error:
                break
            whole = inflater.eof and profile[36:40] == b"acsp"
            return profile + b"\0" * (len(profile) % 2) if whole else b""
        at += 12 + length
    return b""


def _gif(body: bytes, most_bytes: int) -> Iterator[Picture]:
    from PIL import Image

    if len(body) < 10 or not body.startswith((b"GIF87a", b"GIF89a")):
        raise CannotUnderstand("The part is no GIF file.")
    columns, rows = struct.unpack_from("<HH", body, 6)
    _check(rows, columns, rows * columns * 4, most_bytes)
    try:
        with Image.open(io.BytesIO(body), formats=["GIF"]) as picture:
            number = 0
            while True:
                if picture.size != (columns, rows):  # a frame beyond the screen enlarges it
                    _check(*picture.size[::-1], picture.width * picture.height * 4, most_bytes)
                frame = picture.convert("RGB")
                duration = float(picture.info.get("duration") or 0) or None
                yield Picture(frame.height, frame.width, 3, 8, frame.tobytes(), duration)
                number += 1
                try:
                    picture.seek(number)
                except EOFError:
                    break
    except (CannotUnderstand, OutOfResources):
        raise
    except Exception as error:
        raise CannotUnderstand("The GIF file is damaged.") from error
