"""Pixel Data that come as parts beside the metadata: their Transfer Syntax, and what they say of the image.

PS3.18 §10.5.2 and Table 10.5.2-1. Compressed pixels are kept as they are, each part a frame; the Transfer Syntax is
that of the code stream, whatever was claimed. PNG and GIF, which have none, become native. The Image Pixel attributes
that the metadata omit come from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from skiagraph.errors import CannotUnderstand, OutOfResources
from skiagraph.pixels import consumer
from skiagraph.standard import codestreams, transfer_syntaxes, video_streams
from skiagraph.standard.codestreams import CodeStream
from skiagraph.standard.header import Source
from skiagraph.standard.media_types import ALIASES, OCTET_STREAM
from skiagraph.standard.part10_writer import Bulk, Span
from skiagraph.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, RLE_LOSSLESS, TransferSyntax
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
_VIDEO: Final = frozenset({"video/mp4", "video/quicktime", "video/mpeg", "video/h265", "video/h264"})
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


def image(
    attributes: Attributes, parts: Sequence[Body], hint: str, *, keep: Callable[[bytes], Span], max_frame_bytes: int
) -> Image:
    """Take the parts of Pixel Data for what they are; supply attributes that the metadata omits.

    Parameters
    ----------
    attributes
        The data set; attributes are added.
    hint
        Transfer Syntax UID that the metadata claims, or "". Counts where the bytes do not tell.
    keep
        Writes a frame that had to be decoded to where it can be read again.
    max_frame_bytes
        Most bytes of such a frame.

    Raises
    ------
    CannotUnderstand
        The media type can not be stored, the bytes are not what it says, or the metadata contradict them.
    OutOfResources
        A picture is too large.
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
    if name in (consumer.PNG, consumer.GIF):
        return _transformed(attributes, parts, name, keep, max_frame_bytes)
    if name == "image/dicom-rle":
        uid = _rle(parts)
    elif name == "image/jxl":
        uid = _jpeg_xl(parts, claimed)
    elif name in _VIDEO:
        uid = _video(attributes, parts[0], syntax)
    else:
        raise _wrong(
            f"Pixel Data of the media type {name} can not be stored; application/octet-stream, image/jpeg, image/jls,"
            " image/jp2, image/jphc, image/jxl, image/dicom-rle, image/png, image/gif and video can."
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
    _compare(attributes, first.rows, first.columns, first.samples)
    _derive(attributes, first, len(parts), sum(stream.length for stream in streams))
    _complete(attributes, len(parts))
    spans = (
        Span(part.span.source, part.span.offset + stream.offset, stream.length)
        for part, stream in zip(parts, streams, strict=True)
    )
    return Image(Bulk(tuple(spans), encapsulated=True), first.transfer_syntax_uid)


def _compare(attributes: Attributes, rows: int, columns: int, samples: int) -> None:
    """Raise CannotUnderstand where the metadata say another size than the pixels have."""
    for tag, name, found in (
        ("00280010", "Rows", rows),
        ("00280011", "Columns", columns),
        ("00280002", "Samples per Pixel", samples),
    ):
        said = _number(attributes, tag)
        if said is not None and said != found:
            raise CannotUnderstand(f"The image has {name} {found}; the metadata say {said}.", details=(tag,))


def _transformed(
    attributes: Attributes, parts: Sequence[Body], name: str, keep: Callable[[bytes], Span], max_frame_bytes: int
) -> Image:
    """Decode pictures into native frames, and say what they are where the metadata do not."""
    spans: list[Span] = []
    first: consumer.Picture | None = None
    for part in parts:
        if part.size > max_frame_bytes:
            raise OutOfResources(f"A picture has more than {max_frame_bytes} bytes (max_frame_bytes).")
        for picture in consumer.frames(name, part.read_at(0, part.size), max_frame_bytes):
            shape = picture.rows, picture.columns, picture.samples, picture.bits
            if first is None:
                first = replace(picture, data=b"")
                _compare(attributes, *shape[:3])
            if shape != (first.rows, first.columns, first.samples, first.bits):
                raise _wrong(f"Frame {len(spans) + 1} is not of the size and depth of frame 1.")
            spans.append(keep(picture.data))
    if first is None:
        raise _wrong("The picture has no frame.")
    allocated = _number(attributes, "00280100")
    if allocated not in (None, first.bits):
        raise CannotUnderstand(
            f"The picture has {first.bits} bits per sample; the metadata say {allocated}.", details=("00280100",)
        )
    _set(
        attributes,
        {
            "00280002": ("US", first.samples),
            "00280004": ("CS", "RGB" if first.samples == 3 else "MONOCHROME2"),
            "00280010": ("US", first.rows),
            "00280011": ("US", first.columns),
            "00280100": ("US", first.bits),
            "00280101": ("US", first.bits),
            "00280102": ("US", first.bits - 1),
            "00280103": ("US", 0),
        },
    )
    if first.samples == 3:
        attributes["00280006"] = {"vr": "US", "Value": [0]}
    attributes[PIXEL_DATA] = {**attributes[PIXEL_DATA], "vr": "OW" if first.bits > 8 else "OB"}
    _complete(attributes, len(spans))
    return Image(Bulk(tuple(spans)), EXPLICIT_VR_LITTLE_ENDIAN)


def _set(attributes: Attributes, found: Mapping[str, tuple[str, Any]]) -> None:
    """Supply attributes that have no value."""
    for tag, (vr, value) in found.items():
        if not _has_value(attributes, tag):
            attributes[tag] = {"vr": vr, "Value": [value]}


def _derive(attributes: Attributes, stream: CodeStream, frames: int, compressed: int) -> None:
    """Supply the Image Pixel attributes (PS3.3 C.7.6.3) and those of lossy compression (C.7.6.1.1.5)."""
    allocated = 8 if stream.precision <= 8 else 16 if stream.precision <= 16 else 32
    found: dict[str, tuple[str, Any]] = {
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
    _set(attributes, found)


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


def _video(attributes: Attributes, part: Body, claimed: TransferSyntax | None) -> str:
    """Return the Transfer Syntax of a video, claimed or by its profile; supply what the stream tells."""
    try:
        stream = video_streams.recognize(part)
    except CannotUnderstand:
        if claimed is None or not claimed.video:
            raise
        return claimed.uid  # elementary streams, which nothing but the claim describes
    _compare(attributes, stream.rows, stream.columns, 3)
    found: dict[str, tuple[str, Any]] = {
        "00280002": ("US", 3),
        "00280004": ("CS", "YBR_PARTIAL_420"),
        "00280006": ("US", 0),
        "00280010": ("US", stream.rows),
        "00280011": ("US", stream.columns),
        "00280100": ("US", 8),
        "00280101": ("US", 8),
        "00280102": ("US", 7),
        "00280103": ("US", 0),
        "00282110": ("CS", "01"),
    }
    if stream.frames is not None:
        found["00280008"] = ("IS", stream.frames)
    if stream.frame_time is not None:
        found["00181063"] = ("DS", round(stream.frame_time, 6))
        found["00280009"] = ("AT", "00181063")
    _set(attributes, found)
    if (
        claimed is not None
        and claimed.video
        and claimed.media_type == transfer_syntaxes.get(stream.transfer_syntax_uid).media_type
    ):
        return claimed.uid  # the same codec; the claim may know more, such as that the stream is BD-compatible
    return stream.transfer_syntax_uid


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
