"""Content codings of payloads and parts: gzip and deflate (RFC 9110 §8.4), and base64 of mail-minded senders.

Streaming and bounded: what comes out of one call is at most a piece, whatever a bomb holds.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterator
from typing import Protocol

from skiagraph.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType

SUPPORTED = ("gzip", "deflate", "identity")
"""Content codings that requests may use."""

_PIECE = 2**18


class Decoder(Protocol):
    """Undoes a coding, piece by piece."""

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[bytes]:
        """Yield what the next bytes decode to. Raises BadRequest, PayloadTooLarge."""
        ...

    def finish(self) -> None:
        """Raises BadRequest when the coded bytes end too early."""
        ...


def content_decoder(coding: str, limit: int, setting: str = "max_inflated_bytes") -> Decoder | None:
    """Return the decoder for a Content-Encoding header; None where nothing has to be decoded.

    Parameters
    ----------
    limit, setting
        Bytes that may come out; what the setting is called.

    Raises
    ------
    UnsupportedMediaType
        The coding is not one of `SUPPORTED`, or there are several.
    """
    name = coding.strip().lower()
    if name in ("", "identity"):
        return None
    if name in ("gzip", "x-gzip", "deflate"):
        return _Inflater(limit, setting)
    raise UnsupportedMediaType(
        f"The Content-Encoding {coding[:80]!r} is not supported; supported are gzip and deflate.", codings=SUPPORTED
    )


def transfer_decoder(encoding: str) -> Decoder | None:
    """Return the decoder for a Content-Transfer-Encoding header of a part; None where nothing has to be decoded.

    HTTP does not use the field (RFC 9110 gives it up), mail libraries write it.

    Raises
    ------
    UnsupportedMediaType
        It is quoted-printable or unknown.
    """
    name = encoding.strip().lower()
    if name in ("", "binary", "8bit", "7bit"):
        return None
    if name == "base64":
        return _Base64()
    raise UnsupportedMediaType(f"The Content-Transfer-Encoding {encoding[:80]!r} is not supported.")


class _Inflater:
    """gzip, zlib, or the raw deflate that some senders mean by ``deflate``: told by the first bytes."""

    def __init__(self, limit: int, setting: str) -> None:
        self._limit = limit
        self._setting = setting
        self._left = limit
        self._inflater: zlib._Decompress | None = None
        self._head = b""

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[bytes]:
        if self._inflater is None:
            self._head += data
            if len(self._head) < 2:
                return
            data, self._head = self._head, b""
            self._inflater = zlib.decompressobj(_window_bits(data))
        pending: bytes | bytearray | memoryview = data
        try:
            while pending and not self._inflater.eof:
                piece = self._inflater.decompress(pending, _PIECE)
                pending = self._inflater.unconsumed_tail
                self._left -= len(piece)
                if self._left < 0:
                    raise PayloadTooLarge(f"The payload decodes to more than {self._limit} bytes ({self._setting}).")
                if piece:
                    yield piece
        except zlib.error as error:
            raise BadRequest("The payload is not what its Content-Encoding says.") from error

    def finish(self) -> None:
        if self._inflater is None or not self._inflater.eof:
            raise BadRequest("The payload ends before its Content-Encoding does.")


def _window_bits(data: bytes | bytearray | memoryview) -> int:
    if data[0] == 0x1F and data[1] == 0x8B:
        return 16 + zlib.MAX_WBITS
    return zlib.MAX_WBITS if data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0 else -zlib.MAX_WBITS


class _Base64:
    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[bytes]:
        text = self._rest + bytes(data).translate(None, b" \t\r\n")
        whole = len(text) - len(text) % 4
        self._rest = text[whole:]
        try:
            decoded = base64.b64decode(text[:whole], validate=True)
        except binascii.Error as error:
            raise BadRequest("The part is not the base64 that its Content-Transfer-Encoding says.") from error
        if decoded:
            yield decoded

    def finish(self) -> None:
        if self._rest:
            raise BadRequest("The part ends in the middle of its base64.")
