"""Pixel Data that come as parts beside the metadata: their Transfer Syntax, and what they say of the image.

PS3.18 §10.5.2 and Table 10.5.2-1. Compressed pixels are kept as they are, each part a frame; the Transfer Syntax is
that of the code stream, whatever was claimed. The Image Pixel attributes that the metadata omits come from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from skiagraph.errors import CannotUnderstand
from skiagraph.standard import codestreams, transfer_syntaxes
from skiagraph.standard.codestreams import CodeStream
from skiagraph.standard.header import Source
from skiagraph.standard.media_types import ALIASES, OCTET_STREAM
from skiagraph.standard.part10_writer import Bulk, Span
from skiagraph.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, RLE_LOSSLESS
from skiagraph.values import Attributes
from skiagraph.wire.media_type import MediaType

PIXEL_DATA: Final = "7FE00010"

_READ: Final = frozenset({"image/jpeg", "image/jls", "image/jp2", "image/jpx", "image/jph", "image/jphc", "image/j2c"})
"""Media types whose code streams tell all; which of them was claimed does not matter."""
_JPEG_XL: Final = frozenset({f"1.2.840.10008.1.2.4.{number}" for number in (110, 111, 112)})
_ANY_JPEG_XL: Final = "1.2.840.10008.1.2.4.112"
_JPEG_XL_MAGIC: Final = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
"""Of the code stream, and of its container."""
_RLE_OFFSET: Final = b"\x40\0\0\0"
"""Of the first segment, behind the header (PS3.5 Annex G.5)."""
_MACRO: Final = ("00280002", "00280004", "00280010", "00280011", "00280100", "00280101", "00280102", "00280103")
"""Samples per Pixel, Photometric Interpretation, Rows, Columns, Bits Allocated, Stored, High Bit, Representation."""


class Body(Source, Protocol):
    """A part with pixels."""

    @property
    def media_type(self) -> MediaType | None: ...

    @property
    def span(self) -> Span: ...


@dataclass(frozen=True, slots=True)
class Image:
    """Pixel Data of an Instance."""

    bulk: Bulk
    transfer_syntax_uid: str


def image(attributes: Attributes, parts: Sequence[Body], hint: str) -> Image:
    """Take the parts of Pixel Data for what they are; supply attributes that the metadata omits.

    Parameters
    ----------
    attributes
        The data set; attributes are added.
    hint
        Transfer Syntax UID that the metadata claims, or "". Counts where the bytes do not tell.

    Raises
    ------
    CannotUnderstand
        The media type can not be stored, the bytes are not what it says, or the metadata contradict them.
    """
    names = {OCTET_STREAM if part.media_type is None else part.media_type.name for part in parts}
    if len(names) > 1:
        raise _wrong("The frames have different media types.")
    name = ALIASES.get(*names, *names)
    part_type = parts[0].media_type
    claimed = (part_type.parameters.get("transfer-syntax") if part_type else None) or hint
    syntax = transfer_syntaxes.find(claimed)
    if name == OCTET_STREAM:
        name = _compressed(parts[0], "" if syntax is None else syntax.media_type)
        if name == OCTET_STREAM:
            return Image(Bulk(tuple(part.span for part in parts)), EXPLICIT_VR_LITTLE_ENDIAN)
    if name in _READ:
        return _recognized(attributes, parts)
    if name == "image/dicom-rle":
        uid = _rle(parts)
    elif name == "image/jxl":
        uid = _jpeg_xl(parts, claimed)
    elif syntax is not None and syntax.video and syntax.media_type.lower() == name:
        uid = syntax.uid
    elif name.startswith("video/"):
        raise _wrong(f"Video of the type {name} needs its Transfer Syntax: as transfer-syntax of its Content-Type.")
    else:
        raise _wrong(
            f"Pixel Data of the media type {name} can not be stored; application/octet-stream, image/jpeg, image/jls,"
            " image/jp2, image/jphc, image/jxl, image/dicom-rle and video can."
        )
    _complete(attributes, len(parts), video=name.startswith("video/"))
    return Image(Bulk(tuple(part.span for part in parts), encapsulated=True), uid)


def _compressed(part: Body, claimed: str) -> str:
    """Return the media type that is claimed for bytes without one, if they begin like it; else octet-stream."""
    head = part.read_at(0, 12)
    begins = {
        "image/dicom-rle": 1 <= int.from_bytes(head[:4], "little") <= 15 and head[4:8] == _RLE_OFFSET,
        "image/jxl": head.startswith(_JPEG_XL_MAGIC),
    }
    if begins.get(claimed, claimed in _READ and head.startswith((b"\xff\xd8", b"\xff\x4f\xff\x51"))):
        return claimed
    return OCTET_STREAM


def _wrong(text: str) -> CannotUnderstand:
    return CannotUnderstand(text, details=(PIXEL_DATA,))


def _recognized(attributes: Attributes, parts: Sequence[Body]) -> Image:
    streams = [codestreams.recognize(part) for part in parts]
    first = streams[0]
    for number, stream in enumerate(streams, 1):
        if (stream.transfer_syntax_uid, stream.rows, stream.columns, stream.samples, stream.precision) != (
            first.transfer_syntax_uid,
            first.rows,
            first.columns,
            first.samples,
            first.precision,
        ):
            raise _wrong(f"Frame {number} is not of the size and encoding of frame 1.")
    for tag, name, found in (
        ("00280010", "Rows", first.rows),
        ("00280011", "Columns", first.columns),
        ("00280002", "Samples per Pixel", first.samples),
    ):
        said = _number(attributes, tag)
        if said is not None and said != found:
            raise CannotUnderstand(f"The compressed image has {name} {found}; the metadata say {said}.", details=(tag,))
    _derive(attributes, first, len(parts), sum(stream.length for stream in streams))
    _complete(attributes, len(parts))
    spans = (
        Span(part.span.source, part.span.offset + stream.offset, stream.length)
        for part, stream in zip(parts, streams, strict=True)
    )
    return Image(Bulk(tuple(spans), encapsulated=True), first.transfer_syntax_uid)


def _derive(attributes: Attributes, stream: CodeStream, frames: int, compressed: int) -> None:
    """Supply the Image Pixel attributes (PS3.3 C.7.6.3) and those of lossy compression (C.7.6.1.1.5)."""
    allocated = 8 if stream.precision <= 8 else 16 if stream.precision <= 16 else 32
    found = {
        "00280002": ("US", stream.samples),
        "00280004": ("CS", stream.photometric_interpretation),
        "00280010": ("US", stream.rows),
        "00280011": ("US", stream.columns),
        "00280100": ("US", allocated),
        "00280101": ("US", stream.precision),
        "00280102": ("US", stream.precision - 1),
        "00280103": ("US", int(stream.signed)),
    }
    if stream.samples > 1:
        found["00280006"] = ("US", 0)
    if stream.lossy_method is not None and "00282110" not in attributes:
        pixels = frames * stream.rows * stream.columns * stream.samples * allocated // 8
        found["00282110"] = ("CS", "01")
        found["00282112"] = ("DS", round(pixels / max(1, compressed), 2))
        found["00282114"] = ("CS", stream.lossy_method)
    for tag, (vr, value) in found.items():
        if not _has_value(attributes, tag):
            attributes[tag] = {"vr": vr, "Value": [value]}


def _complete(attributes: Attributes, parts: int, *, video: bool = False) -> None:
    """Check that what tells the frames apart is there; supply Number of Frames.

    Raises
    ------
    CannotUnderstand
        Attributes are missing, or the number of parts is not that of frames.
    """
    missing = tuple(tag for tag in _MACRO if not _has_value(attributes, tag))
    if missing:
        raise CannotUnderstand(
            "The metadata need the Image Pixel attributes that these pixels do not tell: "
            + ", ".join(f"({tag[:4]},{tag[4:]})" for tag in missing)
            + ".",
            details=missing,
        )
    frames = _number(attributes, "00280008")
    if video:
        if parts != 1:
            raise _wrong("A video is one part.")
    elif frames is None:
        if parts > 1:
            attributes["00280008"] = {"vr": "IS", "Value": [parts]}
    elif frames != parts:
        raise CannotUnderstand(
            f"Number of Frames (0028,0008) is {frames}, but there are {parts} parts; each frame is a part with the"
            " same Content-Location.",
            details=("00280008",),
        )


def _rle(parts: Sequence[Body]) -> str:
    for part in parts:
        head = part.read_at(0, 64)
        if len(head) < 64 or not 1 <= int.from_bytes(head[:4], "little") <= 15 or head[4:8] != _RLE_OFFSET:
            raise _wrong("The pixel data are not RLE: they have no header of 64 bytes (PS3.5 Annex G).")
    return RLE_LOSSLESS


def _jpeg_xl(parts: Sequence[Body], claimed: str) -> str:
    for part in parts:
        if not part.read_at(0, 12).startswith(_JPEG_XL_MAGIC):
            raise _wrong("The pixel data are not JPEG XL: they have neither its code stream nor its container.")
    return claimed if claimed in _JPEG_XL else _ANY_JPEG_XL


def _has_value(attributes: Attributes, tag: str) -> bool:
    element = attributes.get(tag)
    return isinstance(element, dict) and bool(element.get("Value")) and element["Value"] != [None]


def _number(attributes: Attributes, tag: str) -> int | None:
    """Return the first value as a number; None where there is none. Raises CannotUnderstand for what is no number."""
    if not _has_value(attributes, tag):
        return None
    value = attributes[tag]["Value"]
    try:
        return int(value[0])
    except (TypeError, ValueError, LookupError, OverflowError):
        raise CannotUnderstand(f"({tag[:4]},{tag[4:]}) has a value that is no number.", details=(tag,)) from None
