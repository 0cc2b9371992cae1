"""The content of an SR document as a tree of frozen values — PS3.3 A.35, C.17.2 and C.17.3.

Read from the attributes of the data set in the DICOM JSON Model, whatever somebody wrote into them: what is missing
or odd is empty, and never an error. Nothing here recurses, so that deep nesting costs no more than its items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from skiagraph.standard import report_table
from skiagraph.standard.report_table import Table
from skiagraph.standard.report_values import Code, Name, code, integers, items, name, numbers, text, values
from skiagraph.values import Attributes, ResourcePath, is_uid

SR_CLASSES = ("1.2.840.10008.5.1.4.1.1.88.", "1.2.840.10008.5.1.4.1.1.79.1")
"""How the UIDs of the SOP Classes with the SR Document Content Module begin: reports, key objects, CAD, dose."""

CONTAINER = "CONTAINER"
HAS_OBSERVATION_CONTEXT = "HAS OBS CONTEXT"
HAS_ACQUISITION_CONTEXT = "HAS ACQ CONTEXT"
HAS_CONCEPT_MODIFIER = "HAS CONCEPT MOD"
CONTAINS = "CONTAINS"
LANGUAGE = ("121049", "DCM")
"""Language of Content Item and Descendants: code value and scheme (PS3.16, TID 1204)."""


@dataclass(frozen=True, slots=True)
class Text:
    """TEXT, UIDREF, DATE, TIME and DATETIME: the value as it is written."""

    text: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """NUM (C.18.1); without a number the qualifier says why."""

    numbers: tuple[str, ...] = ()
    units: Code | None = None
    qualifier: Code | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """COMPOSITE, IMAGE and WAVEFORM (C.18.3 to C.18.5)."""

    sop_class_uid: str
    sop_instance_uid: str
    frames: tuple[int, ...] = ()
    segments: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    """Pairs of multiplex group and channel; channel 0 is all of the group."""
    others: tuple[Reference, ...] = ()
    """The presentation state and the real world value mapping that go with an image."""


@dataclass(frozen=True, slots=True)
class Coordinates:
    """SCOORD and SCOORD3D (C.18.6, C.18.9)."""

    graphic_type: str
    dimensions: int
    """Numbers of each point: 2 or 3."""
    numbers: tuple[str, ...] = ()
    """Empty, too, where they are so many that they are bulk data."""
    frame_of_reference_uid: str = ""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """TCOORD (C.18.7)."""

    range_type: str
    samples: tuple[str, ...] = ()
    offsets: tuple[str, ...] = ()
    """Seconds."""
    moments: tuple[str, ...] = ()


Value: TypeAlias = Code | Text | Name | Measurement | Reference | Coordinates | TimeRange | Table


@dataclass(frozen=True, slots=True)
class Item:
    """A Content Item with all that is below it."""

    value_type: str
    """As written; "" for an item by reference."""
    relationship: str = ""
    """To the item above it; "" for the document itself."""
    concept: Code | None = None
    value: Value | None = None
    """None for a CONTAINER, for an item by reference, and where there is no value of this type."""
    children: tuple[Item, ...] = ()
    continuous: bool = False
    """A CONTAINER that is to be read as one text (Continuity of Content)."""
    template: str = ""
    """Such as ``1500 (DCMR)``."""
    observed: str = ""
    """Observation DateTime."""
    target: tuple[int, ...] = ()
    """Referenced Content Item Identifier: 1 is the document, 1,2 its second item (C.17.3.2.5)."""

    @property
    def language(self) -> str:
        """The language that it says it and its descendants are in (RFC 5646); "" when it does not."""
        for child in self.children:
            concept = child.concept
            if concept and (concept.value, concept.scheme) == LANGUAGE and isinstance(child.value, Code):
                return child.value.value
        return ""


@dataclass(frozen=True, slots=True)
class Observer:
    """Who verified or wrote a document (C.17.2)."""

    name: Name
    organization: str = ""
    moment: str = ""
    """Verification DateTime, or Participation DateTime."""


@dataclass(frozen=True, slots=True)
class Report:
    """An SR document: its state, and the tree of its content."""

    content: Item
    completion: str = ""
    """COMPLETE or PARTIAL."""
    completion_description: str = ""
    verification: str = ""
    """VERIFIED or UNVERIFIED."""
    preliminary: str = ""
    """PRELIMINARY or FINAL."""
    verifiers: tuple[Observer, ...] = ()
    authors: tuple[Observer, ...] = ()
    places: Mapping[str, ResourcePath] | None = None
    """SOP Instance UIDs of the evidence → where each of them belongs (C.17.2.3)."""

    def place(self, sop_instance_uid: str) -> ResourcePath | None:
        """Where a referenced Instance belongs, as far as the document tells."""
        return None if self.places is None else self.places.get(sop_instance_uid)


def is_report(sop_class_uid: str) -> bool:
    """Whether Instances of a SOP Class are SR documents."""
    return sop_class_uid.startswith(SR_CLASSES)


def has_content(attributes: Attributes) -> bool:
    """Whether a data set has a content tree."""
    return text(attributes, "0040A040") == CONTAINER or bool(items(attributes, "0040A730"))


def read(attributes: Attributes) -> Report | None:
    """Read an SR document; None for a data set that has no content tree."""
    if not has_content(attributes):
        return None
    return Report(
        _tree(attributes),
        text(attributes, "0040A491"),
        text(attributes, "0040A492"),
        text(attributes, "0040A493"),
        text(attributes, "0040A496"),
        tuple(
            Observer(name(item, "0040A075"), text(item, "0040A027"), text(item, "0040A030"))
            for item in items(attributes, "0040A073")
        ),
        tuple(
            Observer(name(item, "0040A123"), text(item, "00080080"), text(item, "0040A082"))
            for item in items(attributes, "0040A078")
        ),
        _places(attributes),
    )


def preorder(item: Item) -> Iterator[tuple[Item, int]]:
    """All items with their depth, each before its children."""
    waiting = [(item, 0)]
    while waiting:
        found, depth = waiting.pop()
        yield found, depth
        waiting.extend((child, depth + 1) for child in reversed(found.children))


def find(content: Item, target: Sequence[int]) -> Item | None:
    """The item that a Referenced Content Item Identifier names; None when it names none."""
    if not target or target[0] != 1:
        return None
    found = content
    for number in target[1:]:
        if not 1 <= number <= len(found.children):
            return None
        found = found.children[number - 1]
    return found


# The tree ---------------------------------------------------------------------------------------------------------


def _tree(attributes: Attributes) -> Item:
    data_sets = [attributes]
    below: list[range] = []
    for data_set in data_sets:  # grows meanwhile
        first = len(data_sets)
        data_sets.extend(items(data_set, "0040A730"))
        below.append(range(first, len(data_sets)))
    made: dict[int, Item] = {}
    for place in range(len(data_sets) - 1, -1, -1):  # descendants first
        made[place] = _item(data_sets[place], tuple(made.pop(child) for child in below[place]))
    return made[0]


def _item(item: Attributes, children: tuple[Item, ...]) -> Item:
    value_type = text(item, "0040A040")
    reader = _READERS.get(value_type)
    template = next(iter(items(item, "0040A504")), {})
    return Item(
        value_type,
        text(item, "0040A010"),
        code(item, "0040A043"),
        None if reader is None else reader(item),
        children,
        text(item, "0040A050") == "CONTINUOUS",
        _joined(text(template, "0040DB00"), text(template, "00080105")),
        text(item, "0040A032") or text(item, "0040A13A"),
        integers(item, "0040DB73") if not value_type else (),
    )


def _text_value(tag: str) -> Any:
    def reader(item: Attributes) -> Text | None:
        written = text(item, tag)
        return Text(written) if written else None

    return reader


def _measurement(item: Attributes) -> Measurement:
    measured = next(iter(items(item, "0040A300")), {})
    return Measurement(numbers(measured, "0040A30A"), code(measured, "004008EA"), code(item, "0040A301"))


def _reference(item: Attributes) -> Reference | None:
    found = next(iter(items(item, "00081199")), None)
    if found is None:
        return None
    others = (*items(found, "00081199"), *items(found, "0008114B"))
    return Reference(
        text(found, "00081150"),
        text(found, "00081155"),
        integers(found, "00081160"),
        integers(found, "0062000B"),
        integers(found, "0040A0B0"),
        tuple(Reference(text(other, "00081150"), text(other, "00081155")) for other in others),
    )


def _coordinates(dimensions: int) -> Any:
    def reader(item: Attributes) -> Coordinates:
        return Coordinates(text(item, "00700023"), dimensions, numbers(item, "00700022", 7), text(item, "30060024"))

    return reader


def _time_range(item: Attributes) -> TimeRange:
    return TimeRange(
        text(item, "0040A130"),
        numbers(item, "0040A132"),
        numbers(item, "0040A138"),
        tuple(value for value in values(item, "0040A13A") if isinstance(value, str)),
    )


_READERS: Mapping[str, Any] = {
    "TEXT": _text_value("0040A160"),
    "CODE": lambda item: code(item, "0040A168"),
    "NUM": _measurement,
    "PNAME": lambda item: name(item, "0040A123"),
    "DATE": _text_value("0040A121"),
    "TIME": _text_value("0040A122"),
    "DATETIME": _text_value("0040A120"),
    "UIDREF": _text_value("0040A124"),
    "COMPOSITE": _reference,
    "IMAGE": _reference,
    "WAVEFORM": _reference,
    "SCOORD": _coordinates(2),
    "SCOORD3D": _coordinates(3),
    "TCOORD": _time_range,
    "TABLE": report_table.read,
}
"""Value Type (Table C.17.3-7) → reader of its value."""


def _places(attributes: Attributes) -> dict[str, ResourcePath]:
    """The evidence, identical and predecessor documents, by SOP Instance UID."""
    places = {}
    for tag in ("0040A375", "0040A385", "0040A525", "0040A360"):
        for study in items(attributes, tag):
            study_uid = text(study, "0020000D")
            for series in items(study, "00081115"):
                series_uid = text(series, "0020000E")
                for instance in items(series, "00081199"):
                    uid = text(instance, "00081155")
                    if is_uid(study_uid) and is_uid(series_uid) and is_uid(uid):
                        places[uid] = ResourcePath(study_uid, series_uid, uid)
    return places


def _joined(first: str, second: str) -> str:
    return f"{first} ({second})" if first and second else first
