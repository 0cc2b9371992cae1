"""How the frames of an image look by what its data set says: the values of the grayscale and palette pipeline.

PS3.3 C.11.1 (Modality LUT), C.11.2 (VOI LUT), C.7.6.16.2.9 and .10 (the same by functional group), C.7.5.1.1.2 (pixel
padding), C.7.6.19 (supplemental palette). Of several possible VOIs the first window counts, else the VOI LUT.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from skiagraph.pixels import elements, lut, window
from skiagraph.pixels.elements import Bulk
from skiagraph.pixels.image import ImageParams
from skiagraph.pixels.lut import Lut
from skiagraph.standard.rendering import Window
from skiagraph.values import Attributes

SHARED, PER_FRAME = "52009229", "52009230"
LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.7"

_TABLES = ("00283006", *(f"002812{row}{number}" for row in "02" for number in "123"))
_HOLDERS = ("00283000", "00283010", "00289132", "00289145", SHARED)


@dataclass(frozen=True, slots=True)
class Modality:
    """From stored values to modality values."""

    slope: float = 1.0
    intercept: float = 0.0
    lut: Lut | None = None
    """Instead of slope and intercept."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """How one frame looks; hashable, so that the tables made of it can be kept."""

    modality: Modality = Modality()
    voi: Window | Lut | None = None
    """None: from the least to the greatest modality value of the frame."""
    inverse: bool = False
    """The least value is white."""
    padding: tuple[int, int] | None = None
    """Stored values, inclusive, that are no part of the image: black, and not counted for the VOI."""
    palette: tuple[Lut, Lut, Lut] | None = None
    supplemental: bool = False
    """Only values from the first one of the palette on are in colour."""
    labels: tuple[tuple[int, tuple[int, int, int]], ...] | None = None
    """A label map: colours by stored value; those that are not named get one each."""

    def with_window(self, given: Window | None) -> Appearance:
        """The same with another window; the window of a request goes before those of the image."""
        return self if given is None else replace(self, voi=given)


def bulk_uris(attributes: Attributes, frame: int) -> list[str]:
    """BulkDataURIs of the lookup tables and palettes that `of_frame` will want."""
    found: list[str] = []
    for holder in (attributes, *functional_groups(attributes, frame)):
        _collect(holder, found, 3)
    return list(dict.fromkeys(found))


def _collect(attributes: Attributes, found: list[str], depth: int) -> None:
    found += [attributes[tag]["BulkDataURI"] for tag in _TABLES if "BulkDataURI" in attributes.get(tag, {})]
    for tag in _HOLDERS if depth else ():
        for item in elements.items(attributes, tag):
            _collect(item, found, depth - 1)


def functional_groups(attributes: Attributes, frame: int) -> tuple[Attributes, ...]:
    """The functional groups of a frame (from 1): its own, then those that all frames share."""
    groups = []
    own = (attributes.get(PER_FRAME) or {}).get("Value") or []
    if frame <= len(own) and isinstance(own[frame - 1], dict):
        groups.append(own[frame - 1])
    shared = elements.item(attributes, SHARED)
    if shared:
        groups.append(shared)
    return tuple(groups)


def macro(attributes: Attributes, frame: int, tag: str) -> Attributes:
    """The first Item of a functional group macro for a frame; an empty data set without."""
    for group in functional_groups(attributes, frame):
        found = elements.item(group, tag)
        if found:
            return found
    return {}


def of_frame(attributes: Attributes, image: ImageParams, frame: int, bulk: Bulk) -> Appearance:
    """What the data set says about one frame (from 1).

    Parameters
    ----------
    image
        As stored.
    bulk
        The values behind `bulk_uris`.
    """
    holders = [holder for tag in ("00289145", "00289132") if (holder := macro(attributes, frame, tag))]
    holders.append(attributes)
    modality = _modality(holders, image, bulk)
    photometric = image.photometric_interpretation
    palette = None
    supplemental = False
    if photometric == "PALETTE COLOR":
        palette = lut.palette(attributes, bulk, signed=image.signed)
    elif photometric == "MONOCHROME2" and elements.text(attributes, "00089205") in ("COLOR", "MIXED"):
        palette = lut.palette(attributes, bulk, signed=image.signed)
        supplemental = palette is not None
    return Appearance(
        modality,
        _voi(attributes, holders, modality, image, bulk),
        photometric == "MONOCHROME1" or elements.text(attributes, "20500020") == "INVERSE",
        _padding(attributes, image),
        palette,
        supplemental,
        _labels(attributes) if elements.text(attributes, "00080016") == LABEL_MAP_SEGMENTATION else None,
    )


def _modality(holders: list[Attributes], image: ImageParams, bulk: Bulk) -> Modality:
    for holder in holders:
        slope, intercept = elements.number(holder, "00281053"), elements.number(holder, "00281052")
        if slope or intercept:
            # A slope of 0 would make one value of all
            return Modality(slope or 1.0, intercept or 0.0)
    for item in _all_items(holders, "00283000"):
        found = lut.from_item(item, bulk, signed=image.signed)
        if found is not None:
            return Modality(lut=found)
    return Modality()


def _voi(
    attributes: Attributes, holders: list[Attributes], modality: Modality, image: ImageParams, bulk: Bulk
) -> Window | Lut | None:
    for holder in holders:
        found = window.first(holder)
        if found is not None:
            return found
    negative = modality.lut is None and (image.signed or modality.intercept < 0 or modality.slope < 0)
    for item in _all_items(holders, "00283010"):
        table = lut.from_item(item, bulk, signed=negative)
        if table is not None:
            return table
    if image.is_float or image.signed or modality != Modality() or image.bits_stored > 8:
        return None
    # Bytes that nobody says more about are shown as they are
    most = elements.integer(attributes, "0062000E") if image.bits_stored == 8 else None
    return window.full_range(0, most if most and 0 < most <= 255 else 2**image.bits_stored - 1)


def _all_items(holders: list[Attributes], tag: str) -> Iterator[Attributes]:
    for holder in holders:
        yield from elements.items(holder, tag)


def _padding(attributes: Attributes, image: ImageParams) -> tuple[int, int] | None:
    if image.samples_per_pixel > 1 or image.is_float:
        return None
    value = elements.integer(attributes, "00280120")
    if value is None:
        return None
    limit = elements.integer(attributes, "00280121")
    low = _as_stored(value, image)
    high = low if limit is None else _as_stored(limit, image)
    return min(low, high), max(low, high)


def _as_stored(value: int, image: ImageParams) -> int:
    """The value with the sign that the pixels have: it is often written with the other VR of US and SS."""
    if image.signed and image.bits_allocated <= 16 and value >= 1 << (image.bits_allocated - 1):
        return value - (1 << image.bits_allocated)
    if not image.signed and value < 0:
        return value + (1 << image.bits_allocated)
    return value


def _labels(attributes: Attributes) -> tuple[tuple[int, tuple[int, int, int]], ...]:
    """Recommended Display CIELab Value (0062,000D) of each segment by Segment Number (0062,0004)."""
    from skiagraph.pixels.color import from_cielab

    found = []
    for item in elements.items(attributes, "00620002"):
        number = elements.integer(item, "00620004")
        rgb = from_cielab(elements.integers(item, "0062000D"))
        if number is not None and 0 <= number <= 65535 and rgb is not None:
            found.append((number, rgb))
    return tuple(found)
