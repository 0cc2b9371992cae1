"""Query parameters of the Search Transaction — PS3.18 §8.3.4: a raw query string becomes a `Search`.

Where the standard leaves room:

- Unknown parameters, and attributes that the resource does not match, are ignored with a warning (§8.3).
- A known parameter with a malformed value is a `BadRequest`, and so is an attribute that is given twice.
- Lists in ``includefield`` are split at ``%2C`` too; ``all`` beside other attributes means ``all``.
- Patient attributes and the unique keys match on every resource; others at the levels of Table 10.6.1-4.
- Match keys are returned (PS3.4 C.4.1.3.1); what is below the level of the results is neither matched nor returned.
- A private element needs its creator as a parameter, in the block that the query uses for it
  (``00091002=x&00090010=Vendor``); data sets may have it in another block.
"""

from __future__ import annotations

from dataclasses import replace

from skiagraph.errors import BadRequest
from skiagraph.standard import attributes
from skiagraph.standard.matching import Path, Search
from skiagraph.values import Level
from skiagraph.wire import match_key, search_grammar
from skiagraph.wire.match_key import MatchKey

_REQUEST_ATTRIBUTES = "00400275"
_UNMATCHABLE_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
_TIMEZONE: Path = ("00080201",)


def parse(
    query: str,
    *,
    level: Level,
    study_instance_uid: str | None = None,
    series_instance_uid: str | None = None,
    max_conditions: int = 100,
    max_results: int | None = None,
) -> Search:
    """Read the query string of a search resource.

    Parameters
    ----------
    query
        Raw, behind the ``?``.
    level, study_instance_uid, series_instance_uid
        What the path of the resource says.
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
    levels = attributes.searched_levels(
        level, study_given=study_instance_uid is not None, series_given=series_instance_uid is not None
    )
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
        elif not key.universal and len(attribute.path) == 1 and attribute.path[0] in attributes.NEVER_MATCHED:
            warnings.ignored(attribute.name, attributes.NEVER_MATCHED[attribute.path[0]])
        elif _level(attribute) > level:
            warnings.below(attribute, level)
        elif key.universal:
            returned[attribute.path] = attribute
        elif (reason := _unmatched(attribute, levels)) is not None:
            warnings.ignored(attribute.name, reason)
        else:
            search_grammar.place(root, attribute, key)
            returned[attribute.path] = attribute
            if search_grammar.may_be_bulk(attribute) and not (options.empty and key.value == '""'):
                warnings.bulk(attribute)

    for name in grammar.include:
        attribute = None if name == "all" else search_grammar.resolve(name, creators, warnings)
        if attribute is not None and _level(attribute) <= level:
            returned[attribute.path] = attribute
        elif attribute is not None:
            warnings.below(attribute, level)

    search_grammar.limit_fields(len(returned), max_conditions)
    conditions = tuple(search_grammar.conditions(root, options))
    number = search_grammar.count(conditions)
    if number > max_conditions:
        raise BadRequest(f"The search has {number} conditions; this server takes at most {max_conditions}.")
    limit = grammar.limit
    if max_results is not None:
        limit = max_results if limit is None else min(limit, max_results)
    table = _table(levels)
    return Search(
        level=level,
        study_instance_uid=study_instance_uid,
        series_instance_uid=series_instance_uid,
        conditions=conditions,
        include=tuple(a.path for a in returned.values() if a.creator is None and a.path not in table),
        include_private=tuple(
            dict.fromkeys(
                (a.creator, tuple(map(search_grammar.block_10, a.path)))
                for a in returned.values()
                if a.creator is not None
            )
        ),
        include_all="all" in grammar.include,
        limit=limit,
        offset=grammar.offset,
        warnings=warnings.sentences(),
    )


# Levels -----------------------------------------------------------------------------------------------------------


def _level(attribute: search_grammar.Attribute) -> Level:
    """The level from which on down results can have the attribute."""
    tag = attribute.path[0]
    return Level.STUDY if tag in attributes.EVERY_LEVEL else attributes.level_of(tag)


def _unmatched(attribute: search_grammar.Attribute, levels: frozenset[Level]) -> str | None:
    """Why an attribute is no match key of the resource (§10.6.1.2.1); None when it is one."""
    if attribute.vr in _UNMATCHABLE_VRS:
        return "binary values are not matched"
    tag, own = attribute.path[0], attributes.level_of(attribute.path[0])
    anywhere = attributes.EVERY_LEVEL.union(attributes.UNIQUE_KEYS.values())
    if own in levels or tag in anywhere or attributes.is_patient(tag):
        return None
    return f"the path names the {own.name.lower()}, so that its attributes are no match keys here"


def _table(levels: frozenset[Level]) -> set[Path]:
    """What is returned anyway."""
    table: set[Path] = {(key.tag,) for level in levels for key in attributes.RETURN_KEYS[level]}
    if (_REQUEST_ATTRIBUTES,) in table:
        table |= {(_REQUEST_ATTRIBUTES, key.tag) for key in attributes.REQUEST_ATTRIBUTES_KEYS}
    return table
