"""Media types and media ranges of HTTP headers: RFC 9110 §8.3.1 and §12.5.1, PS3.18 §8.7.

The reader takes what user agents really send: values quoted or not, blanks around ``=``, a whole list of
parameters inside one pair of quotes. The writer quotes exactly where the grammar asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from skiagraph.errors import BadRequest

MAX_RANGES = 200
"""Most media ranges in one list; no user agent comes near, and each costs time."""

_QUOTED = r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
_ITEM = re.compile(rf'(?:[^",]++|{_QUOTED})++', re.DOTALL)
_SEGMENT = re.compile(rf'(?:[^";]++|{_QUOTED})++', re.DOTALL)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_NAME = re.compile(rf"({_TOKEN.pattern})/({_TOKEN.pattern})", re.ASCII)
_VALUE = re.compile(r'[^\x00-\x1f\x7f"\\]+')
_STRING = re.compile(r'"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]++|\\[^\x00-\x08\x0a-\x1f\x7f])*+)"')
_ESCAPED = re.compile(r"\\(.)")
_WEIGHT = re.compile(r"(?:0?\.[0-9]{1,9}|0|1)|1\.0{0,9}|0\.", re.ASCII)


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type or, where wildcards stand in it, a media range."""

    name: str
    """``type/subtype``, lower case."""
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Names lower case, values unquoted and otherwise as given."""

    @property
    def type(self) -> str:
        return self.name.partition("/")[0]

    def __str__(self) -> str:
        """As it is written in a header; values that are no tokens are quoted."""
        return self.name + "".join(f"; {name}={quote(value)}" for name, value in self.parameters.items())


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One entry of an Accept header: what would do, and how much it is liked."""

    media_type: MediaType
    q: float = 1.0
    """0 (not acceptable) to 1."""


def quote(value: str) -> str:
    """A parameter value as token, or as quoted-string where it is none (RFC 9110 §5.6.4)."""
    if _TOKEN.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@lru_cache(maxsize=256)
def parse(text: str) -> MediaType | None:
    """Read one media type, such as the value of a Content-Type header.

    None when it is none, or gives one parameter two different values (RFC 6838).
    """
    return _media_type(text)


def split_list(text: str) -> list[str]:
    """Split a header at the commas that stand outside quotes; empty entries are left out."""
    return [item.strip() for item in _ITEM.findall(text) if item.strip()]


def split_parameters(text: str) -> dict[str, str] | None:
    """Read ``name=value; name="value"``, names lower case; None when one is malformed or contradicts another."""
    parameters: dict[str, str] = {}
    for segment in _SEGMENT.findall(text):
        if segment.strip() and not _add(parameters, segment.strip()):
            return None
    return parameters


def parse_ranges(text: str) -> tuple[MediaRange, ...]:
    """Read a list ``1#(media-range [weight])``; entries that are invalid are left out (§8.7.7).

    Raises
    ------
    BadRequest
        The list has more than `MAX_RANGES` entries.
    """
    ranges = []
    for count, item in enumerate(split_list(text)):
        if count >= MAX_RANGES:
            raise BadRequest(f"The list of media types has more than {MAX_RANGES} entries.")
        media_type = _media_type(item)
        if media_type is None:
            continue
        parameters = dict(media_type.parameters)
        weight = parameters.pop("q", "1")
        # An invalid weight is an invalid parameter, and those are ignored (§8.7.7)
        q = float(weight) if _WEIGHT.fullmatch(weight) else 1.0
        ranges.append(MediaRange(MediaType(media_type.name, parameters), q))
    return tuple(ranges)


def _media_type(text: str) -> MediaType | None:
    text = text.strip()
    if whole := _STRING.fullmatch(text):  # "multipart/related; type=application/dicom": all of it in quotes
        text = _unescaped(whole[1]).strip()
    segments = [segment.strip() for segment in _SEGMENT.findall(text)]
    if not segments or (name := _NAME.fullmatch(segments[0])) is None:
        return None
    parameters: dict[str, str] = {}
    for segment in segments[1:]:
        if segment and not _add(parameters, segment):
            return None
    inner = parameters.get("type", "")
    if ";" in inner:  # type="application/dicom; transfer-syntax=*": the quotes go around too much
        media_type = _media_type(inner) if '"' not in inner else None
        if media_type is None:
            return None
        parameters["type"] = media_type.name
        for key, value in media_type.parameters.items():
            if parameters.setdefault(key, value) != value:
                return None
    return MediaType(name[0].lower(), parameters)


def _add(parameters: dict[str, str], segment: str, depth: int = 0) -> bool:
    """Add one ``name=value``; False when it is malformed or contradicts an earlier one."""
    if depth == 0 and (whole := _STRING.fullmatch(segment)):  # "type=application/dicom; transfer-syntax=*"
        inner = [part.strip() for part in _SEGMENT.findall(_unescaped(whole[1]))]
        return all(_add(parameters, part, 1) for part in inner if part)
    key, equals, value = segment.partition("=")
    key, value = key.strip().lower(), value.strip()
    if not equals or _TOKEN.fullmatch(key) is None:
        return False
    if string := _STRING.fullmatch(value):
        value = _unescaped(string[1])
    elif _VALUE.fullmatch(value) is None:
        return False
    # The same value twice is harmless, and viewers do send transfer-syntax=* twice; two values are an error (RFC 6838)
    return parameters.setdefault(key, value) == value


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text
