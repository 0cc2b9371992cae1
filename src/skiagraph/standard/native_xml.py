"""The Native DICOM Model in XML (PS3.19 A.1) to and from the DICOM JSON Model (PS3.18 F.3.1).

Written as the examples of PS3.18 and most servers write it: no namespace, which readers that go by qualified names
need and those that know the schema do not miss; ``keyword``, ``tag``, ``vr`` in this order; no blanks anywhere.
Private elements are in block 00 with their ``privateCreator``; reservations that an element stands for are implied.
Characters that XML 1.0 can not hold, such as ESC and FF, become U+FFFD.

Read with or without namespace, attributes in any case (``Tag``, ``VR``), without ``vr`` or ``number``, unknown
elements passed over; document types are refused, so that there are no entities to expand and nothing to fetch.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from skiagraph.errors import CannotUnderstand
from skiagraph.standard import dicom_json, dictionary
from skiagraph.values import Attributes

_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_SPECIAL = re.compile('[&<>"\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:|/")
_TAG = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)
_VR = re.compile(r"[A-Z]{2}", re.ASCII)
_INTEGERS = frozenset({"SL", "SS", "SV", "UL", "US", "UV"})
_FLOATS = frozenset({"FD", "FL"})
_TRIMMED = frozenset({"AE", "AT", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}) | _INTEGERS | _FLOATS
_LONG_TEXT = frozenset({"LT", "ST", "UC", "UT"})  # blanks at the start count
_TO_XSD = {"Infinity": "INF", "-Infinity": "-INF"}
_FROM_XSD = {"INF": "Infinity", "+INF": "Infinity", "-INF": "-Infinity", "NaN": "NaN"}
_MOST_MISSING = 1000  # empty values that only ``number`` tells of

# Writing ----------------------------------------------------------------------------------------------------------


def to_xml(attributes: Attributes, *, bulk_base: str | None = None) -> bytes:
    """Write a data set as an XML document in UTF-8.

    Parameters
    ----------
    bulk_base
        URL that relative BulkDataURIs are relative to, without trailing slash; None leaves them as they are.
    """
    parts = ['<?xml version="1.0" encoding="UTF-8"?><NativeDicomModel xml:space="preserve">']
    _write(parts.append, attributes, bulk_base)
    parts.append("</NativeDicomModel>")
    return "".join(parts).encode()


def _write(write: Any, attributes: Attributes, bulk_base: str | None) -> None:
    """Write the attributes of a data set or Item. One call per level of nesting, which is bounded where it is read."""
    creators = _creators(attributes)
    for tag, element in sorted(attributes.items()):
        vr = element.get("vr", "UN")
        if tag[3] in "13579BDF":
            if tag in creators:
                continue
            creator = creators.get(f"{tag[:4]}00{tag[4:6]}") if tag[4:6] >= "10" else None
            head = (
                f'<DicomAttribute tag="{tag}" vr="{vr}"'
                if creator is None
                else f'<DicomAttribute tag="{tag[:4]}00{tag[6:]}" vr="{vr}" privateCreator="{_escape(creator)}"'
            )
        else:
            keyword = dictionary.keyword_of(int(tag, 16))
            head = (
                f'<DicomAttribute tag="{tag}" vr="{vr}"'
                if keyword is None
                else f'<DicomAttribute keyword="{keyword}" tag="{tag}" vr="{vr}"'
            )
        values = element.get("Value")
        if values:
            write(head + ">")
            for number, value in enumerate(values, 1):
                if vr == "SQ":
                    if value:
                        write(f'<Item number="{number}">')
                        _write(write, value, bulk_base)
                        write("</Item>")
                    else:
                        write(f'<Item number="{number}"/>')
                elif vr == "PN":
                    write(_person_name(number, value))
                elif value is None or value == "":
                    write(f'<Value number="{number}"/>')
                else:
                    write(f'<Value number="{number}">{_text(value)}</Value>')
            write("</DicomAttribute>")
        elif "BulkDataURI" in element:
            uri = element["BulkDataURI"]
            if bulk_base is not None and not _ABSOLUTE.match(uri):
                uri = f"{bulk_base}/{uri}"
            write(f'{head}><BulkData uri="{_escape(uri)}"/></DicomAttribute>')
        elif element.get("InlineBinary"):
            write(f"{head}><InlineBinary>{_escape(element['InlineBinary'])}</InlineBinary></DicomAttribute>")
        else:
            write(head + "/>")


def _creators(attributes: Attributes) -> dict[str, str]:
    """Reservations of private blocks that an element stands for, by their tag."""
    found = {
        tag: creator
        for tag, element in attributes.items()
        if tag[3] in "13579BDF" and tag[4:6] == "00" and tag[6:] >= "10"
        for creator in (element.get("Value") or ())[:1]
        if isinstance(creator, str) and creator
    }
    if not found:
        return found
    used = {f"{tag[:4]}00{tag[4:6]}" for tag in attributes if tag[4:6] != "00"}
    return {tag: creator for tag, creator in found.items() if tag in used}


def _person_name(number: int, name: Any) -> str:
    if isinstance(name, str):
        name = dict(zip(_GROUPS, name.split("="), strict=False))
    text = ""
    for group in _GROUPS:
        value = name.get(group) if name else None
        if value:
            components = zip(_COMPONENTS, value.split("^", len(_COMPONENTS) - 1), strict=False)
            inner = "".join(f"<{component}>{_escape(part)}</{component}>" for component, part in components if part)
            text += f"<{group}>{inner}</{group}>" if inner else ""
    return f'<PersonName number="{number}">{text}</PersonName>' if text else f'<PersonName number="{number}"/>'


def _text(value: Any) -> str:
    if isinstance(value, str):
        return _escape(_TO_XSD.get(value, value))
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "INF" if value > 0 else "-INF"
    return repr(value)


def _escape(text: str) -> str:
    return _SPECIAL.sub(_replacement, text) if _SPECIAL.search(text) else text


def _replacement(match: re.Match[str]) -> str:
    return _ENTITIES.get(match[0], "\ufffd")


# Reading ----------------------------------------------------------------------------------------------------------


def from_xml(data: bytes, *, max_bytes: int = 64 * 2**20, max_depth: int = 64, as_text: bool = False) -> Attributes:
    """Read one document as a data set in the DICOM JSON Model, tags ascending.

    IS and DS become numbers as in `standard.dicom_json`. Private elements get blocks from 10 on, with their
    reservations.

    Parameters
    ----------
    max_bytes, max_depth
        Largest document; deepest nesting of Sequences.
    as_text
        All values stay text, for a reader that does not believe the VRs (`standard.data_set`).

    Raises
    ------
    CannotUnderstand
        It is no XML, no Native DICOM Model, or beyond a limit. The message holds tags but no values.
    """
    if len(data) > max_bytes:
        raise CannotUnderstand(f"The XML document has more than {max_bytes} bytes.")
    reader = _Reader(max_depth, as_text)
    parser = etree.XMLParser(
        target=reader, resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=True
    )
    try:
        parser.feed(data)
        parser.close()
    except etree.XMLSyntaxError as error:
        # The text of the parser may quote the document; its position does not
        raise CannotUnderstand(f"The XML document is not well-formed: see line {error.lineno}.") from None
    if reader.result is None:
        raise CannotUnderstand("The XML document is no NativeDicomModel.")
    return reader.result


@dataclass(slots=True)
class _Element:
    """A DicomAttribute that is open."""

    tag: str
    vr: str
    creator: str | None
    values: dict[int, Any] = field(default_factory=dict)
    other: tuple[str, str] | None = None
    """BulkDataURI or InlineBinary, and its value."""


@dataclass(slots=True)
class _DataSet:
    """A data set or Item that is open."""

    attributes: Attributes = field(default_factory=dict)
    private: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """Group and low byte, creator, element; blocks are given out when all is known."""
    number: int = 1


class _Reader:
    """Target of the parser: builds the data set while the document is read, no tree."""

    def __init__(self, max_depth: int, as_text: bool) -> None:
        self._max_depth = max_depth
        self._as_text = as_text
        self._stack: list[_DataSet | _Element] = []
        self._skipped = 0  # elements that are open below an unknown one
        self._text: list[str] | None = None
        self._number = 1
        self._name: dict[str, list[str]] = {}
        self._group = ""
        self.result: Attributes | None = None

    def doctype(self, *_: Any) -> None:
        raise CannotUnderstand("The XML document has a document type; none is taken.")

    def start(self, tag: Any, attrib: Any) -> None:
        # With entities left alone, libxml2 gives every "&" of an attribute as this reference
        given = {key: value.replace("&#38;", "&") for key, value in attrib.items()}
        name = tag.rpartition("}")[2]
        top = self._stack[-1] if self._stack else None
        if self._skipped or not self._open(name, top, given):
            self._skipped += 1

    def _open(self, name: str, top: _DataSet | _Element | None, given: dict[str, str]) -> bool:
        if top is None:
            if name != "NativeDicomModel" or self.result is not None:
                raise CannotUnderstand("The XML document is no NativeDicomModel.")
            self._stack.append(_DataSet())
        elif isinstance(top, _DataSet):
            if name != "DicomAttribute":
                return False
            self._stack.append(_attribute({key.rpartition("}")[2].lower(): text for key, text in given.items()}))
        elif name == "Item":
            if len(self._stack) // 2 >= self._max_depth:
                raise CannotUnderstand(f"Sequences are nested deeper than {self._max_depth}.")
            self._stack.append(_DataSet(number=_number(given, top)))
        elif name == "Value":
            self._number, self._text = _number(given, top), []
        elif name == "PersonName":
            self._number, self._name, self._group = _number(given, top), {}, ""
        elif name in _GROUPS:
            self._group = name
            self._name[name] = [""] * len(_COMPONENTS)
        elif (name in _COMPONENTS and self._group) or name == "InlineBinary":
            self._text = []
        elif name == "BulkData":
            uri = given.get("uri") or given.get("uuid")
            if uri is None:
                raise CannotUnderstand(f"The BulkData of {top.tag} has neither uri nor uuid.")
            top.other = "BulkDataURI", uri
        else:
            return False
        return True

    def data(self, data: str | bytes) -> None:
        if self._text is not None and not self._skipped:
            self._text.append(str(data))

    def end(self, tag: Any) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        name = tag.rpartition("}")[2]
        top = self._stack[-1]
        if isinstance(top, _DataSet):
            self._stack.pop()
            attributes = _settled(top)
            if not self._stack:
                self.result = attributes
            else:
                parent = self._stack[-1]
                assert isinstance(parent, _Element)
                parent.values[top.number] = attributes
            return
        text = "".join(self._text or ())
        if name == "DicomAttribute":
            self._stack.pop()
            parent = self._stack[-1]
            assert isinstance(parent, _DataSet)
            _close(top, parent)
        elif name == "Value":
            top.values[self._number] = _trimmed(text, top) if self._as_text else _value(text, top)
        elif name == "PersonName":
            groups = {group: "^".join(self._name[group]).rstrip("^") for group in _GROUPS if group in self._name}
            top.values[self._number] = {group: text for group, text in groups.items() if text} or None
        elif name in _COMPONENTS:
            self._name[self._group][_COMPONENTS.index(name)] = text
        elif name in _GROUPS:
            self._group = ""
        elif name == "InlineBinary":
            top.other = "InlineBinary", "".join(text.split())
        self._text = None

    def comment(self, text: str | bytes) -> None:
        """Comments say nothing."""

    def pi(self, target: str | bytes, data: str | bytes | None = None) -> None:
        """Nor do processing instructions."""

    def close(self) -> None:
        """The caller takes the result."""


def _attribute(given: dict[str, str]) -> _Element:
    tag = given.get("tag", "").upper()
    if not tag and (known := dictionary.tag_of(given.get("keyword", ""))) is not None:
        tag = f"{known:08X}"
    if not _TAG.fullmatch(tag):
        raise CannotUnderstand("A DicomAttribute has no tag of 8 hexadecimal digits.")
    creator = given.get("privatecreator") or None
    if tag[3] not in "13579BDF":
        creator = None
    vr = given.get("vr", "").upper()
    if not vr:
        number = int(tag, 16)
        known_vr = dictionary.vr_of(number) if creator is None else dictionary.private_vr_of(number, creator)
        vr = (known_vr or "UN")[:2]
    if not _VR.fullmatch(vr):
        raise CannotUnderstand(f"The DicomAttribute {tag} has a vr that is none.")
    return _Element(tag, vr, creator)


def _number(given: dict[str, str], element: _Element) -> int:
    text = given.get("number", "").strip()
    if not text:
        return len(element.values) + 1
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if number < 1 or number in element.values or number > len(element.values) + _MOST_MISSING:
        raise CannotUnderstand(f"The values of {element.tag} are not numbered 1, 2, 3 …")
    return number


def _trimmed(text: str, element: _Element) -> str | None:
    return (text if element.vr in _LONG_TEXT else text.strip()) or None


def _value(text: str, element: _Element) -> Any:
    vr = element.vr
    if vr in _TRIMMED:
        text = text.strip()
    if not text:
        return None
    if vr == "IS":
        return dicom_json.integer(text)
    if vr == "DS":
        return dicom_json.decimal(text)
    if vr == "AT":
        return text.upper()
    try:
        if vr in _INTEGERS:
            integer = int(text[:32])
            return integer if abs(integer) <= 2**53 else str(integer)
        if vr in _FLOATS:
            number = float(_FROM_XSD.get(text, text))
            if math.isnan(number):
                return "NaN"  # JSON has no such numbers
            return number if math.isfinite(number) else "Infinity" if number > 0 else "-Infinity"
    except ValueError:
        raise CannotUnderstand(f"A value of {element.tag} is no number, as its VR {vr} has it.") from None
    return text


def _close(element: _Element, parent: _DataSet) -> None:
    made: dict[str, Any] = {"vr": element.vr}
    if element.values:
        # Missing numbers are empty values; an Item is never null
        empty: Any = {} if element.vr == "SQ" else None
        values = [element.values.get(number, empty) for number in range(1, max(element.values) + 1)]
        if values != [None]:
            made["Value"] = values
    elif element.other is not None and element.other[1]:
        made[element.other[0]] = element.other[1]
    tag = element.tag
    if element.creator is not None:
        parent.private.append((tag[:4] + tag[6:], element.creator, made))
    elif tag[4:] != "0000":  # Group Length is no part of it
        parent.attributes[tag] = made


def _settled(data_set: _DataSet) -> Attributes:
    """Give private elements their blocks (PS3.5 §7.8.1); return the attributes in ascending order."""
    attributes = data_set.attributes
    if data_set.private:
        blocks: dict[tuple[str, str], list[str]] = {}
        for tag, element in attributes.items():
            if tag[3] in "13579BDF" and tag[4:6] == "00" and tag[6:] >= "10" and "Value" in element:
                blocks.setdefault((tag[:4], element["Value"][0]), []).append(tag[6:])
        taken = {(tag[:4], tag[6:] if tag[4:6] == "00" else tag[4:6]) for tag in attributes}
        for name, creator, made in data_set.private:
            group, low = name[:4], name[4:]
            mine = blocks.setdefault((group, creator), [])
            # One element twice: its creator had two blocks
            block = next((each for each in mine if f"{group}{each}{low}" not in attributes), None)
            if block is None:
                free = (f"{number:02X}" for number in range(0x10, 0x100))
                block = next((each for each in free if (group, each) not in taken), None)
                if block is None:
                    raise CannotUnderstand(f"Group {group} has more private creators than blocks.")
                mine.append(block)
                taken.add((group, block))
                attributes[f"{group}00{block}"] = {"vr": "LO", "Value": [creator]}
            attributes[f"{group}{block}{low}"] = made
    return dict(sorted(attributes.items()))
