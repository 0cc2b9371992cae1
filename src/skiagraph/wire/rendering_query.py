"""The query parameters of Rendered and Thumbnail resources: PS3.18 §8.3.5.1 and §8.3.5.2.

A parameter that is known and malformed is an error (§8.3); one that is unknown is ignored and named, so that the
answer can warn. Names and keywords are case-sensitive. Commas separate values even where they are percent-encoded, as
the URL functions of browsers and HTTP libraries do it: no value here can hold one. `accept` is read with the header
(`wire.query.accept`).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from skiagraph.errors import BadRequest
from skiagraph.standard.rendering import Annotation, IccProfile, Viewport, VoiFunction, Window
from skiagraph.wire.query import parse_query

LARGEST_VIEWPORT = 32768
"""Most pixels of a viewport in one direction; beyond it the size is not supported (400)."""

_DECIMAL = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_LONGEST_DECIMAL = 16
_UNSIGNED = re.compile(r"[0-9]{1,9}", re.ASCII)
_KEYWORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)

_FUNCTIONS = {
    "linear": VoiFunction.LINEAR,
    "linear-exact": VoiFunction.LINEAR_EXACT,
    "sigmoid": VoiFunction.SIGMOID,
}
_WHOLE_VIEWPORT = (
    "viewport=vw,vh,sx,sy,sw,sh is needed, width and height of the result, then x, y, width and height of the source"
    " region; from sx on values may be left out"
)
_SIZE_ALONE = "viewport=vw,vh is needed, width and height of the result"
_WHOLE_WINDOW = "window=center,width,function is needed, function being linear, linear-exact or sigmoid"


@dataclass(frozen=True, slots=True)
class RenderingQuery:
    """What a request says about the rendering; None and empty where it says nothing."""

    window: Window | None = None
    viewport: Viewport | None = None
    quality: int | None = None
    """1 to 100, 100 being best."""
    annotation: frozenset[Annotation] = frozenset()
    icc_profile: IccProfile | None = None
    charset: tuple[str, ...] = ()
    """Tokens in the order of the request, lower case."""
    unsupported_annotation: tuple[str, ...] = ()
    """Keywords that are none of ours: ignored, with a warning (§8.3.5.1.1)."""
    unknown: tuple[str, ...] = ()
    """Names of parameters that mean nothing here: ignored (§8.3)."""


def parse_rendered(query: str) -> RenderingQuery:
    """Read the parameters of a Rendered resource.

    Raises
    ------
    BadRequest
        A parameter is malformed, out of range or given twice.
    """
    given, unknown = _parameters(query, ("window", "viewport", "quality", "annotation", "iccprofile", "charset"))
    annotation, unsupported = _annotation(given["annotation"]) if "annotation" in given else (frozenset(), ())
    return RenderingQuery(
        _window(given["window"]) if "window" in given else None,
        _viewport(given["viewport"], regions=True) if "viewport" in given else None,
        _quality(given["quality"]) if "quality" in given else None,
        annotation,
        _icc_profile(given["iccprofile"]) if "iccprofile" in given else None,
        _charset(given.get("charset", [])),
        unsupported,
        unknown,
    )


def parse_thumbnail(query: str) -> RenderingQuery:
    """Read the parameters of a Thumbnail resource: a viewport of two values, and nothing else (§8.3.5.2).

    Raises
    ------
    BadRequest
        The viewport is malformed, has a source region, or is given twice.
    """
    given, unknown = _parameters(query, ("viewport", "charset"))
    return RenderingQuery(
        viewport=_viewport(given["viewport"], regions=False) if "viewport" in given else None,
        charset=_charset(given.get("charset", [])),
        unknown=unknown,
    )


def check_presentation_state(rendering: RenderingQuery) -> None:
    """Raise BadRequest for what may not be asked of a presentation state (§8.3.5.1.6): it says so itself."""
    if rendering.window is not None:
        raise BadRequest("The parameter 'window' can not be given for a presentation state, which has its own.")
    if rendering.viewport is not None and not rendering.viewport.whole:
        raise BadRequest("For a presentation state 'viewport' takes a width and a height and no source region.")


def _parameters(query: str, names: tuple[str, ...]) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Values of the known parameters, and the names of those that are not."""
    if not query:
        return {}, ()
    given: dict[str, list[str]] = {}
    unknown: dict[str, None] = {}
    for name, values in parse_query(query):
        if name not in names:
            if name != "accept":
                unknown[name] = None
            continue
        if name in given:
            raise BadRequest(f"The parameter {name!r} is given twice.")
        given[name] = ",".join(values).split(",") if values else []
    return given, tuple(unknown)


def _window(values: list[str]) -> Window:
    if len(values) != 3:
        raise BadRequest(f"The parameter 'window' has {counted(values)}: {_WHOLE_WINDOW}.")
    function = _FUNCTIONS.get(values[2])
    if function is None:
        raise BadRequest(f"The function of 'window' is {_shown(values[2])}: {_WHOLE_WINDOW}.")
    window = Window(
        _decimal(values[0], "The center of 'window'"), _decimal(values[1], "The width of 'window'"), function
    )
    if not window.valid:
        least = "at least 1" if function is VoiFunction.LINEAR else "more than 0"
        raise BadRequest(f"The width of 'window' is {_shown(values[1])}: {least} is needed for {values[2]}.")
    return window


def _viewport(values: list[str], *, regions: bool) -> Viewport:
    if not 2 <= len(values) <= (6 if regions else 2):
        raise BadRequest(
            f"The parameter 'viewport' has {counted(values)}: {_WHOLE_VIEWPORT if regions else _SIZE_ALONE}."
        )
    width, height = (
        _size(value, f"The {name} of 'viewport'") for value, name in zip(values, ("width", "height"), strict=False)
    )
    if len(values) > 2 and not values[-1]:
        raise BadRequest("The parameter 'viewport' ends with a comma: inner values may be left empty, not the last.")
    region = [
        None if not value else _decimal(value, f"The {name} of the source region of 'viewport'")
        for value, name in zip(values[2:], ("x", "y", "width", "height"), strict=False)
    ]
    x, y, region_width, region_height = region + [None] * (4 - len(region))
    if region_width == 0 or region_height == 0:
        raise BadRequest("The source region of 'viewport' is empty: its width and height must not be 0.")
    return Viewport(
        width,
        height,
        abs(x or 0.0),
        abs(y or 0.0),
        None if region_width is None else abs(region_width),
        None if region_height is None else abs(region_height),
        flip_horizontally=region_width is not None and region_width < 0,
        flip_vertically=region_height is not None and region_height < 0,
    )


def _size(text: str, what: str) -> int:
    size = int(text) if _UNSIGNED.fullmatch(text) else 0
    if not 1 <= size <= LARGEST_VIEWPORT:
        raise BadRequest(f"{what} is {_shown(text)}: an integer from 1 to {LARGEST_VIEWPORT} is needed.")
    return size


def _quality(values: list[str]) -> int:
    text = ",".join(values)
    quality = int(text) if _UNSIGNED.fullmatch(text) else 0
    if not 1 <= quality <= 100:
        raise BadRequest(f"The parameter 'quality' is {_shown(text)}: an integer from 1 to 100 is needed.")
    return quality


def _annotation(values: list[str]) -> tuple[frozenset[Annotation], tuple[str, ...]]:
    known = {member.value: member for member in Annotation}
    if not values:
        raise BadRequest(f"The parameter 'annotation' has no value: one or more of {', '.join(known)} are needed.")
    for value in values:
        if not _KEYWORD.fullmatch(value):
            raise BadRequest(
                f"A value of 'annotation' is {_shown(value)}: one or more of {', '.join(known)} are needed."
            )
    return (
        frozenset(known[value] for value in values if value in known),
        tuple(dict.fromkeys(value for value in values if value not in known)),
    )


def _icc_profile(values: list[str]) -> IccProfile:
    text = ",".join(values)
    for member in IccProfile:
        if text == member.value:
            return member
    names = ", ".join(member.value for member in IccProfile)
    raise BadRequest(f"The parameter 'iccprofile' is {_shown(text)}: one of {names} is needed.")


def _charset(values: list[str]) -> tuple[str, ...]:
    """What can not be a character set is ignored like one that is not supported (§8.8)."""
    return tuple(value.strip().lower() for value in values if value.strip())


def counted(values: list[str]) -> str:
    """How many values there are, in words."""
    if not any(values):
        return "no value"
    return f"{len(values)} values" if len(values) > 1 else "1 value"


def _decimal(text: str, what: str) -> float:
    if len(text) <= _LONGEST_DECIMAL and _DECIMAL.fullmatch(text):
        number = float(text)
        if math.isfinite(number):
            return number
    raise BadRequest(f"{what} is {_shown(text)}: a decimal number of at most {_LONGEST_DECIMAL} characters is needed.")


def _shown(text: str) -> str:
    return repr(text[:32]) if text else "missing"
