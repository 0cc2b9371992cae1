"""The query parameter ``includefield`` of metadata, an extension: names as in searches — PS3.18 §8.3.4.3.

The attributes that are named, by keyword, tag or path into Sequences, and the UIDs that say whose they are. Without
the parameter, and with ``all``, everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from skiagraph.standard.matching import Path
from skiagraph.wire import search_grammar
from skiagraph.wire.query import parse_query
from skiagraph.wire.search_grammar import Parameter

IDENTIFIERS: Final[tuple[Path, ...]] = (("00080018",), ("0020000D",), ("0020000E",))
"""SOP, Study and Series Instance UID: without them an answer for several Instances would say nothing."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Attributes to be returned."""

    include: tuple[Path, ...]
    include_private: tuple[tuple[str, Path], ...]
    """With their creators, in block 10."""
    warnings: tuple[str, ...]


def parse(query: str, *, max_conditions: int) -> Fields | None:
    """Read a raw query string; None where nothing is to be left out.

    Parameters
    ----------
    max_conditions
        A tenth of the attributes that may be named.

    Raises
    ------
    BadRequest
        There are too many names, or one goes through an attribute that is no Sequence.
    """
    if "includefield" not in query:
        return None
    names: list[str] = []
    rest: list[Parameter] = []
    given = False
    for name, values in parse_query(query):
        if name == "includefield":
            given = True
            names += [part for value in values for each in value.split(",") if (part := each.strip(" "))]
        else:
            rest.append(Parameter(name, values, plus=False))
    if not given or "all" in names:
        return None
    search_grammar.limit_fields(len(names), max_conditions)
    warnings = search_grammar.Warnings()
    creators = search_grammar.creators(rest)
    found = [search_grammar.resolve(name, creators, warnings) for name in names]
    include = {attribute.path for attribute in found if attribute is not None and attribute.creator is None}
    private = {
        (attribute.creator, tuple(map(search_grammar.block_10, attribute.path)))
        for attribute in found
        if attribute is not None and attribute.creator is not None
    }
    return Fields(tuple(sorted(include.union(IDENTIFIERS))), tuple(sorted(private)), warnings.sentences())
