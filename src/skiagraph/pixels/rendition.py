"""A frame from its stored bytes to a rendered picture, as a request wants it: PS3.18 §8.3.5.1.

Decode → pipeline (`render`) → overlays, shutter → source region, flip, scaling → colour space → annotation. A pure
function of values; the service reads the bytes and says which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skiagraph.errors import BadRequest
from skiagraph.pixels import annotate, appearance, decode, elements, icc, overlay, picture, render, shutter, viewport
from skiagraph.pixels.appearance import macro
from skiagraph.pixels.codecs import samples
from skiagraph.pixels.elements import Bulk
from skiagraph.pixels.image import ImageParams
from skiagraph.standard.rendering import Annotation, IccProfile, Viewport, Window
from skiagraph.values import Attributes

ICC_PROFILE = "00282000"
_OPTICAL_PATHS = "00480105"
_JPEG_PROFILE = b"ICC_PROFILE\0"


@dataclass(frozen=True, slots=True)
class Rendition:
    """How frames are to be shown."""

    media_type: str = picture.JPEG
    """One of `picture.MEDIA_TYPES`, or `picture.MP4`."""
    window: Window | None = None
    viewport: Viewport | None = None
    quality: int | None = None
    annotation: frozenset[Annotation] = frozenset()
    icc_profile: IccProfile | None = None
    overlays: bool = True
    """Overlay planes are drawn; they may hold names."""
    rough: bool = False
    """Scaled well enough for a thumbnail."""

    def __post_init__(self) -> None:
        """Refuse a profile where the media type has no place for it (§8.3.5.1.5).

        Raises
        ------
        BadRequest
            Another media type, or ``iccprofile=no``, is needed.
        """
        wanted = self.icc_profile
        if wanted in (None, IccProfile.NO) or self.media_type in picture.EMBED:
            return
        if self.media_type not in (picture.JXL, picture.MP4) or wanted not in (IccProfile.YES, IccProfile.SRGB):
            possible = "no, yes and srgb" if self.media_type in (picture.JXL, picture.MP4) else "no"
            raise BadRequest(
                f"'iccprofile={wanted.value if wanted else ''}' is not possible with {self.media_type}, only"
                f" {possible}: of the rendered media types {', '.join(sorted(picture.EMBED))} can hold every profile."
            )


@dataclass(frozen=True, slots=True)
class Subject:
    """One frame and all that is known of it."""

    attributes: Attributes
    image: ImageParams
    transfer_syntax_uid: str
    frame: int
    """From 1."""
    bulk: Bulk
    """What `bulk_uris` named."""


def bulk_uris(attributes: Attributes, image: ImageParams, frame: int, *, overlays: bool) -> list[str]:
    """BulkDataURIs of the values that rendering this frame needs beside its pixels."""
    uris = appearance.bulk_uris(attributes, frame)
    holders = [(attributes, ICC_PROFILE)] if image.samples_per_pixel > 1 or "PALETTE" in _photometric(image) else []
    if holders:
        holders += [(item, ICC_PROFILE) for item in elements.items(attributes, _OPTICAL_PATHS)]
    if overlays:
        holders += [(attributes, f"{plane.group}3000") for plane in overlay.planes(attributes)]
    uris += [holder[tag]["BulkDataURI"] for holder, tag in holders if "BulkDataURI" in holder.get(tag, {})]
    return list(dict.fromkeys(uris))


def _photometric(image: ImageParams) -> str:
    return image.photometric_interpretation


def encoded(frame: bytes, subject: Subject, rendition: Rendition) -> bytes:
    """Render a frame and encode it.

    Raises
    ------
    BadPixels
        The frame can not be decoded or shown.
    BadRequest
        The viewport does not fit the image.
    """
    shown, profile = drawn(frame, subject, rendition)
    return picture.encode(shown, rendition.media_type, quality=rendition.quality, profile=profile)


def drawn(frame: bytes, subject: Subject, rendition: Rendition) -> tuple[NDArray[np.uint8], bytes | None]:
    """Render a frame; return the picture and the ICC profile to embed. Raises as `encoded`."""
    image = subject.image
    # Before any work: a viewport that can not be is an error, however large the image
    viewport.fit(image.columns, image.rows, rendition.viewport)
    shown = viewport.apply(whole(frame, subject, rendition), rendition.viewport, rough=rendition.rough)
    return finished(shown, frame, subject, rendition)


def drawn_picture(
    shown: NDArray[np.uint8], subject: Subject, rendition: Rendition
) -> tuple[NDArray[np.uint8], bytes | None]:
    """Render a frame that is RGB already, as one of a video, of the size of the image; else as `drawn`."""
    viewport.fit(shown.shape[1], shown.shape[0], rendition.viewport)
    shown = viewport.apply(_covered(shown, None, subject, rendition), rendition.viewport)
    return finished(shown, b"", subject, rendition)


def is_bare(attributes: Attributes, rendition: Rendition) -> bool:
    """Whether a video is shown as it is: nothing is drawn on its frames, and they are not cut or scaled.

    An ICC profile of the Instance is not looked at: a video stream says by itself what its colours are.
    """
    plain = rendition.icc_profile in (None, IccProfile.NO, IccProfile.YES, IccProfile.SRGB)
    untouched = rendition.viewport is None and not rendition.annotation and plain
    drawn_on = (rendition.overlays and overlay.planes(attributes)) or shutter.from_attributes(attributes) is not None
    return untouched and not drawn_on


def finished(
    shown: NDArray[np.uint8], frame: bytes, subject: Subject, rendition: Rendition
) -> tuple[NDArray[np.uint8], bytes | None]:
    """Bring a picture of the wanted size into the wanted colour space and write on it; return it and its profile."""
    own = _own_profile(subject, frame) if shown.ndim == 3 else None
    shown, profile = coloured(shown, own, rendition)
    return annotated(shown, subject, rendition), profile


def whole(frame: bytes, subject: Subject, rendition: Rendition) -> NDArray[np.uint8]:
    """The picture in the size of the image: decoded, pipeline, overlays, shutter. Raises BadPixels."""
    cells, described = decode.cells(frame, subject.transfer_syntax_uid, subject.image)
    pixels, described = samples.values(cells, described)
    attributes = subject.attributes
    look = appearance.of_frame(attributes, subject.image, subject.frame, subject.bulk).with_window(rendition.window)
    return _covered(render.render(pixels, described, look), cells, subject, rendition)


def _covered(
    shown: NDArray[np.uint8], cells: NDArray[Any] | None, subject: Subject, rendition: Rendition
) -> NDArray[np.uint8]:
    """Draw overlay planes, those within the cells too where there are any, and the shutter."""
    attributes = subject.attributes
    planes = overlay.planes(attributes) if rendition.overlays else ()
    shape = shutter.from_attributes(macro(attributes, subject.frame, "00189472") or attributes)
    if not planes and shape is None:
        return shown
    shown = np.array(shown)
    for plane in planes:
        if plane.bit < 0:
            bits = overlay.mask(plane, attributes, subject.bulk, subject.frame)
        else:
            bits = None if cells is None else overlay.embedded(plane, cells, subject.frame, subject.image)
        if bits is not None:
            overlay.draw(shown, plane, bits)
    if shape is not None:
        shutter.apply(shown, shape)
    return shown


def coloured(
    shown: NDArray[np.uint8], own: bytes | None, rendition: Rendition
) -> tuple[NDArray[np.uint8], bytes | None]:
    """Bring a picture into the colour space that is wanted; return it with the profile to embed.

    Without ``iccprofile`` (and with ``no``) the picture is sRGB, which is what everybody takes it for; gray stays gray.
    """
    wanted = rendition.icc_profile
    if wanted is IccProfile.YES and own is not None and rendition.media_type in picture.EMBED:
        return shown, own
    if wanted in (None, IccProfile.NO):
        return (shown if own is None else icc.convert(shown, own, IccProfile.SRGB)), None
    space = IccProfile.SRGB if wanted is IccProfile.YES or wanted is None else wanted
    profile = icc.profile(space) if rendition.media_type in picture.EMBED else None
    return icc.convert(shown, own, space), profile


def annotated(shown: NDArray[np.uint8], subject: Subject, rendition: Rendition) -> NDArray[np.uint8]:
    """Burn in what the request wants to read."""
    if not rendition.annotation:
        return shown
    frames = subject.image.number_of_frames
    top, bottom = (
        annotate.lines(subject.attributes, keyword, subject.frame, frames) if keyword in rendition.annotation else []
        for keyword in (Annotation.PATIENT, Annotation.TECHNIQUE)
    )
    return annotate.annotate(shown, top, bottom)


def _own_profile(subject: Subject, frame: bytes) -> bytes | None:
    """ICC profile of the frame: of its optical path, of the image, else of the code stream (§8.3.5.1.5)."""
    attributes = subject.attributes
    paths = elements.items(attributes, _OPTICAL_PATHS)
    wanted = elements.text(macro(attributes, subject.frame, "00480207"), "00480106")
    paths = [path for path in paths if elements.text(path, "00480106") == wanted] or paths[:1]
    for holder in (*paths, attributes):
        data = elements.octets(holder, ICC_PROFILE, subject.bulk)
        if data is not None and icc.is_rgb(data):
            return data
    return _jpeg_profile(frame)


def _jpeg_profile(frame: bytes) -> bytes | None:
    """ICC profile in the APP2 segments of a JPEG stream; None without, or when it is not whole."""
    if frame[:2] != b"\xff\xd8" or _JPEG_PROFILE not in frame[:65536]:
        return None
    pieces: dict[int, bytes] = {}
    count, at = 0, 2
    while at + 4 <= len(frame) and frame[at] == 0xFF and frame[at + 1] not in (0xDA, 0xD9):
        length = int.from_bytes(frame[at + 2 : at + 4], "big")
        segment = frame[at + 4 : at + 2 + length]
        if frame[at + 1] == 0xE2 and segment.startswith(_JPEG_PROFILE) and len(segment) > 14:
            pieces[segment[12]], count = segment[14:], segment[13]
        at += 2 + max(length, 2)
    if not count or set(pieces) != set(range(1, count + 1)):
        return None
    data = b"".join(pieces[number] for number in sorted(pieces))
    return data if icc.is_rgb(data) else None
