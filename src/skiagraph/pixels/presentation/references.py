"""The images and frames that a presentation state, or a part of it, is for: PS3.3 C.11.11 and Table 10-3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from skiagraph.pixels import elements
from skiagraph.values import Attributes

REFERENCED_SERIES, REFERENCED_IMAGES = "00081115", "00081140"


@dataclass(frozen=True, slots=True)
class Reference:
    """An image that is referred to."""

    sop_instance_uid: str
    frames: tuple[int, ...] = ()
    """Numbers, from 1, in the order of the reference; () for all."""


@dataclass(frozen=True, slots=True)
class SeriesReference:
    """Images of one Series that are referred to."""

    study_instance_uid: str
    """"" for that of the presentation state."""
    series_instance_uid: str
    images: tuple[Reference, ...]
    """() for all of the Series."""


def series(attributes: Attributes) -> tuple[SeriesReference, ...]:
    """Referenced Series Sequence (0008,1115) of a presentation state, or of an Item of its Blending Sequence."""
    return tuple(
        SeriesReference(
            elements.text(attributes, "0020000D"),
            elements.text(item, "0020000E"),
            tuple(found for image in elements.items(item, REFERENCED_IMAGES) if (found := _reference(image))),
        )
        for item in elements.items(attributes, REFERENCED_SERIES)
    )


def _reference(item: Attributes) -> Reference | None:
    uid = elements.text(item, "00081155")
    if not uid:
        return None
    return Reference(uid, tuple(dict.fromkeys(number for number in elements.integers(item, "00081160") if number > 0)))


@dataclass(frozen=True, slots=True)
class Scope:
    """What an Item of a presentation state applies to."""

    images: Mapping[str, frozenset[int]] | None = None
    """SOP Instance UID → frames, none named for all of them; None for everything that the state refers to."""

    def covers(self, sop_instance_uid: str, frame: int) -> bool:
        """Whether it applies to a frame (from 1) of an image."""
        if self.images is None:
            return True
        frames = self.images.get(sop_instance_uid)
        return frames is not None and (not frames or frame in frames)


EVERYTHING = Scope()


def scope(item: Attributes) -> Scope:
    """The images of the Referenced Image Sequence (0008,1140) in an Item; everything without one."""
    images: dict[str, frozenset[int]] = {}
    for image in elements.items(item, REFERENCED_IMAGES):
        found = _reference(image)
        if found is None:
            continue
        known = images.get(found.sop_instance_uid)
        frames = frozenset(found.frames)
        images[found.sop_instance_uid] = (
            frames if known is None else known | frames if known and frames else frozenset()
        )
    return Scope(MappingProxyType(images)) if images else EVERYTHING
