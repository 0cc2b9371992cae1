"""Waveforms: what a Waveform Sequence says of its channels, and what was noted beside them — PS3.3 C.10.9, C.10.10.

A multiplex group holds channels that were sampled together; its data are the samples of all channels, interleaved. A
group that can not be understood has a `problem` and does not take the others with it.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np

from skiagraph.pixels import color, elements
from skiagraph.pixels.elements import NO_BULK
from skiagraph.pixels.image import BadPixels
from skiagraph.values import Attributes

WAVEFORM_SEQUENCE: Final = "54000100"
MOST_GROUPS: Final = 16
MOST_CHANNELS: Final = 256
"""Channels of one group that are drawn."""

MOST_ROWS: Final = 512
"""Channels of all groups that are drawn."""

MOST_MARKS: Final = 2000
_CLASSES = "1.2.840.10008.5.1.4.1.1.9."
_PRESENTATION = _CLASSES + "100."
_LONGEST = 1e8  # seconds; three years
_DATA, _ANNOTATIONS = "54001010", "0040B020"

LEADS: Final = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""The 12 leads of the standard ECG, in its order."""

_LEAD_CODES = {"1": "I", "2": "II", "61": "III", "62": "aVR", "63": "aVL", "64": "aVF"}
_LEAD_CODES |= {str(number + 2): f"V{number}" for number in range(1, 7)}
_LEAD_NAMES = {lead.upper(): lead for lead in LEADS}
_VOLTS = {"V": 1e3, "mV": 1.0, "uV": 1e-3, "µV": 1e-3, "nV": 1e-6}


Lengths: TypeAlias = Callable[[str], int | None]
"""BulkDataURI → the bytes that the value has; None for one that is not there."""

_Colours: TypeAlias = Mapping[tuple[int, int], tuple[int, int, int]]


class Family(enum.Enum):
    """What kind of recording it is: how people are used to see it."""

    ECG = "ECG"
    NEURO = "neurophysiology"
    AUDIO = "audio"
    OTHER = "other"


_FAMILIES = (
    (_CLASSES + "1.", Family.ECG),
    (_CLASSES + "4.", Family.AUDIO),
    (_CLASSES + "7.", Family.NEURO),
)


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of a group (Channel Definition Sequence)."""

    number: int
    """Its place in the Sequence, from 1: what references name."""
    label: str
    """Channel Label, else its source; never empty."""
    lead: str = ""
    """One of `LEADS`; "" for all else."""
    unit: str = ""
    """UCUM code of the physical unit; "" where samples have no defined one."""
    scale: float = 1.0
    """Physical units of one count: Channel Sensitivity × its Correction Factor."""
    baseline: float = 0.0
    """Physical value of a count of 0."""
    skew: float = 0.0
    """Seconds from the first sample of the group to that of this channel."""
    filters: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Low and high cut-off and notch frequency in Hz; 0 for none."""
    status: tuple[str, ...] = ()
    """Such as DISCONNECTED; empty where it is OK."""
    colour: tuple[int, int, int] | None = None
    """Channel Recommended Display CIELab Value, as sRGB."""

    @property
    def millivolts(self) -> float | None:
        """Millivolts of one unit; None for other quantities."""
        return _VOLTS.get(self.unit)


@dataclass(frozen=True, slots=True)
class Encoding:
    """Waveform Sample Interpretation with Waveform Bits Allocated."""

    dtype: str
    """Of numpy, little endian."""
    law: str = ""
    """``mu`` or ``A``: companded, to be expanded to 16 bits (ITU-T G.711)."""

    @property
    def bytes(self) -> int:
        return np.dtype(self.dtype).itemsize


_ENCODINGS = {
    ("SB", 8): Encoding("i1"),
    ("UB", 8): Encoding("u1"),
    ("MB", 8): Encoding("u1", "mu"),
    ("AB", 8): Encoding("u1", "A"),
    ("SS", 16): Encoding("<i2"),
    ("US", 16): Encoding("<u2"),
    ("SL", 32): Encoding("<i4"),
    ("UL", 32): Encoding("<u4"),
    ("SV", 64): Encoding("<i8"),
    ("UV", 64): Encoding("<u8"),
}
"""PS3.3 C.10.9.1.5."""


@dataclass(frozen=True, slots=True)
class Group:
    """One multiplex group: an Item of the Waveform Sequence."""

    number: int
    """Its place in the Sequence, from 1: what references name."""
    label: str
    channels: tuple[Channel, ...]
    """All of them, in the order of the data."""
    samples: int
    """Of each channel."""
    frequency: float
    """Samples of one second."""
    encoding: Encoding
    padding: int | None = None
    """The count that stands for no sample."""
    data: bytes | str = b""
    """The samples, or the BulkDataURI of them."""
    problem: str = ""
    """Why it can not be drawn, as a clause; "" when it can."""

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.samples / self.frequency

    @property
    def stride(self) -> int:
        """Bytes of one sample of all channels."""
        return len(self.channels) * self.encoding.bytes


@dataclass(frozen=True, slots=True)
class Mark:
    """A Waveform Annotation that has a place in time."""

    group: int
    channels: frozenset[int]
    """Numbers; empty for all of the group."""
    times: tuple[float, ...]
    """Seconds from the first sample."""
    segment: bool
    """From the first time to the second one; else single points."""
    text: str


@dataclass(frozen=True, slots=True)
class Waveform:
    """All that is known of the waveforms of an Instance."""

    family: Family
    groups: tuple[Group, ...]
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    """Waveform Annotations without a place: interpretations, measurements."""

    @property
    def drawable(self) -> tuple[Group, ...]:
        """The groups without a problem."""
        return tuple(group for group in self.groups if not group.problem)


def is_waveform(sop_class_uid: str) -> bool:
    """Whether Instances of a SOP Class are waveforms; how to present some is none."""
    return sop_class_uid.startswith(_CLASSES) and not sop_class_uid.startswith(_PRESENTATION)


def from_attributes(attributes: Attributes, lengths: Lengths) -> Waveform:
    """Read the Waveform Sequence, and what goes with it, from a data set.

    Raises
    ------
    BadPixels
        No group can be drawn; the message says why not.
    """
    sop_class = elements.text(attributes, "00080016")
    family = next((family for prefix, family in _FAMILIES if sop_class.startswith(prefix)), Family.OTHER)
    items = elements.items(attributes, WAVEFORM_SEQUENCE)
    colours = _colours(attributes)
    read = (_group(item, place + 1, colours, lengths) for place, item in enumerate(items[:MOST_GROUPS]))
    groups = tuple(_with_room(read))
    if not groups:
        raise BadPixels("The Instance has no Waveform Sequence (5400,0100): there is nothing to plot.")
    if all(group.problem for group in groups):
        raise BadPixels(f"The waveform can not be plotted: multiplex group 1 {groups[0].problem}.")
    marks, notes = _annotations(attributes, groups)
    return Waveform(family, groups, marks, notes)


# Groups and channels ----------------------------------------------------------------------------------------------


def _group(item: Attributes, number: int, colours: _Colours, lengths: Lengths) -> Group:
    count = elements.integer(item, "003A0005") or 0
    samples = elements.integer(item, "003A0010") or 0
    frequency = elements.number(item, "003A001A") or 0.0
    bits = elements.integer(item, "54001004") or 0
    interpretation = elements.text(item, "54001006")
    encoding = _ENCODINGS.get((interpretation, bits))
    label = elements.text(item, "003A0020").strip()
    data = _data(item)
    problem = ""
    if not 0 < count <= 65535:
        problem = f"has {count} as Number of Waveform Channels (003A,0005)"
    elif samples <= 0:
        problem = "has no samples: Number of Waveform Samples (003A,0010) is missing or 0"
    elif frequency <= 0 or not samples / frequency < _LONGEST:
        problem = "has no usable Sampling Frequency (003A,001A)"
    elif encoding is None:
        known = ", ".join(f"{name} with {size}" for name, size in _ENCODINGS)
        problem = f"is encoded as {interpretation[:16]!r} with {bits} bits; known are {known}"
    elif data is None:
        problem = "has no Waveform Data (5400,1010)"
    else:
        needed = count * samples * encoding.bytes
        length = len(data) if isinstance(data, bytes) else lengths(data) or 0
        if length < needed:
            problem = f"is truncated: its samples need {needed} bytes, and Waveform Data (5400,1010) has {length}"
    if problem or encoding is None or data is None:
        return Group(number, label, (), 0, 1.0, Encoding("u1"), problem=problem)
    definitions = elements.items(item, "003A0200")[:count]
    channels = [_channel(found, place + 1, frequency) for place, found in enumerate(definitions)]
    channels += (Channel(place, f"Channel {place}") for place in range(len(channels) + 1, count + 1))
    tinted = tuple(_tinted(channel, colours.get((number, channel.number))) for channel in channels)
    return Group(number, label, tinted, samples, frequency, encoding, _padding(item, encoding), data)


def _with_room(groups: Iterable[Group]) -> Iterator[Group]:
    """The groups, as far as there is room for their channels."""
    room = MOST_ROWS
    for group in groups:
        shown = min(len(group.channels), MOST_CHANNELS)
        if shown > room:
            yield replace(group, problem=f"has more channels than there is room for: {MOST_ROWS} are drawn in all")
        else:
            room -= shown
            yield group


def _data(item: Attributes) -> bytes | str | None:
    uri = item.get(_DATA, {}).get("BulkDataURI")
    return uri if isinstance(uri, str) else elements.octets(item, _DATA, NO_BULK)


def _padding(item: Attributes, encoding: Encoding) -> int | None:
    raw = elements.octets(item, "5400100A", NO_BULK)
    if raw is None or len(raw) < encoding.bytes or encoding.law:
        return None
    return int(np.frombuffer(raw[: encoding.bytes], encoding.dtype)[0])


def _channel(item: Attributes, number: int, frequency: float) -> Channel:
    source = elements.item(item, "003A0208")
    meaning = elements.text(source, "00080104").strip()
    label = elements.text(item, "003A0203").strip() or meaning or elements.text(source, "00080100")
    sensitivity = elements.number(item, "003A0210")
    unit, scale, baseline = "", 1.0, 0.0
    if sensitivity:
        units = elements.item(item, "003A0211")
        unit = elements.text(units, "00080100").strip() or elements.text(units, "00080104").strip()
        scale = sensitivity * (elements.number(item, "003A0212") or 1.0)
        baseline = elements.number(item, "003A0213") or 0.0
    skew = elements.number(item, "003A0214")
    if skew is None:
        skew = (elements.number(item, "003A0215") or 0.0) / frequency
    filters = [max(elements.number(item, tag) or 0.0, 0.0) for tag in ("003A0220", "003A0221", "003A0222")]
    return Channel(
        number,
        label[:64] or f"Channel {number}",
        _lead(label, meaning, source),
        "" if unit == "1" else unit[:16],
        scale if math.isfinite(scale) and scale and abs(scale) < 1e30 else 1.0,
        baseline if abs(baseline) < 1e30 else 0.0,
        skew if abs(skew) < 1e6 else 0.0,
        (filters[0], filters[1], filters[2]),
        tuple(status for status in elements.texts(item, "003A0205") if status not in ("OK", "")),
    )


def _lead(label: str, meaning: str, source: Attributes) -> str:
    """The standard lead that a channel is, by its name or else its code (SCP-ECG, MDC: the same last number)."""
    for text in (label, meaning):
        name = re.sub(r"\(.*?\)|\blead\b|\s", "", text, flags=re.IGNORECASE)
        if name.upper() in _LEAD_NAMES:
            return _LEAD_NAMES[name.upper()]
    scheme, code = elements.text(source, "00080102"), elements.text(source, "00080100")
    if scheme in ("MDC", "SCPECG") and re.fullmatch(r"(2:|5\.6\.3-9-)[0-9]{1,2}", code):
        return _LEAD_CODES.get(re.split("[:-]", code)[-1], "")
    return ""


def _tinted(channel: Channel, colour: tuple[int, int, int] | None) -> Channel:
    return channel if colour is None else replace(channel, colour=colour)


def _colours(attributes: Attributes) -> _Colours:
    """The colours that the Waveform Presentation Group Sequence (003A,0240) recommends, by group and channel."""
    found = {}
    for group in elements.items(attributes, "003A0240"):
        for display in elements.items(group, "003A0242"):
            colour = color.from_cielab(elements.integers(display, "003A0244"))
            if colour is not None:
                for pair in _pairs(elements.integers(display, "0040A0B0")):
                    found[pair] = colour
    return found


def _pairs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Referenced Waveform Channels: pairs of group and channel; channel 0 is all of the group."""
    return zip(numbers[::2], numbers[1::2], strict=False)


# Annotations ------------------------------------------------------------------------------------------------------


def _annotations(attributes: Attributes, groups: Sequence[Group]) -> tuple[tuple[Mark, ...], tuple[str, ...]]:
    """Waveform Annotation Sequence (0040,B020): what has a place in time, and what is said of the whole."""
    marks: list[Mark] = []
    notes: dict[str, None] = {}
    for item in elements.items(attributes, _ANNOTATIONS)[: 2 * MOST_MARKS]:
        text = _annotation_text(item)
        if not text:
            continue
        range_type = elements.text(item, "0040A130")
        if not range_type:
            notes[text] = None
            continue
        pairs: dict[int, set[int]] = {}
        for group, channel in _pairs(elements.integers(item, "0040A0B0")[:512]):
            pairs.setdefault(group, set()).add(channel)
        for number, channels in pairs.items():
            if not 1 <= number <= len(groups) or groups[number - 1].problem or len(marks) >= MOST_MARKS:
                continue
            times = _times(item, groups[number - 1])
            if times:
                found = frozenset() if 0 in channels else frozenset(channels)
                marks.append(Mark(number, found, times, range_type == "SEGMENT" and len(times) == 2, text))
    return tuple(marks), tuple(notes)


def _times(item: Attributes, group: Group) -> tuple[float, ...]:
    samples = elements.numbers(item, "0040A132")[:64]
    found = [(place - 1) / group.frequency for place in samples] or elements.numbers(item, "0040A138")[:64]
    return tuple(time for time in found if 0 <= time <= group.duration)


def _annotation_text(item: Attributes) -> str:
    concept = elements.text(elements.item(item, "0040A043"), "00080104").strip()
    value = elements.text(item, "00700006").strip()
    if not value:
        value = elements.text(elements.item(item, "0040A168"), "00080104").strip()
    if not value:
        numbers = elements.numbers(item, "0040A30A")
        units = elements.item(item, "004008EA")
        unit = elements.text(units, "00080100") if elements.text(units, "00080102") == "UCUM" else ""
        unit = unit if unit and not re.search(r"[\[{]", unit) else elements.text(units, "00080104")
        if numbers:
            value = " ".join([", ".join(f"{number:g}" for number in numbers[:4]), "" if unit == "1" else unit]).strip()
    text = f"{concept}: {value}" if concept and value else concept or value
    return " ".join(text.split())[:120]
