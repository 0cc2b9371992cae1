"""Retrieve Instances — PS3.18 §10.4, the Instance resources of Table 10.4.1-1.

Request   GET /studies/{study}, …/series/{series}, …/instances/{instance}.
Behavior  Each Instance goes out in a Transfer Syntax that is acceptable: as stored, or converted, its pixel data
          included. Implicit VR and Big Endian never go out (§8.7.3).
Response  200 with multipart/related of application/dicom, or application/dicom alone for one Instance; 206 with a
          Warning when some Instances can not be sent acceptably; 406 when none can. Asked for as octet-stream:
          the bulkdata (Table 10.4.4-1), of a video as a single part too; as application/zip, an extension: the files
          in an archive. Among several Instances, one whose pixels turn out to be damaged when they should be converted
          goes out as it is stored, and its part says so.

``anonymize=yes``, the parameter of the URI Service, is taken here too, as an extension (`deidentified`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import structlog

from skiagraph.errors import BadRequest, NoAcceptableRepresentation
from skiagraph.index.base import StoredInstance
from skiagraph.pixels.image import BadPixels
from skiagraph.services import bulkdata, conversion, deidentified, encoding, representation, zipped
from skiagraph.services.archive import Archive
from skiagraph.services.conversion import Conversions
from skiagraph.services.representation import Representation, Version
from skiagraph.services.zipped import File
from skiagraph.standard import dicom_json, media_types
from skiagraph.standard.media_types import DICOM, ZIP
from skiagraph.values import Level, ResourcePath
from skiagraph.wire import multipart_writer, query
from skiagraph.wire.accept import (
    Choice,
    Offer,
    bulkdata_offers,
    convertible_natively,
    for_instance,
    instance_offers,
)
from skiagraph.wire.conditional import entity_tag
from skiagraph.wire.message import Request, Response
from skiagraph.wire.transaction import Transaction

log = structlog.get_logger("retrieve")

Kind: TypeAlias = tuple[str, Conversions]
"""What Instances have in common for negotiation: Transfer Syntax as stored, and what they can be converted to."""

HELD = 10_000
"""Index entries of one answer that are held in memory; beyond, they are read a second time while sending."""


async def retrieve(archive: Archive, request: Request) -> Response:
    """GET a Study, a Series or an Instance."""
    path = representation.resource(request)
    anonymize = query.anonymize(request.query)
    if anonymize and query.dicomdir(request.query):
        raise BadRequest("A DICOMDIR names the patient: 'dicomdir=yes' and 'anonymize=yes' do not go together.")
    if path.level is Level.INSTANCE:
        response = await _retrieve_instance(archive, request, path, anonymize)
    else:
        response = await _retrieve_instances(archive, request, path, anonymize)
    if anonymize:  # what was sent is not to be found where it was asked for
        response.headers[:] = [field for field in response.headers if field[0] != "content-location"]
    return response


async def _retrieve_instance(archive: Archive, request: Request, path: ResourcePath, anonymize: bool) -> Response:
    instance = await archive.index.locate(path)
    uid = instance.transfer_syntax_uid
    offers = _offers((uid, conversion.possible(instance)), single=True, files_only=anonymize)
    if instance.video and not anonymize:  # one value, whose type tells it from the Instance
        offers += tuple(offer for offer in bulkdata_offers(uid, single=True) if not offer.multipart)
    choice = representation.negotiate(archive, request, offers)
    if choice.offer.media_type in representation.FILES and conversion.in_doubt(choice.offer):
        offers = _offers((uid, await conversion.certain(archive, instance)), single=True, files_only=anonymize)
        choice = representation.negotiate(archive, request, offers)
    if choice.offer.media_type not in representation.FILES:
        if not choice.multipart:
            return await bulkdata.retrieve_pixel_data(archive, request)
        return await bulkdata.everything(archive, request, path)
    if anonymize:
        return await _retrieve_deidentified(archive, request, instance, choice)
    describe = _describe(archive, request) if choice.offer.media_type == ZIP else None
    version = representation.version_of(instance, choice.offer, *(() if describe is None else ("dicomdir",)))
    unchanged = representation.not_modified(request, version)
    if unchanged is not None:
        return unchanged
    try:
        encoded = await encoding.encode(archive, instance, choice.offer, representation.url(request, path))
    except BadPixels as error:
        natively = tuple(to for to in conversion.possible(instance) if to in convertible_natively(uid))
        choice = conversion.among_stored(archive, request, error, _offers((uid, natively), single=True))
        version = representation.version_of(instance, choice.offer)
        encoded = await encoding.encode(archive, instance, choice.offer, representation.url(request, path))
    if choice.offer.media_type == ZIP:
        file = File(instance, encoded)
        return await zipped.respond(
            request,
            path,
            representation.iterate([file]),
            version,
            length=zipped.measure(path, [file]),
            describe=describe,
        )
    if choice.multipart:
        return await representation.multipart(request, [encoded], version)
    return await representation.single(request, encoded, version)


async def _retrieve_deidentified(
    archive: Archive, request: Request, instance: StoredInstance, choice: Choice
) -> Response:
    found = await deidentified.deidentify(archive, instance)
    version = replace(
        representation.version_of(instance, choice.offer, deidentified.detail(found.path)), last_modified=None
    )
    response = representation.not_modified(request, version)
    if response is None:
        encoded = await encoding.encode(archive, instance, choice.offer, "", found)
        if choice.offer.media_type == ZIP:
            file = File(found.named(instance), encoded)
            response = await zipped.respond(
                request, found.path, representation.iterate([file]), version, length=zipped.measure(found.path, [file])
            )
        elif choice.multipart:
            response = await representation.multipart(request, [encoded], version)
        else:
            response = await representation.single(request, encoded, version)
    if found.caution is not None:
        response.headers.append(("warning", f"299 {request.base_url}: {found.caution}"))
    return response


async def _retrieve_instances(archive: Archive, request: Request, path: ResourcePath, anonymize: bool) -> Response:
    survey = await _survey(archive, path, certain=anonymize, anonymize=anonymize)
    if survey.refused and not survey.kinds:
        raise deidentified.CanNotBeDeidentified("None of the Instances can be de-identified; each one says why.")
    offers, choice, chosen = _negotiate(archive, request, survey)
    if (
        choice.offer.media_type in representation.FILES
        and not survey.certain
        and any(map(conversion.in_doubt, chosen.values()))
    ):
        survey = await _survey(archive, path, certain=True, anonymize=False)
        offers, choice, chosen = _negotiate(archive, request, survey)
    if choice.offer.media_type not in representation.FILES:
        return await bulkdata.everything(archive, request, path)
    named = deidentified.renamed(archive, path) if anonymize else path
    version = Version(
        # each answer has a boundary of its own
        entity_tag(f"{survey.version}-{_variant(request, named)}", weak=True),
    )
    unchanged = representation.not_modified(request, version)
    if unchanged is not None:
        return unchanged
    total = survey.kinds.total()
    acceptable = sum(count for kind, count in survey.kinds.items() if chosen[kind] is not None)
    if not acceptable:
        raise NoAcceptableRepresentation(
            "None of the Instances can be sent in an acceptable Transfer Syntax.", details=tuple(map(str, offers))
        )
    warnings = []
    if acceptable < total:
        warnings.append(f"{total - acceptable} of {total} instances can not be sent in an acceptable transfer syntax")
    if survey.refused:
        warnings.append(f"{survey.refused} of {survey.refused + total} instances can not be de-identified")
    status = 206 if warnings else 200
    if survey.cautions:
        warnings.append(f"pixels were not cleaned: text or faces may be in {survey.cautions} of the instances")
    warning = "; ".join(warnings) or None
    files = _files(archive, path, survey, chosen, request.base_url)
    known = _unchanged(survey, chosen, request.base_url)
    if choice.offer.media_type == ZIP:
        length = None if known is None else zipped.measure(path, known)
        return await zipped.respond(
            request,
            named,
            files,
            version,
            status=status,
            length=length,
            warning=warning,
            describe=_describe(archive, request),
        )
    boundary = multipart_writer.new_boundary()
    return await representation.multipart(
        request,
        _parts(files),
        version,
        status=status,
        length=None if known is None else representation.measure(boundary, [file.content for file in known]),
        boundary=boundary,
        warning=warning,
    )


# What there is


@dataclass(frozen=True, slots=True)
class _Survey:
    """The Instances of a Study or Series before the status is sent."""

    kinds: Counter[Kind]
    """How many there are of each kind."""
    certain: bool
    """The kinds are what a look at the metadata says."""
    held: list[tuple[StoredInstance, Kind]]
    """All of them; empty when there are too many to hold."""
    version: str
    anonymize: bool
    """They are to be sent de-identified."""
    refused: int
    """How many can not be, which are not among the others."""
    cautions: int
    """Of how many, once they are, one has to know that their pixels were not cleaned."""


async def _survey(archive: Archive, path: ResourcePath, *, certain: bool, anonymize: bool) -> _Survey:
    version = await archive.index.version(path)
    kinds: Counter[Kind] = Counter()
    held: list[tuple[StoredInstance, Kind]] = []
    outcomes: Counter[deidentified.Outcome] = Counter()
    async for instance, kind, outcome in _instances(archive, path, certain=certain, anonymize=anonymize):
        outcomes[outcome] += 1
        if outcome is deidentified.Outcome.REFUSED:
            continue
        kinds[kind] += 1
        if kinds.total() <= HELD:
            held.append((instance, kind))
        else:
            held.clear()
    refused, cautions = outcomes[deidentified.Outcome.REFUSED], outcomes[deidentified.Outcome.CAUTION]
    return _Survey(kinds, certain, held, version, anonymize, refused, cautions)


async def _instances(
    archive: Archive, path: ResourcePath, *, certain: bool, anonymize: bool
) -> AsyncIterator[tuple[StoredInstance, Kind, deidentified.Outcome]]:
    outcome = deidentified.Outcome.FINE
    if certain:
        async for documents in await archive.index.documents(path):
            for instance, document in documents:
                attributes = dicom_json.decode(document)
                conversions = conversion.convertible(archive, instance, attributes)
                if anonymize:
                    outcome = deidentified.outcome(instance, attributes)
                yield instance, (instance.transfer_syntax_uid, conversions), outcome
        return
    async for chunk in await archive.index.instances(path):
        for instance in chunk:
            yield instance, (instance.transfer_syntax_uid, conversion.possible(instance)), outcome


# What can be made of it


def _offers(kind: Kind, *, single: bool = False, files_only: bool = False) -> tuple[Offer, ...]:
    uid, conversions = kind
    offers = (*instance_offers((uid,), conversion.giving(conversions), single=single), *bulkdata_offers(None))
    return tuple(offer for offer in offers if offer.media_type in representation.FILES) if files_only else offers


def _negotiate(
    archive: Archive, request: Request, survey: _Survey
) -> tuple[tuple[Offer, ...], Choice, dict[Kind, Offer | None]]:
    """What there is to choose from, the choice, and what it comes to for each kind."""
    by_kind = {kind: _offers(kind, files_only=survey.anonymize) for kind in survey.kinds}
    offers = tuple(dict.fromkeys(offer for offered in by_kind.values() for offer in offered))
    choice = representation.negotiate(archive, request, offers)
    return offers, choice, {kind: for_instance(choice, offered) for kind, offered in by_kind.items()}


def _describe(archive: Archive, request: Request) -> zipped.Describe | None:
    """What a DICOMDIR is made of, where one is asked for."""
    if not query.dicomdir(request.query):
        return None
    return partial(representation.attributes, archive)


def _variant(request: Request, named: ResourcePath) -> str:
    return representation.variant(request.headers.get("accept", ""), request.query, deidentified.detail(named))


def _unchanged(survey: _Survey, chosen: dict[Kind, Offer | None], base_url: str) -> list[File] | None:
    """What is going to be sent, to be measured; None unless all of it goes out as it is stored."""
    if survey.anonymize:
        return None
    files = []
    for instance, kind in survey.held:
        offer = chosen[kind]
        if offer is not None:
            if not encoding.is_as_stored(instance, offer):
                return None
            files.append(File(instance, encoding.as_it_is(None, instance, offer, f"{base_url}/{instance.path}")))
    return files or None


async def _files(
    archive: Archive, path: ResourcePath, survey: _Survey, chosen: dict[Kind, Offer | None], base_url: str
) -> AsyncIterator[File]:
    instances = representation.iterate(survey.held) if survey.held else _again(archive, path, survey)
    async for instance, kind in instances:
        offer = chosen.get(kind)
        if offer is None:
            continue
        if survey.anonymize:
            found = await deidentified.deidentify(archive, instance)
            yield File(found.named(instance), await _encode(archive, instance, offer, "", found))
        else:
            yield File(instance, await _encode(archive, instance, offer, f"{base_url}/{instance.path}"))


async def _again(archive: Archive, path: ResourcePath, survey: _Survey) -> AsyncIterator[tuple[StoredInstance, Kind]]:
    instances = _instances(archive, path, certain=survey.certain, anonymize=survey.anonymize)
    async for instance, kind, outcome in instances:
        if outcome is not deidentified.Outcome.REFUSED:
            yield instance, kind


async def _parts(files: AsyncIterator[File]) -> AsyncIterator[Representation]:
    try:
        async for file in files:
            yield file.content
    finally:
        await representation.close(files)


async def _encode(
    archive: Archive,
    instance: StoredInstance,
    offer: Offer,
    location: str,
    found: deidentified.Deidentified | None = None,
) -> Representation:
    try:
        return await encoding.encode(archive, instance, offer, location, found)
    except NoAcceptableRepresentation as error:
        stored = instance.transfer_syntax_uid
        if stored in media_types.NEVER_SENT or not instance.has_preamble:
            raise
        log.warning("sent as stored", sop_instance_uid=instance.path.sop_instance_uid, reason=error.message)
        return await encoding.encode(archive, instance, Offer(DICOM, offer.multipart, stored, True), location, found)


_STATUSES = frozenset({200, 206, 304, 400, 404, 406, 410, 412, 413, 416})
_MEDIA_TYPES = (
    'multipart/related; type="application/dicom"',
    'multipart/related; type="application/octet-stream"',
    ZIP,
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
        (*_MEDIA_TYPES, "application/dicom", "video/*"),
        retrieve,
    ),
)
