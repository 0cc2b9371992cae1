"""A softcopy presentation state as a value: the modules of PS3.3 A.33 that say how images look.

What is odd in a state is left out, as everywhere; what makes the whole of it meaningless is an error.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from skiagraph.pixels import elements, icc, lut, overlay, shutter, window
from skiagraph.pixels.appearance import Modality
from skiagraph.pixels.elements import Bulk
from skiagraph.pixels.image import BadPixels
from skiagraph.pixels.lut import Lut
from skiagraph.pixels.presentation import graphics, references
from skiagraph.pixels.presentation.displayed_area import DisplayedArea, Orientation, whole
from skiagraph.pixels.presentation.graphics import Annotation, Layer
from skiagraph.pixels.presentation.references import Scope, SeriesReference
from skiagraph.pixels.presentation.tones import Tones
from skiagraph.pixels.shutter import Shutter
from skiagraph.standard.rendering import Window
from skiagraph.values import Attributes

ICC_PROFILE = "00282000"


class Kind(enum.Enum):
    """What a state shows, by its SOP Class."""

    GRAYSCALE = "1.2.840.10008.5.1.4.1.1.11.1"
    COLOR = "1.2.840.10008.5.1.4.1.1.11.2"
    PSEUDO_COLOR = "1.2.840.10008.5.1.4.1.1.11.3"
    BLENDING = "1.2.840.10008.5.1.4.1.1.11.4"


KINDS: Final = {kind.value: kind for kind in Kind}
"""By SOP Class UID."""

_SEQUENCES = frozenset(
    {"00283000", "00283110", "00283010", "20500010", "00700001", "00700008", "00700009", "00700209", "00700402"}
)
_VALUES = frozenset(
    {
        "00283006",
        *(f"002812{row}{number}" for row in "02" for number in "123"),
        ICC_PROFILE,
        graphics.GRAPHIC_DATA,
        graphics.TEXT_VALUE,
        *(f"{group}3000" for group in overlay.GROUPS),
    }
)


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Images that share their Modality LUT: all of a state, or one of the two that are blended."""

    series: tuple[SeriesReference, ...]
    modality: Modality
    vois: tuple[tuple[Scope, Window | Lut], ...]

    def voi(self, sop_instance_uid: str, frame: int) -> Window | Lut | None:
        """The first VOI that is for a frame; None for the identity."""
        return next((voi for scope, voi in self.vois if scope.covers(sop_instance_uid, frame)), None)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A presentation state."""

    kind: Kind
    images: ImageSet
    """Those that are shown; of a blending, the underlying ones."""
    superimposed: ImageSet | None
    opacity: float
    """Relative Opacity of the superimposed images: 0.0 … 1.0."""
    registrations: tuple[str, ...]
    """SOP Instance UIDs of Spatial Registrations between the images of a blending."""
    inverse: bool
    presentation: Lut | None
    palette: tuple[Lut, Lut, Lut] | None
    profile: bytes | None
    """ICC profile of the output; None unless it is one of RGB."""
    areas: tuple[tuple[Scope, DisplayedArea], ...]
    orientation: Orientation
    shutter: Shutter | None
    bitmap: str | None
    """Group, such as ``6000``, of the overlay plane that is a shutter."""
    layers: tuple[Layer, ...]
    annotations: tuple[Annotation, ...]
    overlays: tuple[tuple[str, str], ...]
    """Groups of overlay planes that are shown, and the layers that they are shown in."""
    masked: bool
    """Frames are to be subtracted from each other (Mask Module, C.7.6.10), which is not done here."""
    attributes: Attributes
    """Of the state itself; its overlay planes are read out of them."""
    bulk: Bulk

    def tones(self, sop_instance_uid: str, frame: int) -> Tones:
        """How the values of a frame become gray or pseudo-colour."""
        voi = self.images.voi(sop_instance_uid, frame)
        palette = self.palette if self.kind is Kind.PSEUDO_COLOR else None
        return Tones(self.images.modality, voi, self.inverse, self.presentation, palette)

    def area(self, sop_instance_uid: str, frame: int, columns: int, rows: int) -> DisplayedArea:
        """What of a frame is displayed; all of it where nothing is said."""
        found = (area for scope, area in self.areas if scope.covers(sop_instance_uid, frame))
        return next(found, None) or whole(columns, rows)


def bulk_uris(attributes: Attributes) -> list[str]:
    """BulkDataURIs of the values that `read` will want."""
    return list(dict.fromkeys(_uris(attributes, 4)))


def _uris(attributes: Attributes, depth: int) -> Iterator[str]:
    for tag, element in attributes.items():
        if tag in _VALUES:
            if "BulkDataURI" in element:
                yield element["BulkDataURI"]
        elif tag in _SEQUENCES and depth:
            for item in elements.items(attributes, tag):
                yield from _uris(item, depth - 1)


def read(attributes: Attributes, bulk: Bulk) -> State:
    """Read a presentation state.

    Parameters
    ----------
    bulk
        The values behind `bulk_uris`.

    Raises
    ------
    BadPixels
        It is of none of the `KINDS`, or there are more graphics in it than this server draws.
    """
    kind = KINDS.get(elements.text(attributes, "00080016"))
    if kind is None:
        raise BadPixels("The Instance is no presentation state of a kind that is applied.")
    images, superimposed = _image_set(attributes, bulk), None
    if kind is Kind.BLENDING:
        sets = {elements.text(item, "00700405"): item for item in elements.items(attributes, "00700402")}
        images = _image_set(sets.get("UNDERLYING", {}), bulk)
        superimposed = _image_set(sets.get("SUPERIMPOSED", {}), bulk)
    opacity = elements.number(attributes, "00700403")
    bitmap = elements.integer(attributes, "00181623")
    group = f"{bitmap or 0:04X}"
    profile = None if kind is Kind.GRAYSCALE else elements.octets(attributes, ICC_PROFILE, bulk)
    table = lut.from_item(elements.item(attributes, "20500010"), bulk, signed=False)
    return State(
        kind,
        images,
        superimposed,
        1.0 if opacity is None else min(max(opacity, 0.0), 1.0),
        _registrations(attributes),
        elements.text(attributes, "20500020") == "INVERSE" and table is None and kind is not Kind.PSEUDO_COLOR,
        table,
        lut.palette(attributes, bulk, signed=False),
        profile if profile is not None and icc.is_rgb(profile) else None,
        tuple(
            (references.scope(item), area)
            for item in elements.items(attributes, "0070005A")
            if (area := DisplayedArea.from_item(item)) is not None
        ),
        Orientation.from_attributes(attributes),
        shutter.from_attributes(attributes),
        group if "BITMAP" in elements.texts(attributes, "00181600") and group in overlay.GROUPS else None,
        graphics.layers(attributes),
        graphics.read(attributes, bulk),
        tuple((group, layer) for group in overlay.GROUPS if (layer := elements.text(attributes, f"{group}1001"))),
        elements.text(attributes, "00281090") != "NAT"
        and any(elements.text(item, "00286101") not in ("", "NONE") for item in elements.items(attributes, "00286100")),
        {tag: element for tag, element in attributes.items() if tag.startswith(("60", "0018", "0070"))},
        bulk,
    )


def _image_set(attributes: Attributes, bulk: Bulk) -> ImageSet:
    modality = _modality(attributes, bulk)
    negative = modality.lut is None and (modality.intercept < 0 or modality.slope < 0)
    vois = []
    for item in elements.items(attributes, "00283110"):
        voi: Window | Lut | None = window.first(item)
        for table in elements.items(item, "00283010"):
            voi = voi or lut.from_item(table, bulk, signed=negative or _signed(table))
        if voi is not None:
            vois.append((references.scope(item), voi))
    return ImageSet(references.series(attributes), modality, tuple(vois))


def _modality(attributes: Attributes, bulk: Bulk) -> Modality:
    for item in elements.items(attributes, "00283000"):
        found = lut.from_item(item, bulk, signed=_signed(item))
        if found is not None:
            return Modality(lut=found)
    slope, intercept = elements.number(attributes, "00281053"), elements.number(attributes, "00281052")
    return Modality(slope or 1.0, intercept or 0.0)


def _signed(item: Attributes) -> bool:
    """Whether the descriptor of a table has the VR SS."""
    return (item.get("00283002") or {}).get("vr") == "SS"


def _registrations(attributes: Attributes) -> tuple[str, ...]:
    """SOP Instance UIDs in Referenced Spatial Registration Sequence (0070,0404), at any depth that occurs."""
    found: list[str] = []
    for item in elements.items(attributes, "00700404"):
        for holder in (item, *elements.items(item, "00081115")):
            for tag in ("00081199", "00081140", "0008114A"):
                found += [elements.text(entry, "00081155") for entry in elements.items(holder, tag)]
        found.append(elements.text(item, "00081155"))
    return tuple(dict.fromkeys(uid for uid in found if uid))
