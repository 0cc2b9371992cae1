"""What a search returns of a data set: the return keys of a table, and what the query names — PS3.4 K.2.2.1, CC.2.8.3.

Types 1 and 2 are in every answer, without a value where there is none; 1C and 2C where the data set has them; type 3
where the query names them.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, TypeAlias

from skiagraph.standard import dictionary, matching
from skiagraph.standard.matching import Path
from skiagraph.values import Attributes

_Tree: TypeAlias = "dict[tuple[str, str | None], _Tree | None]"
"""Attributes by tag and, for private ones, creator; each with those of its Items, or None for the element as it is."""

_Filling: TypeAlias = "tuple[tuple[str, dict[str, str] | None, _Filling], ...]"
"""What is always returned: tags, each with the element to add where there is none, and what belongs to its Items."""


@dataclass(frozen=True, slots=True)
class ReturnTable:
    """The return keys of a service.

    A path that ends at a Sequence means the Sequence as it is; paths into it mean those attributes of its Items.
    """

    always: frozenset[Path]
    """Types 1 and 2. A path into a Sequence counts for the Items that there are."""
    where_there: frozenset[Path] = frozenset()
    """Types 1C and 2C."""
    secret: frozenset[str] = frozenset()
    """Tags that never go out, at any depth."""


class Selection:
    """The attributes that one search returns."""

    def __init__(
        self,
        table: ReturnTable,
        include: Iterable[Path] = (),
        include_private: Iterable[tuple[str, Path]] = (),
        *,
        everything: bool = False,
    ) -> None:
        """Take what the query names: paths, and private ones with creator and block 10, as in `matching.Search`."""
        self._everything = everything
        self._secret = table.secret
        self._tree: _Tree = {}
        for path in (*table.always, *table.where_there, *include):
            _place(self._tree, path, None)
        for creator, path in include_private:
            _place(self._tree, path, creator)
        self._plain = frozenset(tag for (tag, creator), inner in self._tree.items() if creator is None and not inner)
        for tag in self._plain:  # nearly all: these need no look at each
            del self._tree[tag, None]
        always: _Tree = {}
        for path in sorted(table.always, key=len):
            _place(always, path, None, whole=False)
        self._filling = _filling(always, table.always, ())

    def of(self, attributes: Attributes) -> Attributes:
        """Return what goes out of a data set. The given one is not changed; parts of it are shared."""
        if self._everything:
            found = dict(attributes)
        else:
            plain = self._plain
            found = {tag: element for tag, element in attributes.items() if tag in plain}
            if self._tree:
                found |= _pick(attributes, self._tree)
        found = without(found, self._secret)
        _fill(found, self._filling)
        return found


def _filling(tree: _Tree, always: frozenset[Path], above: Path) -> _Filling:
    return tuple(
        (
            tag,
            {"vr": (dictionary.vr_of(int(tag, 16)) or "UN")[:2]} if (*above, tag) in always else None,
            _filling(inner or {}, always, (*above, tag)),
        )
        for (tag, _), inner in tree.items()
    )


def _fill(found: Attributes, filling: _Filling) -> None:
    """Add what is always returned, without values."""
    for tag, empty, inner in filling:
        element = found.get(tag)
        if element is None:
            if empty is not None:
                found[tag] = dict(empty)
        elif inner and element.get("Value"):
            items = [dict(item) if isinstance(item, dict) else item for item in element["Value"]]
            for item in items:
                if isinstance(item, dict):
                    _fill(item, inner)
            found[tag] = element | {"Value": list(map(_sorted, items))}


def without(attributes: Attributes, tags: AbstractSet[str]) -> Attributes:
    """Return a data set without some attributes, at any depth."""
    if not _any_of(attributes, tags):
        return attributes
    found: Attributes = {}
    order = [(attributes, found)]
    for source, target in order:
        for tag, element in source.items():
            if tag in tags:
                continue
            values = element.get("Value")
            if values and element.get("vr") == "SQ":
                items: list[Attributes] = [{} for _ in values]
                order += [(item, copy) for item, copy in zip(values, items, strict=True) if isinstance(item, dict)]
                element = element | {"Value": items}
            target[tag] = element
    return found


def _any_of(attributes: Attributes, tags: AbstractSet[str]) -> bool:
    """Whether there is one of these attributes, at any depth."""
    order = [attributes] if tags else []
    for source in order:
        if not tags.isdisjoint(source):
            return True
        for element in source.values():
            if element.get("vr") == "SQ" and "Value" in element:
                order += [item for item in element["Value"] or () if isinstance(item, dict)]
    return False


def _place(tree: _Tree, path: Path, creator: str | None, *, whole: bool = True) -> None:
    """Add a path. `whole`: a Sequence at its end outranks paths into it."""
    for i, tag in enumerate(path):
        name = tag, creator if tag[3] in "13579BDF" else None
        if i == len(path) - 1:
            if whole or name not in tree:
                tree[name] = None
            return
        inner = tree.setdefault(name, None if not whole else {})
        if inner is None:
            if whole:
                return
            inner = tree[name] = {}
        tree = inner


def _pick(attributes: Attributes, tree: _Tree) -> Attributes:
    found: Attributes = {}
    for (tag, creator), inner in tree.items():
        tags: Iterable[str] = (tag,)
        if creator is not None:
            blocks = list(matching.blocks(attributes, tag[:4], creator))
            found |= {reserved: attributes[reserved] for reserved in (f"{tag[:4]}00{block}" for block in blocks)}
            tags = [tag[:4] + block + tag[6:] for block in blocks]
        for one in tags:
            element = attributes.get(one)
            if element is None:
                continue
            if inner is None:
                found[one] = element
            elif element.get("vr") == "SQ":
                values = element.get("Value") or ()
                items = [_sorted(_pick(item, inner)) if isinstance(item, dict) else item for item in values]
                found[one] = {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
    return found


def _sorted(item: Any) -> Any:
    return dict(sorted(item.items())) if isinstance(item, dict) else item
