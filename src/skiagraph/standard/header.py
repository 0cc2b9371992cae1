"""What one reading of a PS3.10 file yields: the values that index, retrieval and rendering live on.

Offsets count bytes of the *plain* stream: the file as it is, but for Deflated Explicit VR Little Endian the
file up to `dataset_offset` and then the inflated data set.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Protocol

from skiagraph.values import Attributes

MULTI_FRAGMENT = 1 << 63
"""Flag in the length of a span: it holds several Items, their headers included, to be stripped."""


class Source(Protocol):
    """Bytes that can be read at any offset: a spooled upload, a stored file, bytes in memory."""

    @property
    def size(self) -> int: ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes at the offset; fewer than `length` only at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Bulk:
    """One value that the metadata names by BulkDataURI."""

    offset: int
    """Of the value field; of the first Item header (the offset table) when encapsulated."""
    length: int
    """Bytes of the value field; when encapsulated, up to the Sequence Delimitation Item."""
    vr: str
    encapsulated: bool = False


@dataclass(frozen=True, slots=True)
class PixelData:
    """Top-level Pixel Data, Float Pixel Data or Double Float Pixel Data, and where its frames lie."""

    tag: str
    vr: str
    offset: int
    length: int
    encapsulated: bool
    frames: int
    """Number of frames that can be asked for."""
    frame_bits: int = 0
    """Native: bits of one frame; frame n (from 0) starts at bit n × frame_bits, not always on a byte."""
    spans: array[int] = field(default_factory=lambda: array("Q"))
    """Encapsulated: offset and length of each frame, in pairs. One fragment: the bytes themselves. More: from the
    first Item header to the end of the last Item, with `MULTI_FRAGMENT` set in the length.
    Video: one pair for the whole stream."""
    video: bool = False
    """One stream holds all frames (MPEG family): single frames can not be cut out."""
    problem: str | None = None
    """Why frames can not be told apart or are incomplete; None when all is well."""


@dataclass(frozen=True, slots=True)
class Header:
    """Everything about an Instance but its bulk bytes."""

    transfer_syntax_uid: str
    """As File Meta Information says; where that is missing or wrong, as found out from the bytes."""
    dataset_offset: int
    """First byte of the data set in the file: behind preamble, prefix and File Meta Information."""
    has_preamble: bool
    """128 bytes and ``DICM`` lead the file, and its File Meta Information names the Transfer Syntax that the data set
    is in; else it can only go out re-encoded."""
    meta: Attributes
    """Group 0002; not part of metadata."""
    attributes: Attributes
    """The data set as DICOM JSON Model, keys ascending, BulkDataURI relative to the Instance
    (``bulkdata/00480105/0/00282000``, ``pixeldata``)."""
    bulkdata: dict[str, Bulk]
    """By the BulkDataURI without its leading ``bulkdata/``; ``pixeldata`` for the top-level pixel data."""
    pixel_data: PixelData | None
    warnings: tuple[str, ...] = ()
    """What was odd: wrong VRs, odd lengths, trailing bytes. No values, so that it can be logged."""
