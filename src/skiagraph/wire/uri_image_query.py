"""The parameters of images in a query of the URI Service: PS3.18 §9.1.2.2 and §9.5.1.2."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields
from typing import TypeAlias
from urllib.parse import quote

from skiagraph.errors import BadRequest
from skiagraph.values import is_uid
from skiagraph.wire.rendering_query import LARGEST_VIEWPORT, counted, parse_rendered

Given: TypeAlias = dict[str, list[str]]
"""Values of each parameter that the request has."""

_DECIMAL = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_LONGEST_DECIMAL = 16
_UNSIGNED = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ImageQuery:
    """The parameters of images (§9.5.1.2); None and empty where the request says nothing."""

    annotation: str | None = None
    """As given; its syntax is right."""
    quality: int | None = None
    """1 to 100, 100 being best."""
    rows: int | None = None
    """Pixels that the result may have at most."""
    columns: int | None = None
    region: tuple[float, float, float, float] | None = None
    """Left, upper, right, lower edge in fractions of the image: 0 <= left < right <= 1."""
    window: tuple[str, str] | None = None
    """Center and width (at least 1), decimals as given."""
    frame: int | None = None
    """From 1."""
    presentation: tuple[str, str] | None = None
    """Series and SOP Instance UID of a presentation state."""

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the parameters that the request has."""
        found: list[str] = []
        for one in fields(self):
            if getattr(self, one.name) is not None:
                found += _SPELLING[one.name]
        return tuple(found)


_SPELLING = {
    "annotation": ("annotation",),
    "quality": ("imageQuality",),
    "rows": ("rows",),
    "columns": ("columns",),
    "region": ("region",),
    "window": ("windowCenter", "windowWidth"),
    "frame": ("frameNumber",),
    "presentation": ("presentationSeriesUID", "presentationUID"),
}
NAMES = frozenset(name for names in _SPELLING.values() for name in names)
"""Of all parameters of images."""


def parse_image(given: Given) -> ImageQuery:
    """Read the parameters of images.

    Raises
    ------
    BadRequest
        One is malformed, out of range, or not possible beside or without another.
    """
    image = ImageQuery(
        annotation=_annotation(given["annotation"]) if "annotation" in given else None,
        quality=_integer(given, "imageQuality", 100),
        rows=_integer(given, "rows", LARGEST_VIEWPORT),
        columns=_integer(given, "columns", LARGEST_VIEWPORT),
        region=_fractions(given["region"]) if "region" in given else None,
        window=_window(given),
        frame=_integer(given, "frameNumber", None),
        presentation=_presentation(given),
    )
    if image.presentation is not None:
        names = [name for name in image.given if name in ("windowCenter", "windowWidth", "frameNumber")]
        if names:
            raise BadRequest(f"The parameters {', '.join(names)} can not be given beside a presentation state.")
    return image


def rendered_query(image: ImageQuery, columns: int, rows: int) -> str:
    """The same parameters as the Rendered resources spell them (§8.3.5.1).

    Parameters
    ----------
    columns, rows
        Size of the image; it matters only where there is a region.
    """
    found = []
    if image.annotation is not None:
        found.append(f"annotation={image.annotation}")
    if image.quality is not None:
        found.append(f"quality={image.quality}")
    if image.window is not None:
        found.append(f"window={','.join(image.window)},linear")
    region = _region(image, columns, rows)
    if region is not None or image.columns is not None or image.rows is not None:
        width, height = image.columns or LARGEST_VIEWPORT, image.rows or LARGEST_VIEWPORT
        if region is not None and image.columns is None and image.rows is None:
            width, height = int(region[2]), int(region[3])
        values = [str(width), str(height), *(f"{value:.9g}" for value in region or ())]
        found.append(f"viewport={','.join(values)}")
    return "&".join(found)


def _region(image: ImageQuery, columns: int, rows: int) -> tuple[float, float, float, float] | None:
    """Left and upper edge, width and height in pixels; at least one pixel.

    Where nothing is scaled it is of whole pixels, so that each becomes one of the result.
    """
    if image.region is None:
        return None
    exact = image.columns is None and image.rows is None
    left, width = _extent(image.region[0], image.region[2], columns, exact=exact)
    upper, height = _extent(image.region[1], image.region[3], rows, exact=exact)
    return left, upper, width, height


def _extent(low: float, high: float, length: int, *, exact: bool) -> tuple[float, float]:
    start, end = low * length, high * length
    if exact:
        start, end = math.floor(start + 0.5), math.floor(end + 0.5)
    start = min(start, length - 1)
    return start, max(end - start, 1)


def _annotation(values: list[str]) -> str:
    text = ",".join(quote(value, safe="") for value in values)
    parse_rendered(f"annotation={text}" if values else "annotation")
    return text


def _window(given: Given) -> tuple[str, str] | None:
    pair = _pair(given, "windowCenter", "windowWidth")
    if pair is None:
        return None
    _decimal(pair[0], "The parameter 'windowCenter'")
    if _decimal(pair[1], "The parameter 'windowWidth'") < 1:
        raise BadRequest(f"The parameter 'windowWidth' is {shown([pair[1]])}: at least 1 is needed.")
    return pair


def _presentation(given: Given) -> tuple[str, str] | None:
    pair = _pair(given, "presentationSeriesUID", "presentationUID")
    return None if pair is None else (uid(given, "presentationSeriesUID"), uid(given, "presentationUID"))


def _pair(given: Given, one: str, other: str) -> tuple[str, str] | None:
    """Two parameters of which each needs the other."""
    if one not in given and other not in given:
        return None
    for name in (one, other):
        if name not in given:
            raise BadRequest(f"The parameter {name!r} is missing: {one!r} and {other!r} belong together.")
    return ",".join(given[one]), ",".join(given[other])


def _fractions(values: list[str]) -> tuple[float, float, float, float]:
    syntax = "region=xmin,ymin,xmax,ymax is needed, with 0.0 <= min < max <= 1.0"
    if len(values) != 4:
        raise BadRequest(f"The parameter 'region' has {counted(values)}: {syntax}.")
    left, upper, right, lower = (
        _decimal(value, f"The {name} of 'region'")
        for value, name in zip(values, ("xmin", "ymin", "xmax", "ymax"), strict=True)
    )
    if not (0 <= left < right <= 1 and 0 <= upper < lower <= 1):
        raise BadRequest(f"The parameter 'region' is {shown(values)}: {syntax}.")
    return left, upper, right, lower


def _integer(given: Given, name: str, most: int | None) -> int | None:
    if name not in given:
        return None
    text = ",".join(given[name])
    number = int(text) if _UNSIGNED.fullmatch(text) else 0
    if number < 1 or (most is not None and number > most):
        wanted = "a positive integer" if most is None else f"an integer from 1 to {most}"
        raise BadRequest(f"The parameter {name!r} is {shown(given[name])}: {wanted} is needed.")
    return number


def _decimal(text: str, what: str) -> float:
    if len(text) <= _LONGEST_DECIMAL and _DECIMAL.fullmatch(text):
        number = float(text)
        if math.isfinite(number):
            return number
    raise BadRequest(f"{what} is {shown([text])}: a decimal number of at most {_LONGEST_DECIMAL} characters is needed.")


def uid(given: Given, name: str) -> str:
    """A parameter that is one UID. Raises BadRequest."""
    values = given.get(name, [])
    if len(values) != 1 or not is_uid(values[0]):
        raise BadRequest(f"The parameter {name!r} is {shown(values)}: one UID, digits and dots, at most 64, is needed.")
    return values[0]


def shown(values: list[str]) -> str:
    """A value for an error message."""
    text = ",".join(values)
    return repr(text[:80]) if text else "missing"
