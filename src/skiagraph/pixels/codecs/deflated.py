"""Deflated Image Frame Compression — PS3.5 §8.2.16, Annex A.4.13: each native frame deflated alone (RFC 1951)."""

from __future__ import annotations

import zlib
from typing import Any

from numpy.typing import NDArray

from skiagraph.pixels.codecs import native
from skiagraph.pixels.image import BadPixels, ImageParams
from skiagraph.standard.transfer_syntaxes import DEFLATED_IMAGE_FRAME

DECODES = ENCODES = frozenset({DEFLATED_IMAGE_FRAME})


def inflate(frame: bytes, image: ImageParams) -> bytes:
    """Return the native frame; no more is inflated than the image needs.

    Raises
    ------
    BadPixels
        It is no deflated stream, or holds less than one frame.
    """
    try:
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(frame, image.frame_bytes)
    except zlib.error as error:
        raise BadPixels(f"The frame is no deflated stream (RFC 1951): {error}.") from error
    return data[: native.length(image, len(data))]


def deflate(frame: bytes) -> bytes:
    """Deflate a native frame."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(frame) + deflater.flush()


def decode(frame: bytes, transfer_syntax_uid: str, image: ImageParams) -> tuple[NDArray[Any], ImageParams]:
    """Return the cells of a deflated frame."""
    return native.decode(inflate(frame, image), transfer_syntax_uid, image)


def encode(cells: NDArray[Any], transfer_syntax_uid: str, image: ImageParams) -> tuple[bytes, ImageParams]:
    """Return a deflated frame, colour by pixel."""
    frame, described = native.encode(cells, transfer_syntax_uid, image)
    return deflate(frame), described
