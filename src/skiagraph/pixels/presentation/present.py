"""A frame as a presentation state shows it, from its stored bytes to a picture: PS3.4 N.2.

Tones or colours → shutter → turned, cut out and scaled → layers of overlays, graphics and texts → colour space. A pure
function of values, as `pixels.rendition` is for an image by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels import appearance, decode, overlay, picture, render, rendition, shutter
from skiagraph.pixels.codecs import samples
from skiagraph.pixels.image import ImageParams
from skiagraph.pixels.presentation import displayed_area, drawing, tones
from skiagraph.pixels.presentation.blending import Blend, superimpose
from skiagraph.pixels.presentation.displayed_area import Placement
from skiagraph.pixels.presentation.drawing import Drawn
from skiagraph.pixels.presentation.graphics import Layer
from skiagraph.pixels.presentation.state import Kind, State
from skiagraph.pixels.rendition import Rendition, Subject
from skiagraph.standard.rendering import IccProfile

_NOTHING_SAID = Layer("")


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A frame that a presentation state is applied to."""

    state: State
    subject: Subject
    sop_instance_uid: str
    blend: Blend | None = None
    """What is superimposed on it."""


def encoded(frame: bytes, target: Target, wanted: Rendition) -> bytes:
    """Show a frame and encode it.

    Raises
    ------
    BadPixels
        It can not be decoded or shown, or there is too much to draw.
    BadRequest, PayloadTooLarge
        As `viewport.fit`.
    """
    shown, profile = drawn(frame, target, wanted)
    return picture.encode(shown, wanted.media_type, quality=wanted.quality, profile=profile)


def drawn(frame: bytes, target: Target, wanted: Rendition) -> tuple[NDArray[np.uint8], bytes | None]:
    """Show a frame; return the picture and the ICC profile to embed. Raises as `encoded`."""
    subject = target.subject
    # Before any work: what can not be is an error, however large the image
    placement = placed(target.state, target.sop_instance_uid, subject.frame, subject.image, wanted)
    cells, described = decode.cells(frame, subject.transfer_syntax_uid, subject.image)
    pixels, described = samples.values(cells, described)
    shown = _base(pixels, described, target)
    _shut(shown, target)
    shown = displayed_area.apply(shown, placement)
    if wanted.overlays:
        shown = drawing.draw(shown, placement, _layers(target, cells))
    return _finished(shown, target, wanted)


def placed(state: State, sop_instance_uid: str, frame: int, image: ImageParams, wanted: Rendition) -> Placement:
    """Where a frame comes to lie in the picture. Raises as `viewport.fit`."""
    area = state.area(sop_instance_uid, frame, image.columns, image.rows)
    return displayed_area.place(area, state.orientation, wanted.viewport)


def unscaled(state: State, sop_instance_uid: str, frame: int, image: ImageParams) -> tuple[int, int]:
    """Width and height of the picture when the request says nothing of them."""
    return displayed_area.unscaled(state.area(sop_instance_uid, frame, image.columns, image.rows), state.orientation)


def _base(pixels: NDArray[Any], described: ImageParams, target: Target) -> NDArray[np.uint8]:
    """The picture of the image alone, in its own size."""
    state, subject = target.state, target.subject
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    gray = pixels.ndim == 2 and described.photometric_interpretation != "PALETTE COLOR"
    if gray and state.kind is not Kind.COLOR:
        shown = tones.apply(pixels, described, state.tones(target.sop_instance_uid, subject.frame))
    else:
        # The state has nothing to say of colours but what they are
        look = appearance.of_frame(subject.attributes, subject.image, subject.frame, subject.bulk)
        shown = render.render(pixels, described, look)
    if target.blend is not None:
        shown = superimpose(shown, target.blend)
    return np.array(shown)


def _shut(shown: NDArray[np.uint8], target: Target) -> None:
    """Cover what a display shutter, or a bitmap one, hides; in place. The image's own shutter is not applied."""
    state = target.state
    if state.shutter is not None:
        shutter.apply(shown, state.shutter)
    if state.bitmap is None:
        return
    for plane in overlay.planes(state.attributes):
        if plane.group == state.bitmap and plane.bit < 0:
            bits = overlay.mask(plane, state.attributes, state.bulk, target.subject.frame)
            if bits is not None:
                hidden = overlay.placed(plane, bits, *shown.shape[:2])
                gray, rgb = shutter.covering(state.attributes)
                shown[hidden] = gray if shown.ndim == 2 or rgb is None else rgb


def _layers(target: Target, cells: NDArray[Any]) -> Iterator[Drawn]:
    """What is drawn, the lowest layer first; what names no layer of the state comes last."""
    state, uid, frame = target.state, target.sop_instance_uid, target.subject.frame
    shown = [found for found in state.annotations if found.scope.covers(uid, frame)]
    planes = _activated(target, cells)
    known = {layer.name for layer in state.layers}
    others = dict.fromkeys(name for name in (*planes, *(found.layer for found in shown)) if name not in known)
    for layer in (*state.layers, *(replace(_NOTHING_SAID, name=name) for name in others)):
        here = [found for found in shown if found.layer == layer.name]
        drawn = (
            layer.colour,
            planes.get(layer.name, []),
            [stroke for found in here for stroke in found.strokes],
            [text for found in here for text in found.texts],
        )
        if any(drawn[1:]):
            yield drawn


def _activated(target: Target, cells: NDArray[Any]) -> dict[str, list[drawing.Plane]]:
    """Overlays by layer: planes of the state, else those of the image of the same group."""
    state, subject = target.state, target.subject
    own = {plane.group: plane for plane in overlay.planes(state.attributes) if plane.bit < 0}
    of_image = {plane.group: plane for plane in overlay.planes(subject.attributes)}
    found: dict[str, list[drawing.Plane]] = {}
    for group, layer in state.overlays:
        if group in own:
            found.setdefault(layer, []).append(partial(_covered, own[group], target, cells, of_state=True))
        elif group in of_image:
            found.setdefault(layer, []).append(partial(_covered, of_image[group], target, cells, of_state=False))
    return found


def _covered(plane: overlay.Plane, target: Target, cells: NDArray[Any], *, of_state: bool) -> NDArray[np.bool_] | None:
    """The pixels of the image that an overlay covers; None when it is not on this frame, or has no data."""
    subject = target.subject
    if of_state:
        bits = overlay.mask(plane, target.state.attributes, target.state.bulk, subject.frame)
    elif plane.bit < 0:
        bits = overlay.mask(plane, subject.attributes, subject.bulk, subject.frame)
    else:
        bits = overlay.embedded(plane, cells, subject.frame, subject.image)
    return None if bits is None else overlay.placed(plane, bits, subject.image.rows, subject.image.columns)


def _finished(shown: NDArray[np.uint8], target: Target, wanted: Rendition) -> tuple[NDArray[np.uint8], bytes | None]:
    """Bring it into the wanted colour space and write on it. The profile of the state replaces that of the image."""
    own = target.state.profile if shown.ndim == 3 else None
    if own is not None and wanted.icc_profile is None and wanted.media_type in picture.EMBED:
        wanted = replace(wanted, icc_profile=IccProfile.YES)  # §8.3.5.1.6: it shall be in the answer
    shown, profile = rendition.coloured(shown, own, wanted)
    return rendition.annotated(shown, target.subject, wanted), profile
