"""WADL: descriptions of web services, in XML and in the JSON form of PS3.18 Annex G."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

NAMESPACE = "http://wadl.dev.java.net/2009/02"

_UNIQUE = frozenset({"application", "resources", "request", "grammars"})
"""Elements that stand once in their parent: objects in JSON; all others are arrays of objects (§G.2.2, §G.2.3)."""

_PREFIXES: Any = {None: NAMESPACE}  # the stubs know no default namespace


@dataclass(frozen=True, slots=True)
class Element:
    """An element of a WADL document."""

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    children: tuple[Element, ...] = ()
    text: str | None = None
    """Of a ``doc`` element."""


def doc(text: str, title: str | None = None) -> Element:
    """A ``doc`` element: words for people, in English."""
    return Element("doc", {"xml:lang": "en"} | ({"title": title} if title else {}), text=text)


def element(kind: str, children: Iterable[Element] = (), /, **attributes: str) -> Element:
    """Any other element."""
    return Element(kind, attributes, tuple(children))


def to_xml(root: Element) -> bytes:
    """Return the document in XML, in UTF-8, for people to read too."""
    return etree.tostring(_xml(root), encoding="UTF-8", xml_declaration=True, pretty_print=True)


def to_json(root: Element) -> dict[str, Any]:
    """Return the document as Annex G has it."""
    return {root.name: _json(root)}


def _xml(one: Element) -> etree._Element:
    found = etree.Element(f"{{{NAMESPACE}}}{one.name}", nsmap=_PREFIXES)
    for name, value in one.attributes.items():
        key = "{http://www.w3.org/XML/1998/namespace}lang" if name == "xml:lang" else name
        found.set(key, value)
    found.text = one.text
    found.extend([_xml(child) for child in one.children])
    return found


def _json(one: Element) -> dict[str, Any]:
    found: dict[str, Any] = {f"@{name}": value for name, value in one.attributes.items()}
    if one.text is not None:
        found["value"] = one.text
    for child in one.children:
        if child.name in _UNIQUE:
            found[child.name] = _json(child)
        else:
            found.setdefault(child.name, []).append(_json(child))
    return found
