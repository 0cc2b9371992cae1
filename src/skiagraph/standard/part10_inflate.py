"""Deflated data sets as plain ones — PS3.5 §A.5, RFC 1951: a window on the inflated stream, bounded in memory."""

from __future__ import annotations

import zlib
from typing import Final

from skiagraph.errors import CannotUnderstand, OutOfResources
from skiagraph.standard.header import Source

_CHUNK: Final = 1 << 16
_KEPT: Final = 1 << 22
"""Inflated data sets up to this many bytes are kept whole."""


class InflatedSource:
    """The plain stream of a file: as it is up to `dataset_offset`, and then the data set inflated.

    Opening inflates everything once, in pieces, to learn that it can be and how long it is. Reading goes forward
    cheaply; going back more than one window inflates from the start again. Not for use from two threads at once.

    Raises
    ------
    CannotUnderstand
        On opening: the deflated data set is truncated or corrupt.
    OutOfResources
        On opening: it inflates to more than `max_inflated_bytes`.
    """

    def __init__(self, source: Source, dataset_offset: int, max_inflated_bytes: int) -> None:
        self._source = source
        self._start = dataset_offset
        self.trailing = 0
        """Bytes behind the deflated stream; one is padding."""
        self._inflate, self._read_to = zlib.decompressobj(-zlib.MAX_WBITS), dataset_offset
        self._window_at, self._window = dataset_offset, b""
        kept: list[bytes] | None = []
        inflated = 0
        while piece := self._more():
            inflated += len(piece)
            if inflated > max_inflated_bytes:
                raise OutOfResources(
                    f"The deflated data set inflates to more than max_inflated_bytes ({max_inflated_bytes}) allows."
                )
            if kept is not None:
                kept.append(piece)
                if inflated > _KEPT:
                    kept = None
        self._size = dataset_offset + inflated
        self._whole = None if kept is None else b"".join(kept)
        self._rewind()

    @property
    def size(self) -> int:
        return self._size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the plain bytes at the offset; fewer than `length` only at the end."""
        if offset < self._start:
            head = self._source.read_at(offset, min(length, self._start - offset))
            rest = length - len(head)
            return head + self.read_at(self._start, rest) if rest > 0 else head
        if self._whole is not None:
            begin = offset - self._start
            return self._whole[begin : begin + length]
        if offset >= self._size:
            return b""
        if offset < self._window_at:
            self._rewind()
        # What was read last is kept, as readers move on by less than they read.
        pieces = []
        window_end = self._window_at + len(self._window)
        at = window_end
        if offset < window_end:
            pieces.append(self._window[offset - self._window_at :])
        end = min(offset + length, self._size)
        while at < end and (piece := self._more()):
            at += len(piece)
            if at > offset:
                pieces.append(piece[max(0, len(piece) - (at - offset)) :])
        self._window = b"".join(pieces)
        self._window_at = at - len(self._window)
        return self._window[:length]

    def _rewind(self) -> None:
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._read_to = self._start
        self._window_at, self._window = self._start, b""

    def _more(self) -> bytes:
        """Return the next inflated bytes, at most 64 KiB; b"" at the end."""
        inflate = self._inflate
        while not inflate.eof:
            chunk = inflate.unconsumed_tail
            if not chunk:
                chunk = self._source.read_at(self._read_to, _CHUNK)
                self._read_to += len(chunk)
            try:
                piece = inflate.decompress(chunk, _CHUNK)
            except zlib.error as error:
                raise CannotUnderstand("The deflated data set is corrupt: it can not be inflated.") from error
            if piece:
                return piece
            if not chunk:
                raise CannotUnderstand("The file is truncated: the deflated data set does not end.")
        self.trailing = len(inflate.unused_data) + max(0, self._source.size - self._read_to)
        return b""
