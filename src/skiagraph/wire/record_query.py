"""Query parameters of searches for Workitems and other records — PS3.18 §8.3.4, §11.9, §14.4.

As for Studies (`search_query`), but records have one level, and every attribute is a match key.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

from skiagraph.errors import BadRequest
from skiagraph.standard.matching import Condition, Path
from skiagraph.wire import match_key, search_grammar
from skiagraph.wire.match_key import MatchKey
from skiagraph.wire.query import parse_query

_TIMEZONE: Path = ("00080201",)
_CHARACTER_SET: Path = ("00080005",)
_BINARY_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
_URL_SAFE = "%!$'()*+;:@/?~"  # of a query string in the form that we keep


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """What a search asks for."""

    conditions: tuple[Condition, ...] = ()
    keys: frozenset[Path] = frozenset()
    """Attributes that the query has as match keys, universal ones too."""
    include: tuple[Path, ...] = ()
    """Attributes to return beyond the table of the service: match keys and includefield."""
    include_private: tuple[tuple[str, Path], ...] = ()
    """Private ones: creator, and path with block 10."""
    include_all: bool = False
    limit: int | None = None
    offset: int = 0
    warnings: tuple[str, ...] = ()
    """Sentences for the user agent, such as ignored parameters."""


def parse(
    query: str, *, secret: Container[str] = (), max_conditions: int = 100, max_results: int | None = None
) -> RecordQuery:
    """Read the query string of a search for records.

    Parameters
    ----------
    query
        Raw, behind the ``?``.
    secret
        Tags that are neither matched nor returned.
    max_conditions
        Most match conditions; each member of a list of Code Strings counts. Ten times as many attributes may be
        named to be returned.
    max_results
        Limit of the server, None without.

    Raises
    ------
    BadRequest
        A known parameter has a malformed value, or is given twice; there are too many conditions, or too many
        attributes to return.
    """
    warnings = search_grammar.Warnings()
    grammar = search_grammar.grammar(query)
    search_grammar.limit_fields(len(grammar.include), max_conditions)
    creators = search_grammar.creators(grammar.rest)
    returned: dict[Path, search_grammar.Attribute] = {}
    options, root, seen = grammar.options, search_grammar.Node(), set[Path]()
    for parameter in grammar.rest:
        attribute = search_grammar.resolve(parameter.name, creators, warnings)
        if attribute is None:
            continue
        if attribute.path in seen:
            raise BadRequest(f"The attribute {attribute.name} is given more than once; each can be given once.")
        seen.add(attribute.path)
        last = (search_grammar.block_10(attribute.path[-1]),)
        key = MatchKey.of(attribute.name, last, attribute.vr, parameter.values, plus=parameter.plus)
        if attribute.path == _TIMEZONE:
            options = replace(options, timezone=match_key.timezone(key))
        elif attribute.path == _CHARACTER_SET:
            warnings.ignored(attribute.name, "text in the query is always UTF-8 (PS3.18 8.3.4.1)")
        elif any(tag in secret for tag in attribute.path):
            warnings.ignored(attribute.name, "it is never disclosed")
        elif attribute.vr in _BINARY_VRS and not key.universal:
            warnings.ignored(attribute.name, "binary values are not matched")
        else:
            returned[attribute.path] = attribute
            if not key.universal:
                search_grammar.place(root, attribute, key)
    for name in grammar.include:
        attribute = None if name == "all" else search_grammar.resolve(name, creators, warnings)
        if attribute is not None and not any(tag in secret for tag in attribute.path):
            returned[attribute.path] = attribute
    search_grammar.limit_fields(len(returned), max_conditions)
    conditions = tuple(search_grammar.conditions(root, options))
    number = search_grammar.count(conditions)
    if number > max_conditions:
        raise BadRequest(f"The search has {number} conditions; this server takes at most {max_conditions}.")
    limit = grammar.limit
    if max_results is not None:
        limit = max_results if limit is None else min(limit, max_results)
    return RecordQuery(
        conditions,
        frozenset(seen),
        tuple(path for path, attribute in returned.items() if attribute.creator is None),
        tuple(
            (attribute.creator, tuple(map(search_grammar.block_10, path)))
            for path, attribute in returned.items()
            if attribute.creator is not None
        ),
        "all" in grammar.include,
        limit,
        grammar.offset,
        warnings.sentences(),
    )


def subscription_filter(query: str) -> str:
    """Return the match keys of a filtered subscription as a query string of match keys alone (§11.10.1.2).

    Either ``filter=`` with a list of ``attribute=value``, whose inner ``=`` and ``,`` may be percent-encoded, or
    the keys as parameters of their own, as several clients send them. "" when there is none.

    Raises
    ------
    BadRequest
        A member of the list has no ``=``; or as `parse`.
    """
    keys = []
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name == "filter":
            for member in unquote(value, "latin-1").split(","):
                attribute, equals, wanted = member.partition("=")
                if not equals or not attribute.strip():
                    raise BadRequest(
                        "The parameter filter takes a list of attribute=value with commas between,"
                        " such as filter=WorklistLabel=CT,InputReadinessState=READY."
                    )
                keys.append(f"{attribute.strip()}={quote(wanted, safe=_URL_SAFE, encoding='latin-1')}")
        elif name and name not in ("deletionlock", "accept", "charset"):
            keys.append(pair)
    text = "&".join(keys)
    parse_query(text)
    return text
