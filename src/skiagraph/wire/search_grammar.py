"""The grammar of search queries — PS3.18 §8.3.1, §8.3.4: parameters, names of attributes, and what keys make up.

What every Search Transaction reads alike, whatever it searches; `search_query` and `record_query` say what their
resources take.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from skiagraph.errors import BadRequest
from skiagraph.standard import dictionary
from skiagraph.standard.matching import AnyOf, Condition, InSequence, Path, Private, Range
from skiagraph.values import Level
from skiagraph.wire import match_key
from skiagraph.wire.match_key import MatchKey, Options
from skiagraph.wire.query import parse_query

_ONCE = frozenset({"emptyvaluematching", "fuzzymatching", "limit", "multiplevaluematching", "offset"})
_FOREIGN = frozenset({"accept", "charset"})  # read by others
_MOST = 10**18  # results and offsets beyond are the same as this
_MOST_NAMES = 10  # in one warning
_DEEPEST = 16  # attributes in a path

_TAG = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)
_SHOWABLE = re.compile(r"[A-Za-z0-9_.\-]{1,64}", re.ASCII)
_FIELDS_PER_CONDITION = 10  # attributes to return, for each condition that there may be
_BINARY_VRS = frozenset({"FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})  # bulk data where they have many values
_HINTS = {"00080060": "ModalitiesInStudy", "00080016": "SOPClassesInStudy"}  # what to use with /studies


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that is no keyword of the query grammar: an attribute, most likely."""

    name: str
    values: list[str]
    plus: bool


@dataclass(frozen=True, slots=True)
class Attribute:
    """What the name of a parameter names."""

    name: str
    path: Path
    """Private tags with the block as given."""
    vr: str
    creator: str | None = None
    """Of the private elements in the path."""


@dataclass(slots=True)
class Node:
    """Match keys of a data set or Item, by tag, each with its private creator."""

    keys: dict[str, tuple[MatchKey, str | None]] = field(default_factory=dict)
    items: dict[str, tuple[Node, str | None]] = field(default_factory=dict)


@dataclass(slots=True)
class Grammar:
    """The parameters of Table 8.3.4-1."""

    options: Options
    limit: int | None
    offset: int
    include: list[str]
    rest: list[Parameter]


# Parameters (Table 8.3.4-1) ---------------------------------------------------------------------------------------


def grammar(query: str) -> Grammar:
    once: dict[str, str] = {}
    include: list[str] = []
    rest: list[Parameter] = []
    raw = [pair for pair in query.split("&") if pair]
    for pair, (name, values) in zip(raw, parse_query(query), strict=True):
        if name == "includefield":
            include += (part.strip(" ") for value in values for part in value.split(","))
        elif name in _ONCE:
            if name in once:
                raise BadRequest(f"The parameter {name} is given more than once; it can be given once.")
            once[name] = ",".join(values).strip(" ")
        elif name not in _FOREIGN:
            rest.append(Parameter(name, values, "+" in pair))
    return Grammar(
        Options(
            fuzzy=_flag("fuzzymatching", once),
            empty=_flag("emptyvaluematching", once),
            multiple=_flag("multiplevaluematching", once),
        ),
        _uint("limit", once["limit"]) if "limit" in once else None,
        _uint("offset", once["offset"]) if "offset" in once else 0,
        [name for name in include if name],
        rest,
    )


def _flag(name: str, given: dict[str, str]) -> bool:
    value = given.get(name, "false")
    if value.lower() not in ("true", "false"):
        raise BadRequest(f"The parameter {name} takes true or false.")
    return value.lower() == "true"


def _uint(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()):
        raise BadRequest(f"The parameter {name} takes a whole number, 0 or more, in digits.")
    value = value.lstrip("0") or "0"
    return int(value) if len(value) < 19 else _MOST


# Names of attributes (§8.3.1) -------------------------------------------------------------------------------------


def creators(parameters: list[Parameter]) -> dict[Path, str]:
    """Private creators that the query gives: ``00090010=Vendor``, or of an Item ``00081111.00090010=Vendor``."""
    found: dict[Path, str] = {}
    for parameter in parameters:
        if parameter.name[-4:-2] == "00" and (path := _path(parameter.name)) is not None and _is_creator(path[-1]):
            found[path] = ",".join(parameter.values).strip(" ")
    return found


def _path(name: str) -> Path | None:
    if name.count(".") >= _DEEPEST:
        raise BadRequest(f"A path in the query has more than {_DEEPEST} attributes.")
    tags = []
    for part in name.split("."):
        if _TAG.fullmatch(part):
            tags.append(part.upper())
        elif (tag := dictionary.tag_of(part)) is not None:
            tags.append(f"{tag:08X}")
        else:
            return None
    return tuple(tags)


def _is_private(tag: str) -> bool:
    return tag[3] in "13579BDF"


def _is_creator(tag: str) -> bool:
    return _is_private(tag) and tag[4:6] == "00" and tag[6:] >= "10"


def block_10(tag: str) -> str:
    return f"{tag[:4]}10{tag[6:]}" if _is_private(tag) else tag


def resolve(name: str, creators: dict[Path, str], warnings: Warnings) -> Attribute | None:
    """Return what a name names, or None and a warning."""
    path = _path(name)
    if path is None:
        warnings.unknown(name)
        return None
    if _is_creator(path[-1]):
        return None  # only says whose private elements others are
    if any(tag[4:] == "0000" or tag[:4] in ("0000", "0002", "FFFC", "FFFE", "FFFF") for tag in path):
        warnings.ignored(name, "it is no attribute of an Instance")
        return None
    creator: str | None = None
    for i, tag in enumerate(path):
        if _is_private(tag):
            reservation = f"{tag[:4]}00{tag[4:6]}"
            mine = creators.get((*path[:i], reservation)) or creators.get((reservation,))
            if tag[4:6] < "10" or not mine or (creator is not None and creator != mine):
                warnings.ignored(name, f"a private element needs its creator, as in {reservation}=Vendor")
                return None
            creator = mine
        if i < len(path) - 1 and _vr(tag, creator) not in ("SQ", "UN"):
            raise BadRequest(f"In {_shown(name)}, {tag} is no Sequence; only the last attribute of a path can be none.")
    return Attribute(_shown(name), path, _vr(path[-1], creator), creator)


def _vr(tag: str, creator: str | None) -> str:
    """VR by the dictionaries; the first one where there is a choice; UN where they do not know."""
    number = int(tag, 16)
    vr = dictionary.private_vr_of(number, creator or "") if _is_private(tag) else dictionary.vr_of(number)
    return "UN" if vr is None or vr == "NONE" else vr[:2]


def may_be_bulk(attribute: Attribute) -> bool:
    """Whether the values that an attribute can have may be too many for the index to keep them."""
    if attribute.vr not in _BINARY_VRS:
        return False
    entry = dictionary.find(int(attribute.path[-1], 16))
    return entry is None or "n" in entry.vm


def limit_fields(count: int, max_conditions: int) -> None:
    most = max_conditions * _FIELDS_PER_CONDITION
    if count > most:
        raise BadRequest(
            f"The search names {count} attributes to be returned; this server takes at most {most}."
            " All there are come with includefield=all."
        )


# Conditions -------------------------------------------------------------------------------------------------------


def place(root: Node, attribute: Attribute, key: MatchKey) -> None:
    node, creator = root, attribute.creator
    for tag in attribute.path[:-1]:
        node = node.items.setdefault(tag, (Node(), creator if _is_private(tag) else None))[0]
    node.keys[attribute.path[-1]] = key, creator if _is_private(attribute.path[-1]) else None


def conditions(node: Node, options: Options) -> Iterator[Condition]:
    """Conditions of a data set or Item. Keys into one Sequence have to match in one Item (PS3.4 C.2.2.2.6)."""
    ranges: dict[str, Range] = {}
    for tag, (key, creator) in node.keys.items():
        condition = match_key.condition(key, options)
        if isinstance(condition, Range) and creator is None:
            ranges[tag] = condition
        else:
            yield condition if creator is None else Private(creator, condition)
    yield from match_key.combined(ranges, options.timezone)
    for tag, (inner, creator) in node.items.items():
        sequence = InSequence((block_10(tag),), tuple(conditions(inner, options)))
        yield sequence if creator is None else Private(creator, sequence)


def count(conditions: tuple[Condition, ...]) -> int:
    total = 0
    for condition in conditions:
        if isinstance(condition, Private):
            total += count((condition.condition,))
        elif isinstance(condition, AnyOf | InSequence):
            total += count(condition.conditions)
        else:
            total += 1
    return total


# Warnings ---------------------------------------------------------------------------------------------------------


def _shown(name: str) -> str:
    """The name of a parameter where it can stand in a header and a log."""
    return name if _SHOWABLE.fullmatch(name) else "a parameter"


class Warnings:
    """Sentences for the user agent, in ASCII; few, however long the query is."""

    def __init__(self) -> None:
        self._unknown: dict[str, None] = {}
        self._below: dict[str, None] = {}
        self._bulk: dict[str, None] = {}
        self._ignored: dict[str, None] = {}

    def unknown(self, name: str) -> None:
        self._unknown[_shown(name)] = None

    def below(self, attribute: Attribute, level: Level) -> None:
        hint = _HINTS.get(attribute.path[0]) if level is Level.STUDY else None
        self._below[attribute.name + (f" (use {hint})" if hint else "")] = None

    def bulk(self, attribute: Attribute) -> None:
        self._bulk[attribute.name] = None

    def ignored(self, name: str, reason: str) -> None:
        if len(self._ignored) < _MOST_NAMES:
            self._ignored[f"{_shown(name)} was ignored: {reason}."] = None

    def sentences(self) -> tuple[str, ...]:
        found = []
        if self._unknown:
            found.append(f"Unknown parameters were ignored: {_names(self._unknown)}.")
        if self._below:
            found.append(f"Attributes below the level of the results were ignored: {_names(self._below)}.")
        if self._bulk:
            found.append(
                "Values that the metadata give as BulkDataURI, as they are long, were not matched:"
                f" {_names(self._bulk)}."
            )
        return (*found, *self._ignored)


def _names(names: dict[str, None]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(list(names)[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
