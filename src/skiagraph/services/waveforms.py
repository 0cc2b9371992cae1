"""Waveforms as pictures: ECG, EEG, pressures, sound and the like — PS3.18 §10.4, Rendered and Thumbnail.

What is on the page is planned from the metadata; then exactly the samples that it needs are read, a piece at a time,
and each piece becomes a few values for each channel before the next one is read.
"""

from __future__ import annotations

from skiagraph.errors import NoAcceptableRepresentation, ResourceNotFound
from skiagraph.index.base import StoredInstance
from skiagraph.pixels import picture, waveform, waveform_plot
from skiagraph.pixels.rendition import Rendition
from skiagraph.pixels.waveform_plan import Plan, plan
from skiagraph.pixels.waveform_samples import Samples, Span, Trace
from skiagraph.services import pictures, plain, representation
from skiagraph.services.archive import Archive
from skiagraph.services.representation import Representation, Version
from skiagraph.standard import dicom_json, transfer_syntaxes
from skiagraph.values import Attributes, ByteRange
from skiagraph.wire import query
from skiagraph.wire.accept import refuse_dicom, rendered_offers
from skiagraph.wire.conditional import entity_tag
from skiagraph.wire.message import Request, Response
from skiagraph.wire.rendering_query import RenderingQuery

VERSION = "1"
"""Goes up whenever the same request may give other bytes than before: part of every entity tag."""


def is_waveform(instance: StoredInstance) -> bool:
    """Whether an Instance is a waveform, as its SOP Class tells."""
    return waveform.is_waveform(instance.sop_class_uid) and not instance.pixel_tag


async def retrieve(archive: Archive, request: Request, instance: StoredInstance, asked: RenderingQuery) -> Response:
    """Answer a request for the rendered form of a waveform: one picture.

    Raises
    ------
    NoAcceptableRepresentation
        There is nothing that can be plotted, or none of the media types is acceptable.
    BadRequest
        DICOM media types are asked for beside rendered ones (§8.7.5), or the viewport does not fit the page.
    """
    refuse_dicom(request.headers.get("accept"), query.accept(request.query))
    choice = representation.negotiate(archive, request, rendered_offers(picture.MEDIA_TYPES, single=True))
    wanted = pictures.rendition_of(asked, choice.offer.media_type)
    details = representation.variant(str(choice.offer), VERSION, str(wanted))
    opaque = f"{representation.digest(instance)}-{details}"
    version = Version(entity_tag(opaque, weak=choice.multipart), instance.stored_at)
    unchanged = representation.not_modified(request, version)
    if unchanged is not None:
        return unchanged
    part = await represent(archive, instance, wanted, representation.url(request, instance.path))
    if choice.multipart:
        return await representation.multipart(request, [part], version)
    return await representation.single(request, part, version)


async def represent(archive: Archive, instance: StoredInstance, wanted: Rendition, location: str) -> Representation:
    """A waveform as a part. Raises as `encoded`."""
    return representation.made(await encoded(archive, instance, wanted), wanted.media_type, location)


async def encoded(archive: Archive, instance: StoredInstance, wanted: Rendition) -> bytes:
    """The waveforms of an Instance as a picture file.

    Raises
    ------
    NoAcceptableRepresentation
        There is nothing that can be plotted, or too much of it; the message says why.
    BadRequest
        The viewport does not fit the page.
    """
    key = ("waveform", VERSION, representation.digest(instance), wanted)
    return await archive.workers.once(key, lambda: _encoded(archive, instance, wanted), len)


async def can_be_shown(archive: Archive, instance: StoredInstance) -> bool:
    """Whether there is a group that can be plotted."""
    try:
        await _planned(archive, instance, await _attributes(archive, instance))
    except NoAcceptableRepresentation:
        return False
    return True


async def _encoded(archive: Archive, instance: StoredInstance, wanted: Rendition) -> bytes:
    async with archive.workers.turn("waveforms"):  # whose samples are held until they are drawn
        attributes = await _attributes(archive, instance)
        page = await _planned(archive, instance, attributes)
        traces = [await _read(archive, instance, panel.span) for panel in page.panels]
        return await archive.workers.run(waveform_plot.encoded, page, traces, attributes, wanted)


async def _attributes(archive: Archive, instance: StoredInstance) -> Attributes:
    return dicom_json.decode(await representation.content(archive, instance))


async def _planned(archive: Archive, instance: StoredInstance, attributes: Attributes) -> Plan:
    table = await archive.index.bulkdata(instance)

    def length(uri: str) -> int | None:
        entry = table.get(uri.removeprefix("bulkdata/"))
        return None if entry is None or entry.encapsulated else entry.length

    found = await archive.workers.run(waveform.from_attributes, attributes, length)
    return plan(found)


async def _read(archive: Archive, instance: StoredInstance, span: Span) -> Trace:
    samples, group = Samples(span), span.group
    if isinstance(group.data, bytes):
        for first, count in span.pieces(sequential=True):
            at = first * group.stride
            await archive.workers.run(samples.add, first, group.data[at : at + count * group.stride])
        return samples.trace()
    entry = (await archive.index.bulkdata(instance)).get(group.data.removeprefix("bulkdata/"))
    if entry is None:
        raise ResourceNotFound(f"The waveform data of {instance.path} are missing.")
    value = await plain.bulk(archive, instance, entry)
    if transfer_syntaxes.get(instance.transfer_syntax_uid).deflated:
        # What lies before has to be inflated anyway: once, and not for each piece
        await _follow(archive, instance, value, span, samples)
    else:
        for first, count in span.pieces():
            part = ByteRange(first * group.stride, count * group.stride)
            data = b"".join([bytes(chunk) async for chunk in plain.read(archive, instance, value, part)])
            await archive.workers.run(samples.add, first, data)
    return await archive.workers.run(samples.trace)


async def _follow(archive: Archive, instance: StoredInstance, value: plain.Value, span: Span, samples: Samples) -> None:
    """Read all of a span as one stream."""
    stride = span.group.stride
    part = ByteRange(span.first * stride, span.count * stride)
    rest, first = bytearray(), span.first
    async for chunk in plain.read(archive, instance, value, part):
        rest += chunk
        whole = len(rest) // stride
        if len(rest) >= plain.CHUNK or first + whole >= span.first + span.count:
            await archive.workers.run(samples.add, first, bytes(rest[: whole * stride]))
            first += whole
            del rest[: whole * stride]
