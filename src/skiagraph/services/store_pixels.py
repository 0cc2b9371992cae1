"""Pixel Data that come as parts beside the metadata: their Transfer Syntax, and what they say of the image.

PS3.18 §10.5.2 and Table 10.5.2-1. Compressed pixels are kept as they are, each part a frame; the Transfer Syntax is
that of the code stream, whatever was claimed. PNG and GIF, which have none, become native. The Image Pixel attributes
that the metadata omit come from there; those that contradict it are corrected, or are an error where they leave in
doubt whether these are the right pixels at all.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from skiagraph.errors import CannotUnderstand, OutOfResources
from skiagraph.pixels import consumer
from skiagraph.services.coercion import Changes, has_value
from skiagraph.standard import codestreams, jpeg_xl_stream, made_objects, transfer_syntaxes, video_streams
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
_JPEG_XL: Final = "image/jxl"
_RLE: Final = "image/dicom-rle"
_RLE_OFFSET: Final = b"\x40\0\0\0"
"""Of the first segment, behind the header (PS3.5 Annex G.5)."""
_VIDEO: Final = frozenset({"video/mp4", "video/quicktime", "video/mpeg", "video/h265", "video/h264"})
_BEGINNINGS: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\xff\x4f\xff\x51", "image/jp2"),
    (b"\0\0\0\x0cjP  ", "image/jp2"),
    (jpeg_xl_stream.MAGIC[0], _JPEG_XL),
    (jpeg_xl_stream.MAGIC[1], _JPEG_XL),
    (b"\x89PNG\r\n\x1a\n", consumer.PNG),
    (b"GIF87a", consumer.GIF),
    (b"GIF89a", consumer.GIF),
    (b"\0\0\1\xba", "video/mpeg"),
    (b"\0\0\1\xb3", "video/mpeg"),
)
_MACRO: Final = ("00280002", "00280004", "00280010", "00280011", "00280100", "00280101", "00280102", "00280103")
"""Samples per Pixel, Photometric Interpretation, Rows, Columns, Bits Allocated, Stored, High Bit, Representation."""
_FRAME_TIME, _FRAME_TIME_VECTOR, _PAGE_NUMBERS = "00181063", "00181065", "00182001"
_NUMBER_OF_FRAMES, _FRAME_INCREMENT_POINTER = "00280008", "00280009"
_VIDEO_COLOUR: Final = "YBR_PARTIAL_420"
_SUBSAMPLED: Final = {"YBR_FULL", "YBR_FULL_422"}
"""Names for the colours of JPEG that are often taken for each other, and that every reader does take so."""


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
    warnings: tuple[str, ...] = ()
    """What is odd, to be told to who sent it."""


def image(
    changes: Changes, parts: Sequence[Body], hint: str, *, keep: Callable[[bytes], Span], max_frame_bytes: int
) -> Image:
    """Take the parts of Pixel Data for what they are; supply attributes that the metadata omits, correct others.

    Parameters
    ----------
    changes
        To the data set.
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
    part_type = parts[0].media_type
    claimed = (part_type.parameters.get("transfer-syntax") if part_type else None) or hint
    syntax = transfer_syntaxes.find(claimed)
    name = _name(changes.attributes, parts, ALIASES.get(*names, *names), syntax)
    if name == OCTET_STREAM:
        return _native(changes.attributes, parts)
    if name in _READ or name == _JPEG_XL:
        return _recognized(changes, parts, name, claimed)
    if name in (consumer.PNG, consumer.GIF):
        return _transformed(changes, parts, name, keep, max_frame_bytes)
    if name == _RLE:
        uid = _rle(parts)
    elif name in _VIDEO:
        uid = _video(changes, parts[0], syntax)
    else:
        raise _wrong(
            f"Pixel Data of the media type {name} can not be stored; application/octet-stream, image/jpeg, image/jls,"
            " image/jp2, image/jphc, image/jxl, image/dicom-rle, image/png, image/gif and video can."
        )
    _complete(changes, len(parts), video=name in _VIDEO)
    return Image(Bulk(tuple(part.span for part in parts), encapsulated=True), uid)


def _name(attributes: Attributes, parts: Sequence[Body], name: str, syntax: TransferSyntax | None) -> str:
    """Return the media type that the bytes show, or the one that is claimed where they do not."""
    if name == OCTET_STREAM:
        name = _compressed(parts[0], "" if syntax is None else syntax.media_type)
        size, expected = sum(part.size for part in parts), _native_size(attributes)
        if name != OCTET_STREAM or size - expected in (0, expected % 2):
            return name
    return _found(parts[0]) or name


def _found(part: Body) -> str | None:
    """Return the media type of bytes that begin like no other; None where they do not."""
    head = part.read_at(0, 12)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return "video/mp4"
    return next((name for beginning, name in _BEGINNINGS if head.startswith(beginning)), None)


def _native(attributes: Attributes, parts: Sequence[Body]) -> Image:
    """Take bytes for native pixels; the reader of files says where there are too few of them."""
    size, expected = sum(part.size for part in parts), _native_size(attributes)
    warnings: tuple[str, ...] = ()
    if expected and size > expected + expected % 2:
        warnings = (f"Pixel Data has {size} bytes, {expected} by the attributes of the image.",)
    return Image(Bulk(tuple(part.span for part in parts)), EXPLICIT_VR_LITTLE_ENDIAN, warnings)


def _native_size(attributes: Attributes) -> int:
    """Bytes of native pixels of the size that the metadata say; 0 where they do not."""
    numbers = [_number(attributes, tag) for tag in ("00280010", "00280011", "00280002", "00280100")]
    bits = _number(attributes, _NUMBER_OF_FRAMES) or 1
    for number in numbers:
        bits *= number or 0
    if _text(attributes, "00280004") in ("YBR_FULL_422", "YBR_PARTIAL_422"):
        bits = bits * 2 // 3  # two samples of Y share one of each colour
    return max(0, bits + 7) // 8


def _compressed(part: Body, claimed: str) -> str:
    """Return the media type that is claimed for bytes without one, if they begin like it; else octet-stream."""
    head = part.read_at(0, 12)
    begins = {
        _RLE: 1 <= int.from_bytes(head[:4], "little") <= 15 and head[4:8] == _RLE_OFFSET,
        _JPEG_XL: head.startswith(jpeg_xl_stream.MAGIC),
    }
    if begins.get(claimed, claimed in _READ and head.startswith((b"\xff\xd8", b"\xff\x4f\xff\x51"))):
        return claimed
    return OCTET_STREAM


def _wrong(text: str) -> CannotUnderstand:
    return CannotUnderstand(text, details=(PIXEL_DATA,))


def _recognized(changes: Changes, parts: Sequence[Body], name: str, claimed: str) -> Image:
    recognize = jpeg_xl_stream.recognize if name == _JPEG_XL else codestreams.recognize
    streams = [recognize(part) for part in parts]
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
    _compare(changes.attributes, first.rows, first.columns, first.samples)
    _derive(changes, first, len(parts), sum(stream.length for stream in streams))
    _complete(changes, len(parts))
    spans = (
        Span(part.span.source, part.span.offset + stream.offset, stream.length)
        for part, stream in zip(parts, streams, strict=True)
    )
    uid = first.transfer_syntax_uid
    if uid == jpeg_xl_stream.LOSSLESS and claimed == jpeg_xl_stream.ANY:
        uid = claimed  # which may be lossless
    return Image(Bulk(tuple(spans), encapsulated=True), uid)


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
    changes: Changes, parts: Sequence[Body], name: str, keep: Callable[[bytes], Span], max_frame_bytes: int
) -> Image:
    """Decode pictures into native frames, and say what they are where the metadata do not."""
    attributes = changes.attributes
    spans: list[Span] = []
    times: list[float | None] = []
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
            times.append(picture.duration)
    if first is None:
        raise _wrong("The picture has no frame.")
    allocated = _number(attributes, "00280100")
    if allocated not in (None, first.bits):
        raise CannotUnderstand(
            f"The picture has {first.bits} bits per sample; the metadata say {allocated}.", details=("00280100",)
        )
    _size(changes, first.rows, first.columns, first.samples)
    if first.samples == 3:
        changes.correct("00280004", "CS", "RGB")
        changes.correct("00280006", "US", 0)
    else:
        _correct_grey(changes)
    changes.supply("00280100", "US", first.bits)
    changes.supply("00280101", "US", first.bits)
    changes.supply("00280102", "US", (_number(attributes, "00280101") or first.bits) - 1)
    changes.supply("00280103", "US", 0)
    if first.profile and "00282000" not in attributes:
        attributes["00282000"] = {"vr": "OB", "InlineBinary": base64.b64encode(first.profile).decode("ascii")}
    attributes[PIXEL_DATA] = {**attributes[PIXEL_DATA], "vr": "OW" if first.bits > 8 else "OB"}
    _time(changes, times)
    _complete(changes, len(spans))
    return Image(Bulk(tuple(spans)), EXPLICIT_VR_LITTLE_ENDIAN)


def _time(changes: Changes, times: Sequence[float | None]) -> None:
    """Say how long each frame of an animation is shown (PS3.3 C.7.6.5)."""
    known = [time for time in times if time]
    if len(times) < 2 or len(known) != len(times) or has_value(changes.attributes, _FRAME_INCREMENT_POINTER):
        return
    if len(set(known)) == 1:
        changes.supply(_FRAME_TIME, "DS", known[0])
        changes.supply(_FRAME_INCREMENT_POINTER, "AT", _FRAME_TIME)
    else:
        changes.supply(_FRAME_TIME_VECTOR, "DS", 0, *known[:-1])  # from the frame before
        changes.supply(_FRAME_INCREMENT_POINTER, "AT", _FRAME_TIME_VECTOR)


def number_pages(changes: Changes) -> None:
    """Say of frames that follow each other in no time that they are pages (PS3.3 C.8.6.4)."""
    frames = _number(changes.attributes, _NUMBER_OF_FRAMES) or 1
    if frames > 1 and not has_value(changes.attributes, _FRAME_INCREMENT_POINTER):
        changes.supply(_PAGE_NUMBERS, "IS", *range(1, frames + 1))
        changes.supply(_FRAME_INCREMENT_POINTER, "AT", _PAGE_NUMBERS)


def sop_class(attributes: Attributes) -> str:
    """SOP Class of an image whose metadata name none, by what it is made of."""
    return made_objects.image_class(
        video=_text(attributes, "00280004") == _VIDEO_COLOUR,
        frames=_number(attributes, _NUMBER_OF_FRAMES) or 1,
        samples=_number(attributes, "00280002") or 1,
        bits_allocated=_number(attributes, "00280100") or 8,
    )


def _size(changes: Changes, rows: int, columns: int, samples: int) -> None:
    changes.supply("00280002", "US", samples)
    changes.supply("00280010", "US", rows)
    changes.supply("00280011", "US", columns)


def _correct_grey(changes: Changes) -> None:
    if _text(changes.attributes, "00280004") not in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"):
        changes.correct("00280004", "CS", "MONOCHROME2")


def _derive(changes: Changes, stream: CodeStream, frames: int, compressed: int) -> None:
    """Supply or correct the Image Pixel attributes (PS3.3 C.7.6.3), and those of lossy compression (C.7.6.1.1.5).

    Fewer bits stored than the stream has, more allocated, and a sign that it does not have are met in sound objects.
    """
    attributes = changes.attributes
    allocated = 8 if stream.precision <= 8 else 16 if stream.precision <= 16 else 32
    _size(changes, stream.rows, stream.columns, stream.samples)
    if stream.samples == 1:
        _correct_grey(changes)
    else:
        said = _text(attributes, "00280004")
        alike = {said, stream.photometric_interpretation} <= _SUBSAMPLED
        unknown = not stream.colour_known and said in {"RGB", *_SUBSAMPLED}
        if not (alike or unknown):
            changes.correct("00280004", "CS", stream.photometric_interpretation)
        changes.correct("00280006", "US", 0)
    given = _number(attributes, "00280100") or 0
    if given < stream.precision or given % 8:
        changes.correct("00280100", "US", allocated)
    if not 0 < (_number(attributes, "00280101") or 0) <= stream.precision:
        changes.correct("00280101", "US", stream.precision)
        changes.correct("00280102", "US", stream.precision - 1)
    changes.supply("00280102", "US", (_number(attributes, "00280101") or stream.precision) - 1)
    changes.supply("00280103", "US", int(stream.signed))
    if stream.lossy_method is not None and stream.loss_known:
        pixels = frames * stream.rows * stream.columns * stream.samples * allocated // 8
        _lossy(changes, stream.lossy_method, pixels / max(1, compressed))


def _lossy(changes: Changes, method: str, ratio: float | None) -> None:
    changes.correct("00282110", "CS", "01")
    if not has_value(changes.attributes, "00282112") and not has_value(changes.attributes, "00282114"):
        if ratio is not None:
            changes.supply("00282112", "DS", round(ratio, 2))
        changes.supply("00282114", "CS", method)


def _complete(changes: Changes, parts: int, *, video: bool = False) -> None:
    """Check that what tells the frames apart is there; supply Number of Frames.

    Raises
    ------
    CannotUnderstand
        Attributes are missing, or the number of parts is not that of frames.
    """
    attributes = changes.attributes
    missing = tuple(tag for tag in _MACRO if not has_value(attributes, tag))
    if missing:
        raise CannotUnderstand(
            "The metadata need the Image Pixel attributes that these pixels do not tell: "
            + ", ".join(f"({tag[:4]},{tag[4:]})" for tag in missing)
            + ".",
            details=missing,
        )
    frames = _number(attributes, _NUMBER_OF_FRAMES)
    if video:
        if parts != 1:
            raise _wrong("A video is one part.")
    elif frames is None:
        if parts > 1:
            changes.supply(_NUMBER_OF_FRAMES, "IS", parts)
    elif frames != parts:
        raise CannotUnderstand(
            f"Number of Frames (0028,0008) is {frames}, but there are {parts} parts; each frame is a part with the"
            " same Content-Location.",
            details=(_NUMBER_OF_FRAMES,),
        )


def _video(changes: Changes, part: Body, claimed: TransferSyntax | None) -> str:
    """Return the Transfer Syntax of a video, claimed or by its profile; supply what the stream tells."""
    try:
        stream = video_streams.recognize(part)
    except CannotUnderstand:
        if claimed is None or not claimed.video:
            raise
        return claimed.uid  # elementary streams, which nothing but the claim describes
    _compare(changes.attributes, stream.rows, stream.columns, 3)
    _size(changes, stream.rows, stream.columns, 3)
    changes.correct("00280004", "CS", _VIDEO_COLOUR)
    changes.correct("00280006", "US", 0)
    for tag, value in (("00280100", stream.allocated), ("00280101", stream.bits), ("00280102", stream.bits - 1)):
        changes.correct(tag, "US", value)
    changes.correct("00280103", "US", 0)
    frames = _number(changes.attributes, _NUMBER_OF_FRAMES) or stream.frames
    ratio = None
    if frames is not None:
        changes.supply(_NUMBER_OF_FRAMES, "IS", frames)
        ratio = frames * stream.rows * stream.columns * 3 * stream.allocated // 8 / max(1, part.size)
    _lossy(changes, stream.lossy_method, ratio)
    if stream.frame_time is not None and not has_value(changes.attributes, _FRAME_INCREMENT_POINTER):
        changes.supply(_FRAME_TIME, "DS", round(stream.frame_time, 6))
        changes.supply(_FRAME_INCREMENT_POINTER, "AT", _FRAME_TIME)
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


def _text(attributes: Attributes, tag: str) -> str:
    return str(attributes[tag]["Value"][0]).strip() if has_value(attributes, tag) else ""


def _number(attributes: Attributes, tag: str) -> int | None:
    """Return the first value as a number; None where there is none. Raises CannotUnderstand for what is no number."""
    if not has_value(attributes, tag):
        return None
    value = attributes[tag]["Value"]
    try:
        return int(value[0])
    except (TypeError, ValueError, LookupError, OverflowError):
        raise CannotUnderstand(f"({tag[:4]},{tag[4:]}) has a value that is no number.", details=(tag,)) from None
