"""One Instance as a PS3.10 file in a Transfer Syntax — PS3.10 §7, PS3.5 Annex A, PS3.18 §8.7.3.

As stored it goes out byte by byte. Else its File Meta Information is written anew, and its data set is passed on,
inflated, deflated, converted to Explicit VR Little Endian, or converted with other pixel data in the place of the
stored one and the attributes that go with it. Frames are converted while they are sent; nothing holds more than two.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from skiagraph.errors import CannotUnderstand, NoAcceptableRepresentation, OutOfResources, ResourceNotFound
from skiagraph.index.base import StoredInstance
from skiagraph.pixels import transcode
from skiagraph.services import conversion, plain, representation
from skiagraph.services.archive import Archive
from skiagraph.services.conversion import Frame
from skiagraph.services.deidentified import Deidentified
from skiagraph.services.representation import Damaged, Representation
from skiagraph.standard import explicit_writer, file_meta, transfer_syntaxes
from skiagraph.standard.explicit_le import Edits, Gap, Piece, Plan, Span, convert
from skiagraph.standard.header import Source
from skiagraph.standard.part10_inflate import InflatedSource
from skiagraph.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from skiagraph.values import ByteRange
from skiagraph.wire.accept import Offer
from skiagraph.wire.message import Chunk

_LONGEST_VALUE: Final = 2**32 - 2
_ITEM: Final = struct.Struct("<HHL")
_FIRST_ITEM: Final = _ITEM.pack(0xFFFE, 0xE000, 0)  # the Basic Offset Table, empty: each frame is one Fragment
_LAST_ITEM: Final = _ITEM.pack(0xFFFE, 0xE0DD, 0)
_UNDEFINED: Final = 0xFFFFFFFF
_OFFSET_TABLES: Final = (0x7FE00001, 0x7FE00002)


def is_as_stored(instance: StoredInstance, offer: Offer) -> bool:
    """Whether the file goes out as it is stored."""
    return instance.has_preamble and offer.transfer_syntax_uid == instance.transfer_syntax_uid


async def encode(
    archive: Archive,
    instance: StoredInstance,
    offer: Offer,
    location: str,
    deidentified: Deidentified | None = None,
) -> Representation:
    """One Instance as a PS3.10 file in the Transfer Syntax of the offer.

    Parameters
    ----------
    deidentified
        It is to be sent without what identifies the patient.

    Raises
    ------
    Damaged
        The stored bytes are missing.
    NoAcceptableRepresentation
        They can not be converted.
    """
    if deidentified is None and is_as_stored(instance, offer):
        return as_it_is(archive, instance, offer, location)
    try:
        return await _encoded(archive, instance, offer, location, deidentified)
    except ResourceNotFound as error:
        raise Damaged(error.message) from error


def as_it_is(archive: Archive | None, instance: StoredInstance, offer: Offer, location: str) -> Representation:
    """The stored file; without an archive it can be measured, not read."""

    def read(part: ByteRange | None) -> AsyncIterator[Chunk]:
        assert archive is not None
        return _file(archive, instance, part)

    return Representation(offer.content_type, location, instance.size, read)


async def _file(archive: Archive, instance: StoredInstance, part: ByteRange | None) -> AsyncIterator[Chunk]:
    """The file as it is stored, its preamble as it may go out."""
    preamble = b""
    if part is None:
        part = ByteRange(0, instance.size)
    elif part.offset < file_meta.PREAMBLE:
        preamble = bytes(await archive.blobs.read_bytes(instance.key, ByteRange(0, file_meta.PREAMBLE)))
    at = part.offset
    chunks = archive.blobs.read(instance.key, part)
    try:
        async for chunk in chunks:
            if at < file_meta.PREAMBLE:
                chunk = _blanked(chunk, at, preamble)
            at += len(chunk)
            yield chunk
    finally:
        await representation.close(chunks)


def _blanked(chunk: Chunk, at: int, preamble: bytes) -> Chunk:
    """A chunk that holds some of the preamble; the first chunk of a file holds all of it."""
    preamble = preamble or bytes(chunk[: file_meta.PREAMBLE])
    allowed = file_meta.blanked(preamble)
    if allowed == preamble:
        return chunk
    return allowed[at : at + len(chunk)] + bytes(chunk[file_meta.PREAMBLE - at :])


# With File Meta Information of our own


@dataclass(frozen=True, slots=True)
class _DataSet:
    """A data set to be sent."""

    plan: Plan | None
    """None: the inflated one, as it is."""
    gap: Representation | None = None
    """The pixel data element that goes into the gap of the plan."""
    sop_instance_uid: str | None = None
    """Of its own, where it is another image."""

    @property
    def length(self) -> int | None:
        if self.plan is None or (self.gap is not None and self.gap.length is None):
            return None
        return self.plan.length + (0 if self.gap is None else self.gap.length or 0)


async def _encoded(
    archive: Archive, instance: StoredInstance, offer: Offer, location: str, deidentified: Deidentified | None
) -> Representation:
    uid = offer.transfer_syntax_uid or instance.transfer_syntax_uid
    data_set = await _data_set(archive, instance, uid, deidentified)
    sop_instance_uid = data_set.sop_instance_uid or instance.path.sop_instance_uid or ""
    received: Mapping[int, bytes] = {}
    if deidentified is not None:  # application entities and private information are left behind, too
        sop_instance_uid = deidentified.deidentifier.pseudonyms.uid(sop_instance_uid)
    else:
        prefix = bytes(await archive.blobs.read_bytes(instance.key, ByteRange(0, instance.dataset_offset)))
        received = file_meta.read(prefix)
    meta = file_meta.write(
        received,
        transfer_syntax_uid=uid,
        sop_class_uid=instance.sop_class_uid,
        sop_instance_uid=sop_instance_uid,
    )
    as_stored = uid == instance.transfer_syntax_uid and deidentified is None and not _is_odd(instance)
    deflate = transfer_syntaxes.get(uid).deflated and not as_stored
    if deflate or data_set.length is None:

        async def read(_: ByteRange | None) -> AsyncIterator[Chunk]:
            yield meta
            chunks = _carry_out(archive, instance, data_set, None)
            async for chunk in _deflated(archive, chunks) if deflate else chunks:
                yield chunk

        return Representation(offer.content_type, location, None, read)

    assert data_set.plan is not None
    whole = replace(data_set, plan=Plan((meta, *data_set.plan.pieces), len(meta) + data_set.plan.length))
    return Representation(
        offer.content_type, location, whole.length, lambda part: _carry_out(archive, instance, whole, part)
    )


async def _data_set(
    archive: Archive, instance: StoredInstance, uid: str, deidentified: Deidentified | None
) -> _DataSet:
    stored = transfer_syntaxes.get(instance.transfer_syntax_uid)
    target = transfer_syntaxes.get(uid)
    if uid != stored.uid and instance.pixel_tag and (stored.encapsulated or target.encapsulated):
        target_uid = EXPLICIT_VR_LITTLE_ENDIAN if target.deflated else uid
        return await _with_other_pixels(archive, instance, target_uid, deidentified)
    if deidentified is not None:
        return await _without_identity(archive, instance, deidentified)
    if _is_odd(instance):
        return _DataSet(await asyncio.to_thread(_plan, archive, instance, None))
    if stored.deflated and uid != stored.uid:
        return _DataSet(None)
    if uid == stored.uid or not (stored.implicit_vr or stored.big_endian):
        length = instance.size - instance.dataset_offset
        return _DataSet(Plan((Span(instance.dataset_offset, length),), length))
    return _DataSet(await asyncio.to_thread(_plan, archive, instance, None))


def _is_odd(instance: StoredInstance) -> bool:
    """Whether the data set may be in another VR encoding than its Transfer Syntax has: nobody else could read it."""
    stored = transfer_syntaxes.get(instance.transfer_syntax_uid)
    return not instance.has_preamble and (stored.encapsulated or stored.deflated)


def _plan(
    archive: Archive, instance: StoredInstance, edits: Edits | None, deidentified: Deidentified | None = None
) -> Plan:
    opened = archive.blobs.open(instance.key)
    try:
        source: Source = opened
        if transfer_syntaxes.get(instance.transfer_syntax_uid).deflated:
            source = InflatedSource(opened, instance.dataset_offset, archive.settings.max_inflated_bytes)
        if deidentified is not None:
            return deidentified.convert(source, instance, edits or Edits())
        return convert(source, instance.dataset_offset, instance.transfer_syntax_uid, edits)
    except (CannotUnderstand, OutOfResources) as error:
        raise NoAcceptableRepresentation(
            f"{instance.path} can not be converted to Explicit VR Little Endian: {error.message}"
        ) from error
    finally:
        opened.close()


async def _carry_out(
    archive: Archive, instance: StoredInstance, data_set: _DataSet, part: ByteRange | None
) -> AsyncIterator[Chunk]:
    """The bytes of a data set, or a part of them where their length is known."""
    if data_set.plan is None:
        async for chunk in plain.inflated(archive, instance, None):
            yield chunk
        return
    at = 0
    if transfer_syntaxes.get(instance.transfer_syntax_uid).deflated:
        async for chunk in _inflated_once(archive, instance, data_set):
            found = chunk if part is None else representation.cut(chunk, at, part)
            at += len(chunk)
            if len(found):
                yield found
            if part is not None and at >= part.end:
                return
        return
    for piece in data_set.plan.pieces:
        length = _length(piece, data_set)
        if part is None:
            wanted: ByteRange | None = None
        else:
            start, end = max(part.offset - at, 0), min(part.end - at, length or 0)
            at += length or 0
            if start >= end:
                continue
            wanted = ByteRange(start, end - start)
        if isinstance(piece, bytes):
            for literal in conversion.pieces(piece, wanted):
                yield literal
            continue
        async for chunk in _read(archive, instance, piece, data_set, wanted):
            yield chunk


async def _inflated_once(archive: Archive, instance: StoredInstance, data_set: _DataSet) -> AsyncIterator[Chunk]:
    """The same from a deflated data set: its spans ascend, so that it is inflated once and not for each of them."""
    assert data_set.plan is not None
    chunks = plain.inflated(archive, instance, None)
    at, held = instance.dataset_offset, memoryview(b"")
    try:
        for piece in data_set.plan.pieces:
            if isinstance(piece, bytes):
                for literal in conversion.pieces(piece, None):
                    yield literal
            elif isinstance(piece, Gap):
                async for chunk in _read(archive, instance, piece, data_set, None):
                    yield chunk
            else:
                while at < piece.offset + piece.length:
                    if not held:
                        held = memoryview(await anext(chunks))
                    skip = max(0, min(piece.offset - at, len(held)))
                    wanted = held[skip : max(skip, piece.offset + piece.length - at)]
                    at += skip + len(wanted)
                    held = held[skip + len(wanted) :]
                    if wanted:
                        yield wanted
    except StopAsyncIteration as error:
        raise Damaged(f"The deflated data set of {instance.path} ends too early.") from error
    finally:
        await representation.close(chunks)


def _length(piece: Piece, data_set: _DataSet) -> int | None:
    if isinstance(piece, Gap):
        return 0 if data_set.gap is None else data_set.gap.length
    return len(piece) if isinstance(piece, bytes) else piece.length


def _read(
    archive: Archive, instance: StoredInstance, piece: Span | Gap, data_set: _DataSet, wanted: ByteRange | None
) -> AsyncIterator[Chunk]:
    if isinstance(piece, Gap):
        assert data_set.gap is not None
        return data_set.gap.read(wanted)
    value = plain.Value((ByteRange(piece.offset, piece.length),), piece.word)
    return plain.read(archive, instance, value, wanted)


async def _deflated(archive: Archive, chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    """Deflate a data set (PS3.5 Annex A.5); to even length."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    length = 0
    async for chunk in chunks:
        data = await archive.workers.run(deflater.compress, chunk)
        if data:
            length += len(data)
            yield data
    data = deflater.flush()
    yield data + b"\0" * ((length + len(data)) % 2)


# With other pixel data


async def _with_other_pixels(
    archive: Archive, instance: StoredInstance, uid: str, deidentified: Deidentified | None
) -> _DataSet:
    """The data set in Explicit VR Little Endian with its pixel data converted to a Transfer Syntax.

    Raises
    ------
    BadPixels
        The first frame can not be converted.
    NoAcceptableRepresentation
        All frames together are too long for a native value.
    """
    first = await conversion.frame(archive, instance, 1, uid)
    changed = transcode.changes(
        await representation.attributes(archive, instance),
        instance.transfer_syntax_uid,
        uid,
        first.image,
        ratio=first.image.frame_bytes / max(1, len(first.data)),
    )
    elements = dict.fromkeys(_OFFSET_TABLES, b"") | explicit_writer.elements(changed)
    plan = await _plan_with_gap(archive, instance, elements, deidentified)
    if transfer_syntaxes.get(uid).encapsulated:
        gap = _encapsulated(archive, instance, uid, first)
    else:
        gap = await _native(archive, instance, uid, first)
    return _DataSet(plan, gap, (changed.get("00080018") or {}).get("Value", [None])[0])


async def _plan_with_gap(
    archive: Archive, instance: StoredInstance, elements: Mapping[int, bytes], deidentified: Deidentified | None
) -> Plan:
    """The data set with a gap where its pixel data is."""
    delimiter = _LAST_ITEM if instance.encapsulated else b""
    behind = instance.pixel_offset + instance.pixel_length + len(delimiter)
    edits = Edits(elements, (int(instance.pixel_tag, 16), behind))
    plan = await asyncio.to_thread(_plan, archive, instance, edits, deidentified)
    if sum(isinstance(piece, Gap) for piece in plan.pieces) != 1:
        raise NoAcceptableRepresentation(f"The pixel data of {instance.path} is not where it should be.")
    return plan


async def _without_identity(archive: Archive, instance: StoredInstance, deidentified: Deidentified) -> _DataSet:
    """The data set with its pixel data as it is stored, in Explicit VR Little Endian."""
    if not instance.encapsulated:
        return _DataSet(await asyncio.to_thread(_plan, archive, instance, None, deidentified))
    head = explicit_writer.header(int(instance.pixel_tag, 16), "OB", _UNDEFINED)
    stored = ByteRange(instance.pixel_offset, instance.pixel_length)

    async def read(part: ByteRange | None) -> AsyncIterator[Chunk]:
        part = part or ByteRange(0, length)
        if chunk := representation.cut(head, 0, part):
            yield chunk
        start, end = max(part.offset - len(head), 0), min(part.end - len(head), stored.length)
        if start < end:
            async for piece in plain.stored(archive, instance, ByteRange(stored.offset + start, end - start)):
                yield piece
        if chunk := representation.cut(_LAST_ITEM, len(head) + stored.length, part):
            yield chunk

    length = len(head) + stored.length + len(_LAST_ITEM)
    plan = await _plan_with_gap(archive, instance, {}, deidentified)
    return _DataSet(plan, Representation("", "", length, read))


def _encapsulated(archive: Archive, instance: StoredInstance, uid: str, first: Frame) -> Representation:
    """The element of encapsulated pixel data: one Fragment for each frame (PS3.5 Annex A.4)."""
    head = explicit_writer.header(int(instance.pixel_tag, 16), "OB", _UNDEFINED) + _FIRST_ITEM

    async def write() -> AsyncIterator[Chunk]:
        yield head
        frames = conversion.every(archive, instance, uid)
        try:
            async for frame in frames:
                conversion.check_alike(instance, first, frame)
                padding = len(frame.data) % 2
                yield _ITEM.pack(0xFFFE, 0xE000, len(frame.data) + padding)
                for piece in conversion.pieces(frame.data, None):
                    yield piece
                if padding:
                    yield b"\0"
        finally:
            await representation.close(frames)
        yield _LAST_ITEM

    async def read(part: ByteRange | None) -> AsyncIterator[Chunk]:
        at = 0
        async for chunk in write():
            wanted = chunk if part is None else representation.cut(chunk, at, part)
            at += len(chunk)
            if len(wanted):
                yield wanted

    length = len(head) + 8 + len(first.data) + len(first.data) % 2 + 8 if instance.frames == 1 else None
    return Representation("", "", length, read)


async def _native(archive: Archive, instance: StoredInstance, uid: str, first: Frame) -> Representation:
    """The element of native pixel data."""
    whole = await conversion.represent_whole(archive, instance, Offer("", transfer_syntax_uid=uid), "")
    value = whole.length or 0
    padding = value % 2
    if value > _LONGEST_VALUE:
        raise NoAcceptableRepresentation(
            f"The decompressed pixel data is too long for a native value: {value} bytes."
            " Encapsulated Transfer Syntaxes can hold it."
        )
    head = explicit_writer.header(int(instance.pixel_tag, 16), transcode.pixel_vr(uid, first.image), value + padding)
    length = len(head) + value + padding

    async def read(part: ByteRange | None) -> AsyncIterator[Chunk]:
        part = part or ByteRange(0, length)
        if chunk := representation.cut(head, 0, part):
            yield chunk
        start, end = max(part.offset - len(head), 0), min(part.end - len(head), value)
        if start < end:
            async for chunk in whole.read(ByteRange(start, end - start)):
                yield chunk
        if padding and part.end == length and part.length:
            yield b"\0"

    return Representation("", "", length, read)
