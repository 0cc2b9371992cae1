"""PNG files that are whole: what a decoder is given of them — PNG, third edition (W3C).

libpng leaves its decoder by a jump when a file is damaged, and its Python bindings (imagecodecs 2026.3.6) lose a
reference to None with each: some ten thousand damaged files end the process. So a file is looked through before, and
only what has to be there is handed on.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from skiagraph.errors import CannotUnderstand

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_HEADER: Final = struct.Struct(">LLBBBBB")
_DEPTHS: Final = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_SAMPLES: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type."""
_PASSES: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Adam7: first column and row, and the steps between them."""
_FILTERS: Final = 4
_PIECE: Final = 2**18


def critical(body: bytes) -> bytes:
    """The critical chunks of a file whose picture is all there.

    Raises
    ------
    CannotUnderstand
        It is no PNG file, or damaged.
    """
    if not body.startswith(_SIGNATURE):
        raise CannotUnderstand("The part is no PNG file.")
    kept = [_SIGNATURE]
    packed: list[memoryview] = []
    rows: Iterator[tuple[int, int]] = iter(())
    depth = colour = 0
    for kind, content, whole in _chunks(memoryview(body)):
        if kind == b"IHDR" and len(kept) == 1:
            columns, height, depth, colour, compression, filtering, interlace = _header(content)
            if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
                raise CannotUnderstand("The PNG file has a header that PNG does not know.")
            rows = _rows(columns, height, depth * _SAMPLES[colour], interlace)
        elif kind == b"PLTE" and len(kept) == 2 and not packed:
            if colour in (0, 4) or len(content) % 3 or not 3 <= len(content) <= 3 * 2 ** min(depth, 8):
                raise _damaged("its palette")
        elif kind == b"IDAT" and len(kept) > (2 if colour == 3 else 1):
            packed.append(content)
        elif kind != b"IEND":
            raise _damaged(f"its chunk {kind.decode('latin-1')}")
        kept.append(bytes(whole))
    _check(packed, rows)
    return b"".join(kept)


def _damaged(where: str) -> CannotUnderstand:
    return CannotUnderstand(f"The PNG file is damaged: {where} can not be understood.")


def _header(content: memoryview) -> tuple[int, int, int, int, int, int, int]:
    if len(content) != _HEADER.size:
        raise _damaged("its header")
    columns, rows, depth, colour, compression, filtering, interlace = _HEADER.unpack(content)
    return columns, rows, depth, colour, compression, filtering, interlace


def _chunks(body: memoryview) -> Iterator[tuple[bytes, memoryview, memoryview]]:
    """Name, content and all of each critical chunk, up to IEND; of IDAT those that follow each other."""
    at, before = len(_SIGNATURE), b""
    while True:
        if at + 12 > len(body):
            raise _damaged("what follows it")
        (length,) = struct.unpack_from(">L", body, at)
        kind, end = bytes(body[at + 4 : at + 8]), at + 12 + length
        if end > len(body):
            raise _damaged("the length of a chunk")
        if not kind[0] & 0x20:  # what may be left out has a small letter in front
            if zlib.crc32(body[at + 4 : end - 4]) != struct.unpack_from(">L", body, end - 4)[0]:
                raise _damaged("the sum of a chunk")
            if kind == b"IDAT" and before not in (b"", b"IDAT"):
                raise _damaged("the order of its chunks")
            before = kind if kind == b"IDAT" or before else b""
            yield kind, body[at + 8 : end - 4], body[at:end]
        elif before:
            before = kind
        if kind == b"IEND":
            return
        at = end


def _rows(columns: int, rows: int, bits: int, interlace: int) -> Iterator[tuple[int, int]]:
    """Rows, and the bytes of each with the one of its filter in front, of each pass."""
    for left, upper, across, down in _PASSES if interlace else ((0, 0, 1, 1),):
        width, height = -(-(columns - left) // across), -(-(rows - upper) // down)
        if width > 0 and height > 0:
            yield height, 1 + -(-width * bits // 8)


def _check(packed: list[memoryview], rows: Iterator[tuple[int, int]]) -> None:
    """Inflate the picture piece by piece: it has as many bytes as its rows, each with a filter that there is."""
    inflater = zlib.decompressobj()
    pieces = _pieces(packed, inflater)
    piece = np.empty(0, np.uint8)
    for height, size in rows:
        left, at = height * size, 0
        while left:
            if not len(piece):
                piece = next(pieces, piece)
                if not len(piece):
                    raise _damaged("the end of its picture")
            taken = min(left, len(piece))
            filters = piece[-at % size : taken : size]
            if len(filters) and int(filters.max()) > _FILTERS:
                raise _damaged("a filter")
            piece, left, at = piece[taken:], left - taken, at + taken
    if len(piece) or next(pieces, None) is not None or not inflater.eof or inflater.unused_data:
        raise _damaged("the end of its picture")


def _pieces(packed: list[memoryview], inflater: zlib._Decompress) -> Iterator[NDArray[np.uint8]]:
    try:
        for content in packed:
            rest: bytes | memoryview = content
            while len(rest):
                plain = inflater.decompress(rest, _PIECE)
                if plain:
                    yield np.frombuffer(plain, np.uint8)
                if inflater.unused_data:
                    return
                rest = inflater.unconsumed_tail
        while not inflater.eof and (plain := inflater.decompress(b"", _PIECE)):
            yield np.frombuffer(plain, np.uint8)
    except zlib.error as error:
        raise _damaged("its picture") from error
