"""Retrieve Instances — PS3.18 §10.4, the Instance resources of Table 10.4.1-1.

Request   GET /studies/{study}, …/series/{series}, …/instances/{instance}.
Behavior  Each Instance goes out in a Transfer Syntax that is acceptable: as stored, or, where it is stored
          natively, converted to Explicit VR Little Endian. Implicit VR and Big Endian never go out (§8.7.3).
Response  200 with multipart/related of application/dicom, or application/dicom alone for one Instance; 206 with a
          Warning when some Instances can not be sent acceptably; 406 when none can. Asked for as octet-stream:
          the bulkdata (Table 10.4.4-1).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from skiagraph.errors import CannotUnderstand, NoAcceptableRepresentation, ResourceNotFound
from skiagraph.index.base import StoredInstance
from skiagraph.services import bulkdata, plain, representation
from skiagraph.services.archive import Archive
from skiagraph.services.representation import Damaged, Representation, Version
from skiagraph.standard import file_meta, transfer_syntaxes
from skiagraph.standard.explicit_le import Plan, Span, convert
from skiagraph.standard.media_types import DICOM
from skiagraph.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from skiagraph.values import ByteRange, Level, ResourcePath
from skiagraph.wire import multipart_writer
from skiagraph.wire.accept import (
    Choice,
    Offer,
    Targets,
    bulkdata_offers,
    convertible_natively,
    for_instance,
    instance_offers,
)
from skiagraph.wire.conditional import entity_tag
from skiagraph.wire.message import Chunk, Request, Response
from skiagraph.wire.transaction import Transaction

HELD = 10_000
"""Index entries of one answer that are held in memory; beyond, they are read a second time while sending."""


async def retrieve(archive: Archive, request: Request) -> Response:
    """GET a Study, a Series or an Instance."""
    path = representation.resource(request)
    if path.level is Level.INSTANCE:
        return await _retrieve_instance(archive, request, path)
    return await _retrieve_instances(archive, request, path)


async def _retrieve_instance(archive: Archive, request: Request, path: ResourcePath) -> Response:
    instance = await archive.index.locate(path)
    offers = _offers(instance.transfer_syntax_uid, bool(instance.pixel_tag), single=True)
    choice = representation.negotiate(archive, request, offers)
    if choice.offer.media_type != DICOM:
        return await bulkdata.everything(archive, request, path)
    version = representation.version_of(instance, choice.offer)
    unchanged = representation.not_modified(request, version)
    if unchanged is not None:
        return unchanged
    encoded = await encode(archive, instance, choice.offer, representation.url(request, path))
    if choice.multipart:
        return await representation.multipart(request, [encoded], version)
    return await representation.single(request, encoded, version)


async def _retrieve_instances(archive: Archive, request: Request, path: ResourcePath) -> Response:
    survey = await _survey(archive, path)
    offers = dict.fromkeys(offer for kind in survey.kinds for offer in _offers(*kind))
    choice = representation.negotiate(archive, request, tuple(offers))
    if choice.offer.media_type != DICOM:
        return await bulkdata.everything(archive, request, path)
    version = Version(
        entity_tag(f"{survey.version}-{_variant(request)}", weak=True),  # each answer has a boundary of its own
        survey.last_modified,
    )
    unchanged = representation.not_modified(request, version)
    if unchanged is not None:
        return unchanged
    chosen = {kind: _take(choice, kind) for kind in survey.kinds}
    total = survey.kinds.total()
    acceptable = sum(count for kind, count in survey.kinds.items() if chosen[kind] is not None)
    if not acceptable:
        raise NoAcceptableRepresentation(
            "None of the Instances can be sent in an acceptable Transfer Syntax.", details=tuple(map(str, offers))
        )
    boundary = multipart_writer.new_boundary()
    base = request.base_url
    return await representation.multipart(
        request,
        _parts(archive, survey.held or _again(archive, path), chosen, base),
        version,
        status=200 if acceptable == total else 206,
        length=_measure(boundary, survey, chosen, base),
        boundary=boundary,
        warning=None
        if acceptable == total
        else f"{total - acceptable} of {total} instances can not be sent in an acceptable transfer syntax",
    )


# What there is


@dataclass(frozen=True, slots=True)
class _Survey:
    """The Instances of a Study or Series before the status is sent."""

    kinds: Counter[tuple[str, bool]]
    """How many there are by Transfer Syntax, and whether they have pixel data."""
    held: list[StoredInstance]
    """All of them; empty when there are too many to hold."""
    last_modified: float
    version: str


async def _survey(archive: Archive, path: ResourcePath) -> _Survey:
    version = await archive.index.version(path)
    kinds: Counter[tuple[str, bool]] = Counter()
    held: list[StoredInstance] = []
    last_modified = 0.0
    async for chunk in await archive.index.instances(path):
        kinds.update((instance.transfer_syntax_uid, bool(instance.pixel_tag)) for instance in chunk)
        last_modified = max(last_modified, max(instance.stored_at for instance in chunk))
        if kinds.total() <= HELD:
            held.extend(chunk)
        else:
            held.clear()
    return _Survey(kinds, held, last_modified, version)


async def _again(archive: Archive, path: ResourcePath) -> AsyncIterator[StoredInstance]:
    async for chunk in await archive.index.instances(path):
        for instance in chunk:
            yield instance


# What can be made of it


def _pixels_apart(stored_uid: str) -> tuple[str, ...]:
    """Without pixel data, a data set of a compressed syntax is one of Explicit VR Little Endian."""
    syntax = transfer_syntaxes.get(stored_uid)
    return (EXPLICIT_VR_LITTLE_ENDIAN,) if syntax.encapsulated else convertible_natively(stored_uid)


def _offers(transfer_syntax_uid: str, has_pixels: bool, *, single: bool = False) -> tuple[Offer, ...]:
    targets: Targets = convertible_natively if has_pixels else _pixels_apart
    return (*instance_offers((transfer_syntax_uid,), targets, single=single), *bulkdata_offers(None))


def _take(choice: Choice, kind: tuple[str, bool]) -> Offer | None:
    return for_instance(choice, _offers(*kind))


def _variant(request: Request) -> str:
    return representation.variant(request.headers.get("accept", ""), request.query)


def _measure(boundary: str, survey: _Survey, chosen: dict[tuple[str, bool], Offer | None], base_url: str) -> int | None:
    """Content-Length, where every part goes out as it is stored."""
    parts = []
    for instance in survey.held:
        offer = chosen[instance.transfer_syntax_uid, bool(instance.pixel_tag)]
        if offer is not None:
            if not _as_stored(instance, offer):
                return None
            parts.append(_stored(None, instance, offer, f"{base_url}/{instance.path}"))
    return representation.measure(boundary, parts) if parts else None


async def _parts(
    archive: Archive,
    instances: Sequence[StoredInstance] | AsyncIterator[StoredInstance],
    chosen: dict[tuple[str, bool], Offer | None],
    base_url: str,
) -> AsyncIterator[Representation]:
    if isinstance(instances, Sequence):
        instances = representation.iterate(instances)
    async for instance in instances:
        offer = chosen.get((instance.transfer_syntax_uid, bool(instance.pixel_tag)))
        if offer is not None:
            yield await encode(archive, instance, offer, f"{base_url}/{instance.path}")


# One Instance


def _as_stored(instance: StoredInstance, offer: Offer) -> bool:
    return instance.has_preamble and offer.transfer_syntax_uid == instance.transfer_syntax_uid


async def encode(archive: Archive, instance: StoredInstance, offer: Offer, location: str) -> Representation:
    """One Instance as a PS3.10 file in the Transfer Syntax of the offer.

    Raises
    ------
    Damaged
        The stored bytes are missing.
    NoAcceptableRepresentation
        They can not be converted.
    """
    if _as_stored(instance, offer):
        return _stored(archive, instance, offer, location)
    try:
        return await _encoded(archive, instance, offer, location)
    except ResourceNotFound as error:
        raise Damaged(error.message) from error


async def _encoded(archive: Archive, instance: StoredInstance, offer: Offer, location: str) -> Representation:
    """With File Meta Information of our own, and where need be converted."""
    uid = offer.transfer_syntax_uid or instance.transfer_syntax_uid
    prefix = bytes(await archive.blobs.read_bytes(instance.key, ByteRange(0, instance.dataset_offset)))
    meta = file_meta.write(
        file_meta.read(prefix),
        transfer_syntax_uid=uid,
        sop_class_uid=instance.sop_class_uid,
        sop_instance_uid=instance.path.sop_instance_uid or "",
    )
    stored = transfer_syntaxes.get(instance.transfer_syntax_uid)
    if stored.deflated and uid != stored.uid:
        return Representation(offer.content_type, location, None, lambda _: _inflated(archive, instance, meta))
    if uid == stored.uid or not (stored.implicit_vr or stored.big_endian):
        data_set = ByteRange(instance.dataset_offset, instance.size - instance.dataset_offset)
        plan = Plan((meta, Span(data_set.offset, data_set.length)), len(meta) + data_set.length)
    else:
        converted = await asyncio.to_thread(_convert, archive, instance)
        plan = Plan((meta, *converted.pieces), len(meta) + converted.length)
    return Representation(
        offer.content_type, location, plan.length, lambda part: _carry_out(archive, instance, plan, part)
    )


def _stored(archive: Archive | None, instance: StoredInstance, offer: Offer, location: str) -> Representation:
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


def _convert(archive: Archive, instance: StoredInstance) -> Plan:
    opened = archive.blobs.open(instance.key)
    try:
        return convert(opened, instance.dataset_offset, instance.transfer_syntax_uid)
    except CannotUnderstand as error:
        raise NoAcceptableRepresentation(
            f"{instance.path} can not be converted to Explicit VR Little Endian: {error.message}"
        ) from error
    finally:
        opened.close()


async def _inflated(archive: Archive, instance: StoredInstance, meta: bytes) -> AsyncIterator[Chunk]:
    yield meta
    async for chunk in plain.inflated(archive, instance, None):
        yield chunk


async def _carry_out(
    archive: Archive, instance: StoredInstance, plan: Plan, part: ByteRange | None
) -> AsyncIterator[Chunk]:
    """The bytes of a plan, or a part of them."""
    part = part or ByteRange(0, plan.length)
    at = 0
    for piece in plan.pieces:
        if isinstance(piece, bytes):
            chunk = representation.cut(piece, at, part)
            if chunk:
                yield chunk
            at += len(piece)
            continue
        start, end = max(part.offset - at, 0), min(part.end - at, piece.length)
        if start < end:
            wanted = ByteRange(start, end - start)
            if piece.word == 1:
                chunks = archive.blobs.read(instance.key, ByteRange(piece.offset + start, wanted.length))
            else:
                value = plain.Value((ByteRange(piece.offset, piece.length),), piece.word)
                chunks = plain.read(archive, instance, value, wanted)
            async for chunk in chunks:
                yield chunk
        at += piece.length


_STATUSES = frozenset({200, 206, 304, 400, 404, 406, 410, 412, 413, 416})
_MEDIA_TYPES = (
    'multipart/related; type="application/dicom"',
    'multipart/related; type="application/octet-stream"',
)

TRANSACTIONS: tuple[Transaction, ...] = (
    Transaction("Retrieve Study", "10.4", "GET", "/studies/{study}", "read", _STATUSES, _MEDIA_TYPES, retrieve),
    Transaction(
        "Retrieve Series", "10.4", "GET", "/studies/{study}/series/{series}", "read", _STATUSES, _MEDIA_TYPES, retrieve
    ),
    Transaction(
        "Retrieve Instance",
        "10.4",
        "GET",
        "/studies/{study}/series/{series}/instances/{instance}",
        "read",
        _STATUSES,
        (*_MEDIA_TYPES, "application/dicom"),
        retrieve,
    ),
)
