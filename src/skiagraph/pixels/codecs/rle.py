"""RLE Lossless — PS3.5 Annex G: the bytes of the cells, most significant first, as planes that are PackBits each."""

from __future__ import annotations

import itertools
import struct
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels.codecs import native
from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.standard.transfer_syntaxes import RLE_LOSSLESS

DECODES = ENCODES = frozenset({RLE_LOSSLESS})

_HEADER: Final = struct.Struct("<16L")
MOST_SEGMENTS: Final = 15
"""What the header of a frame has room for."""


def segments(image: ImageParams) -> int:
    """Segments of a frame: one for each byte of each sample; one for single bits, which stay packed (§G.2)."""
    return image.samples_per_pixel * max(1, image.bits_allocated // 8)


def decode(frame: bytes, transfer_syntax_uid: str, image: ImageParams) -> tuple[NDArray[Any], ImageParams]:
    """Return the cells of an RLE frame."""
    count = segments(image)
    size = image.frame_bytes if image.bits_allocated == 1 else image.rows * image.columns
    planes = [_unpacked(segment, size) for segment in _split(frame, count)]
    if image.bits_allocated == 1:
        return native.decode(planes[0], transfer_syntax_uid, replace(image, planar_configuration=0))
    width = image.bits_allocated // 8
    cells = np.empty((image.rows * image.columns, image.samples_per_pixel, width), np.uint8)
    for number, plane in enumerate(planes):
        sample, byte = divmod(number, width)
        cells[:, sample, width - 1 - byte] = np.frombuffer(plane, np.uint8)
    little = cells.reshape(-1).view(image.dtype.newbyteorder("<")).astype(image.dtype, copy=False)
    return little.reshape(image.shape), replace(
        image,
        planar_configuration=0,
        photometric_interpretation=native.full(image.photometric_interpretation),
    )


def _split(frame: bytes, count: int) -> list[bytes]:
    if len(frame) < _HEADER.size:
        raise BadPixels(f"An RLE frame begins with a header of 64 bytes; it has {len(frame)} bytes.")
    found, *offsets = _HEADER.unpack_from(frame)
    if found != count:
        raise BadPixels(f"The RLE frame has {found} segments; {count} are needed for this image.")
    bounds = [*offsets[:count], len(frame)]
    if bounds[0] < _HEADER.size or any(left > right for left, right in itertools.pairwise(bounds)):
        raise BadPixels("The offsets of the segments of an RLE frame do not ascend within the frame.")
    return [frame[left:right] for left, right in itertools.pairwise(bounds)]


def _unpacked(segment: bytes, size: int) -> bytes:
    """Unpack a segment to exactly `size` bytes."""
    import imagecodecs

    try:
        data = imagecodecs.packbits_decode(segment, out=size)
        if len(data) == size:
            return bytes(data)
    except RuntimeError:
        pass  # padded, or longer than it should be: read run by run, as far as it is needed
    return _unpacked_by_runs(segment, size)


def _unpacked_by_runs(segment: bytes, size: int) -> bytes:
    plain = bytearray()
    at, end = 0, len(segment) - 1
    while at < end and len(plain) < size:
        head = segment[at]
        if head < 128:
            plain += segment[at + 1 : at + 2 + head]
            at += 2 + head
        elif head > 128:
            plain += segment[at + 1 : at + 2] * (257 - head)
            at += 2
        else:
            at += 1
    if len(plain) < size:
        raise BadPixels(f"A segment of the RLE frame unpacks to {len(plain)} bytes instead of {size}.")
    return bytes(plain[:size])


def encode(cells: NDArray[Any], transfer_syntax_uid: str, image: ImageParams) -> tuple[bytes, ImageParams]:
    """Return an RLE frame. Runs end with the rows (§G.3.1); segments have even length."""
    import imagecodecs

    if image.bits_allocated == 1:
        packed, _ = native.encode(cells, transfer_syntax_uid, image)
        planes = [np.frombuffer(packed, np.uint8)]
    else:
        width = cells.dtype.itemsize
        flat = np.frombuffer(cells.astype(cells.dtype.newbyteorder("<"), copy=False).tobytes(), np.uint8)
        grid = flat.reshape(image.rows, image.columns, image.samples_per_pixel, width)
        planes = []
        for sample in range(image.samples_per_pixel):
            for byte in reversed(range(width)):
                plane = np.empty((image.rows, image.columns), np.uint8)
                plane[:] = grid[:, :, sample, byte]
                planes.append(plane)
    if len(planes) > MOST_SEGMENTS:
        raise BadPixels(f"RLE holds at most {MOST_SEGMENTS} segments; this image has {len(planes)}.")
    packed_planes = []
    for plane in planes:
        packed = bytes(imagecodecs.packbits_encode(plane, axis=-1))
        packed_planes.append(packed + b"\0" * (len(packed) % 2))
    offsets = [_HEADER.size]
    for packed in packed_planes[:-1]:
        offsets.append(offsets[-1] + len(packed))
    header = _HEADER.pack(len(planes), *offsets, *([0] * (MOST_SEGMENTS - len(planes))))
    described = replace(
        image,
        planar_configuration=1 if image.samples_per_pixel > 1 else 0,
        bits_allocated=1 if image.bits_allocated == 1 else cells.dtype.itemsize * 8,
    )
    return header + b"".join(packed_planes), described
