"""The images of a presentation state: which ones it refers to, their order, where they lie — PS3.18 §8.3.5.1.6.

A state may refer to as many images as somebody wrote into it. Look-ups do not wait for anything, so that others are
given their turn between them, and what is reckoned of many frames is reckoned beside the event loop.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from skiagraph.errors import NoAcceptableRepresentation, ResourceGone, ResourceNotFound
from skiagraph.index.base import StoredInstance
from skiagraph.pixels.image import ImageParams
from skiagraph.pixels.presentation import blending, planes
from skiagraph.pixels.presentation import state as states
from skiagraph.pixels.presentation.blending import Stack
from skiagraph.pixels.presentation.planes import Place, Plane
from skiagraph.pixels.presentation.references import SeriesReference
from skiagraph.pixels.presentation.state import State
from skiagraph.services import pictures, representation
from skiagraph.services.archive import Archive
from skiagraph.standard import dicom_json
from skiagraph.values import Attributes, ResourcePath

_AT_ONCE: Final = 2**16  # bytes of metadata that are worked on without handing over to another thread
_FEW: Final = 100  # images or frames that are looked at before others get their turn
_MOST_REGISTRATIONS: Final = 16
_PLACE_SIZE: Final = 700  # bytes in memory of the place of a frame, about


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame of an image that is shown."""

    instance: StoredInstance
    frame: int


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A presentation state and what of its images is in this archive."""

    instance: StoredInstance
    state: State
    shown: tuple[Shown, ...]
    """In the order in which they are shown."""
    number: dict[tuple[int, int], int]
    """Of each frame that the state shows, by image and number of the frame, from 0 in the order of the references."""
    over: tuple[Shown, ...]
    """Of a blending, the superimposed frames in the order of the references."""
    registrations: tuple[StoredInstance, ...]
    left_out: Counter[str]
    """How many images or frames are not shown, by reason."""
    token: str
    """Changes whenever the state, or what it shows, changes."""
    newest: float
    """When the last one of all of them was stored."""

    @property
    def warning(self) -> str | None:
        """What is left out, in a sentence."""
        if not self.left_out:
            return None
        return f"Not everything that the presentation state refers to is shown: {_reasons(self.left_out)}"


def _reasons(left_out: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(left_out.items()))


async def find(archive: Archive, instance: StoredInstance) -> Found:
    """Look up what a presentation state refers to.

    Raises
    ------
    NoAcceptableRepresentation
        It is of a kind that is not applied, it refers to too much, or nothing that it refers to can be shown.
    """
    state = await _state(archive, instance)
    if state.masked:
        raise NoAcceptableRepresentation(
            "The presentation state subtracts frames from each other (Mask Subtraction Sequence): that is not rendered."
        )
    left_out: Counter[str] = Counter()
    shown = await _resolve(archive, instance, state.images.series, left_out)
    over: list[Shown] = []
    registrations: list[StoredInstance] = []
    if state.superimposed is not None:
        over = await _resolve(archive, instance, state.superimposed.series, left_out)
        for uid in state.registrations[:_MOST_REGISTRATIONS]:
            registration = await archive.index.identify(uid)
            if registration is not None:
                registrations.append(registration)
    if not shown:
        raise NoAcceptableRepresentation(
            "Nothing that the presentation state refers to can be shown:"
            f" {_reasons(left_out) or 'it refers to no image'}."
        )
    number = {(one.instance.id, one.frame): place for place, one in enumerate(shown)}
    images = {one.instance.id: one.instance for one in (*shown, *over)}
    members = (instance, *images.values(), *registrations)
    details = (*map(representation.digest, members), str(sorted(left_out.items())))
    token = hashlib.blake2b("|".join(details).encode(), digest_size=18).hexdigest()
    newest = max(one.stored_at for one in members)
    shown = await _in_order(archive, shown)
    return Found(instance, state, tuple(shown), number, tuple(over), tuple(registrations), left_out, token, newest)


async def _state(archive: Archive, instance: StoredInstance) -> State:
    if instance.sop_class_uid not in states.KINDS:
        raise NoAcceptableRepresentation(
            "Presentation states of this kind are not rendered: only Grayscale, Color, Pseudo-Color and Blending"
            f" Softcopy Presentation States are; this one has the SOP Class {instance.sop_class_uid}."
        )

    def parse(document: bytes) -> tuple[Attributes, list[str]]:
        attributes = dicom_json.decode(document)
        return attributes, states.bulk_uris(attributes)

    async def make() -> tuple[State, int]:
        document = await representation.content(archive, instance)
        small = len(document) < _AT_ONCE
        attributes, uris = parse(document) if small else await archive.workers.run(parse, document)
        bulk = await pictures.bulk_values(archive, instance, uris) if uris else {}
        size = 8 * len(document) + sum(map(len, bulk.values()))
        if size < _AT_ONCE:
            return states.read(attributes, bulk), size
        return await archive.workers.run(states.read, attributes, bulk), size

    state, _ = await archive.workers.once(("state", representation.digest(instance)), make, lambda made: made[1])
    return state


async def _resolve(
    archive: Archive, state: StoredInstance, series: Sequence[SeriesReference], left_out: Counter[str]
) -> list[Shown]:
    """The frames that are referred to and can be shown, in the order of the references."""
    found: dict[tuple[int, int], Shown] = {}
    most = archive.settings.max_frames_in_list

    def take(image: StoredInstance, frames: Sequence[int]) -> None:
        if not pictures.is_image(image):
            left_out["that are no images, or can not be decoded"] += 1
            return
        if pictures.is_slide(image):  # places in the state may be those of the total pixel matrix, not of a tile
            left_out["that are whole slide images"] += 1
            return
        for number in frames or range(1, image.frames + 1):
            if number > image.frames:
                left_out["frames that do not exist"] += 1
            else:
                found.setdefault((image.id, number), Shown(image, number))
            if len(found) > most:
                raise NoAcceptableRepresentation(
                    f"The presentation state refers to more than {most} frames, the most that this server shows in one"
                    " answer."
                )

    seen = 0
    for one in dict.fromkeys(series):
        for reference in dict.fromkeys(one.images):
            seen += 1
            if seen % _FEW == 0:
                await asyncio.sleep(0)
            image = await archive.index.identify(reference.sop_instance_uid)
            if image is None:
                left_out["that are not in this archive"] += 1
            else:
                take(image, reference.frames)
            if seen > most:
                raise NoAcceptableRepresentation(
                    f"The presentation state has more than {most} references, the most that this server looks up for"
                    " one answer."
                )
        if not one.images and one.series_instance_uid:
            study = one.study_instance_uid or state.path.study_instance_uid
            try:
                chunks = await archive.index.instances(ResourcePath(study, one.series_instance_uid))
            except (ResourceNotFound, ResourceGone):
                left_out["series that are not in this archive"] += 1
                continue
            async for chunk in chunks:
                for image in chunk:
                    take(image, ())
    return list(found.values())


async def _in_order(archive: Archive, shown: list[Shown]) -> list[Shown]:
    if len(shown) < 2:
        return shown
    where = await _places(archive, shown)
    frames = [where[one.instance.id].frames[one.frame - 1] for one in shown]
    order = planes.order(frames) if len(frames) < _FEW else await archive.workers.run(planes.order, frames)
    return [shown[number] for number in order]


# Where they lie


@dataclass(frozen=True, slots=True)
class Places:
    """Where the frames of an image lie."""

    frame_of_reference: str
    size: tuple[int, int]
    """Rows and columns."""
    frames: tuple[Place, ...]


async def places(archive: Archive, instance: StoredInstance) -> Places:
    """Where the frames of an image lie. Raises BadPixels where its metadata do not describe an image."""

    def read(document: bytes) -> Places:
        attributes = dicom_json.decode(document)
        image = ImageParams.from_attributes(attributes)
        frames = planes.places(attributes, instance.frames)
        return Places(planes.frame_of_reference(attributes), (image.rows, image.columns), frames)

    async def make() -> Places:
        document = await representation.document(archive, instance)
        return read(document) if len(document) < _AT_ONCE else await archive.workers.run(read, document)

    key = ("places", representation.digest(instance))
    return await archive.workers.once(key, make, lambda made: _PLACE_SIZE * len(made.frames))


async def _places(archive: Archive, shown: Sequence[Shown]) -> dict[int, Places]:
    """Those of all images, by their numbers in the index."""
    known: dict[int, Places] = {}
    for one in shown:
        if one.instance.id not in known:
            known[one.instance.id] = await places(archive, one.instance)
            if len(known) % _FEW == 0:
                await asyncio.sleep(0)
    return known


async def stack(archive: Archive, found: Found) -> tuple[Places, Stack | None]:
    """The first of the superimposed images, and all of their frames as a stack; found once for all pictures."""

    async def make() -> tuple[Places, Stack | None]:
        where = await _places(archive, found.over)
        frames = [where[one.instance.id].frames[one.frame - 1].plane for one in found.over]
        return where[found.over[0].instance.id], await archive.workers.run(blending.stacked, frames)

    return await archive.workers.once(("stack", found.token), make, lambda _: _PLACE_SIZE * len(found.over))


async def registered(archive: Archive, found: Found, plane: Plane, mine: Places, other: Places) -> Plane | None:
    """A plane of an underlying frame in the Frame of Reference of the superimposed ones; None where none is known."""
    for registration in found.registrations:
        attributes = await representation.attributes(archive, registration)
        by = blending.relation(attributes, mine.frame_of_reference, other.frame_of_reference)
        if by is not None:
            return blending.moved(plane, by)
    return plane if mine.frame_of_reference == other.frame_of_reference else None
