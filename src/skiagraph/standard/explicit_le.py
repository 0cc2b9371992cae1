"""Convert a native data set into Explicit VR Little Endian — PS3.5 §7.1.2, §7.3, §7.5 and Annex A.

Implicit VR Little Endian and Explicit VR Big Endian never go out (PS3.18 §8.7.3). The conversion is a *plan*:
literal bytes (headers, short values) between spans of the source (long values), so that it needs memory for the
header alone and its length is known before its first byte.

What changes beside the encoding: Group Lengths are dropped; Sequences and Items get undefined length; a value too
long for the 16-bit length of its VR becomes UN (PS3.18 §8.7.8, PS3.5 §6.2.2); values of odd length are padded.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from skiagraph.errors import CannotUnderstand
from skiagraph.standard import dictionary
from skiagraph.standard.header import Source
from skiagraph.standard.transfer_syntaxes import EXPLICIT_VR_BIG_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN

SHORT = 4096
"""Values up to this many bytes are copied into the plan; longer ones are spans of the source."""

LONGEST_JUDGED = 2**20
"""Values up to this many bytes can be looked at by a judge."""

WORDS: Final = {
    **dict.fromkeys(("US", "SS", "OW", "AT"), 2),
    **dict.fromkeys(("UL", "SL", "FL", "OF", "OL"), 4),
    **dict.fromkeys(("FD", "SV", "UV", "OD", "OV"), 8),
}
"""Bytes of a word by VR, for byte ordering (PS3.5 §7.3); 1 for all others."""

_LENGTH_32 = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"))
_LENGTH_16 = frozenset(
    "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()  # noqa: SIM905
)
_BLANK_PADDED = frozenset("AE AS CS DA DS DT IS LO LT PN SH ST TM UC UR UT".split())  # noqa: SIM905
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PIXEL_DATA = 0x7FE00010
_OPEN_ITEM = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
_EMPTY_ITEM = b"\xfe\xff\x00\xe0\x00\x00\x00\x00"
_CLOSE_ITEM = b"\xfe\xff\x0d\xe0\x00\x00\x00\x00"
_CLOSE_SEQUENCE = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of the source, to be reversed in words of `word` bytes (1: as they are)."""

    offset: int
    length: int
    word: int = 1


@dataclass(frozen=True, slots=True)
class Gap:
    """Where the pixel data goes that takes the place of the stored one: the whole element. Counts no bytes."""


Piece: TypeAlias = bytes | Span | Gap

Judge: TypeAlias = Callable[[int, str, bool, Callable[[], bytes]], bytes | None]
"""Says what becomes of an element: tag, VR, whether it stands in the data set itself, value → None: it stays, and a
Sequence is gone through; else the whole encoded element in its place, b"" for none.

The value is as encoded, in little endian order; b"" where it is longer than `LONGEST_JUDGED`."""


@dataclass(frozen=True, slots=True)
class Edits:
    """What becomes of the data set beside its encoding; top-level elements by tag."""

    elements: Mapping[int, bytes] = field(default_factory=dict)
    """Whole encoded elements that replace those of the same tag, or stand where it belongs; b"" removes."""
    pixel_data: tuple[int, int] | None = None
    """Tag of the top-level pixel data that a `Gap` takes the place of, and the offset behind it in the source."""
    judge: Callable[[], Judge] | None = None
    """Gives, for each time that the data set is gone through, the one to ask for every element at any depth but what
    `elements` and `pixel_data` are about and Group Lengths."""


@dataclass(frozen=True, slots=True)
class Plan:
    """An encoding as a sequence of literal bytes and spans of the source, and its whole length."""

    pieces: tuple[Piece, ...]
    length: int


def swapped(data: bytes | bytearray | memoryview, word: int) -> bytes:
    """Reverse the bytes of each word; an incomplete word at the end stays as it is."""
    if word == 1:
        return bytes(data)
    whole = len(data) // word * word
    words = array({2: "H", 4: "I", 8: "Q"}[word], bytes(data[:whole]))
    words.byteswap()
    return words.tobytes() + bytes(data[whole:])


def pixel_word(vr: str, bits_allocated: int) -> int:
    """Bytes of a word of native Pixel Data for byte ordering.

    OW of 32 or 64 bits allocated is met with its pixels, not its 16-bit halves, in big endian order.
    """
    return bits_allocated // 8 if vr == "OW" and bits_allocated in (32, 64) else WORDS.get(vr, 1)


def convert(source: Source, offset: int, transfer_syntax_uid: str, edits: Edits | None = None) -> Plan:
    """Plan the conversion of the data set that starts at the offset and ends with the source.

    Parameters
    ----------
    transfer_syntax_uid
        As stored: Implicit VR Little Endian, Explicit VR Big Endian, or an Explicit VR Little Endian syntax.
    edits
        With pixel data that a gap takes the place of, Sequences that hold encapsulated Pixel Data (icon images) are
        left out: it is of a Transfer Syntax that the data set no longer has.

    Raises
    ------
    CannotUnderstand
        The bytes are not such a data set.
    """
    big = transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN
    explicit = transfer_syntax_uid != IMPLICIT_VR_LITTLE_ENDIAN
    if explicit != _looks_explicit(source.read_at(offset, 6)):
        # Some writers name one syntax and use the other; all readers live with it.
        explicit = not explicit and not big
        big = big and explicit
    edits = edits or Edits()
    walk = _Walk(source, offset, edits, explicit=explicit, big=big)
    plan = walk.run()
    signed = walk.took_unsigned and walk.root.signed
    if edits.pixel_data is not None and walk.encapsulated:
        edits = replace(edits, elements={**dict.fromkeys(walk.encapsulated, b""), **edits.elements})
    elif not signed:
        return plan
    # Pixel Representation came behind a value whose VR hangs on it, or icons are to be left out.
    return _Walk(source, offset, edits, explicit=explicit, big=big, signed=signed).run()


def _looks_explicit(start: bytes) -> bool:
    vr = start[4:6].decode("latin-1")
    return not start or vr in _LENGTH_16 or vr in _LENGTH_32


@dataclass(slots=True)
class _Open:
    """A Sequence or Item (or the data set itself) that is being walked through."""

    limit: int
    """Offset that nothing in it can go beyond."""
    defined: bool
    """The limit is its end; else it has undefined length."""
    sequence: bool
    explicit: bool
    big: bool
    creators: dict[int, str] = field(default_factory=dict)
    """Private Creator by (group << 8 | block)."""
    signed: bool = False
    """Pixel Representation (0028,0103) of this data set or the nearest around it."""
    bits_allocated: int = 16
    single_entry: bool = False
    """LUT Descriptor says that the table has one entry."""


class _Walk:
    """One pass over a data set. Nesting is a list, not recursion: hostile depth costs nothing."""

    def __init__(
        self, source: Source, offset: int, edits: Edits, *, explicit: bool, big: bool, signed: bool = False
    ) -> None:
        self._source = source
        self._edits = edits
        self._judge = edits.judge() if edits.judge is not None else None
        self._pending = sorted(tag for tag, element in edits.elements.items() if element)[::-1]
        self._top = 0
        self.encapsulated: set[int] = set()
        """Top-level tags of Sequences in which there is encapsulated Pixel Data."""
        self._at = offset
        self._size = source.size
        self._window = b""
        self._window_at = 0
        self.root = _Open(limit=source.size, defined=True, sequence=False, explicit=explicit, big=big, signed=signed)
        self.took_unsigned = False
        self._open = [self.root]
        self._pieces: list[Piece] = []
        self._literal = bytearray()
        self._length = 0

    def run(self) -> Plan:
        while self._open:
            self.step()
        self._insert(1 << 32)
        self._flush()
        return Plan(tuple(self._pieces), self._length)

    def step(self) -> None:
        top = self._open[-1]
        end = top.limit
        if self._at + 8 > end:
            self._at = end
            self._close()
        elif top.sequence:
            self._item(top, end)
        else:
            self._element(top, end)

    # Reading

    def _bytes(self, offset: int, length: int) -> bytes:
        start = offset - self._window_at
        if start < 0 or start + length > len(self._window):
            self._window = self._source.read_at(offset, max(length, 16 * SHORT))
            self._window_at, start = offset, 0
        return self._window[start : start + length]

    # Writing

    def _emit(self, data: bytes) -> None:
        self._literal += data

    def _flush(self) -> None:
        if self._literal:
            self._pieces.append(bytes(self._literal))
            self._length += len(self._literal)
            self._literal.clear()

    def _insert(self, tag: int) -> None:
        """Emit what belongs before the tag."""
        while self._pending and self._pending[-1] < tag:
            self._emit(self._edits.elements[self._pending.pop()])

    def _gap(self, end: int) -> None:
        self._flush()
        self._pieces.append(Gap())
        self._at = end

    def _emit_span(self, offset: int, length: int, word: int) -> None:
        self._flush()
        self._pieces.append(Span(offset, length, word))
        self._length += length

    def _close(self) -> None:
        container = self._open.pop()
        if self._open:
            self._emit(_CLOSE_SEQUENCE if container.sequence else _CLOSE_ITEM)

    # The grammar

    def _item(self, sequence: _Open, end: int) -> None:
        group, element, length = struct.unpack(">HHL" if sequence.big else "<HHL", self._bytes(self._at, 8))
        tag = group << 16 | element
        if tag == _SEQUENCE_END:
            self._at += 8
            self._close()
        elif tag == _ITEM:
            self._at += 8
            if length == 0:
                self._emit(_EMPTY_ITEM)
                return
            self._emit(_OPEN_ITEM)
            around = self._open[-2]  # the data set that holds the Sequence
            self._open.append(
                _Open(
                    limit=end if length == _UNDEFINED else min(self._at + length, end),
                    defined=length != _UNDEFINED,
                    sequence=False,
                    explicit=sequence.explicit,
                    big=sequence.big,
                    signed=around.signed,
                    bits_allocated=around.bits_allocated,
                )
            )
        elif not sequence.defined:
            # Not an Item, and nothing says where the Sequence ends: what follows belongs to the data set around it.
            self._close()
        else:
            self._at = end
            self._close()

    def _element(self, data_set: _Open, end: int) -> None:
        header = self._bytes(self._at, min(12, end - self._at))
        group, element = struct.unpack_from(">HH" if data_set.big else "<HH", header)
        tag = group << 16 | element
        if group == 0xFFFE:
            self._delimiter(data_set, tag)
            return
        vr, length, size = self._vr_and_length(data_set, header, group, element)
        self._at += size
        if len(self._open) == 1:
            self._top = tag
            self._insert(tag)
            replaced = self._edits.pixel_data
            if replaced is not None and tag == replaced[0] and replaced[1] >= self._at:
                self._gap(replaced[1])
                return
            if tag in self._edits.elements:
                self._leave_out(data_set, tag, vr, length, end)
                return
        if self._judge is not None and element and self._judged(data_set, tag, vr, length, end):
            return
        if length == _UNDEFINED:
            self._undefined(data_set, tag, vr)
            return
        length = min(length, end - self._at)
        if element == 0x0000:  # Group Length: retired, and wrong after conversion
            self._at += length
        elif vr == "SQ" and self._holds_items(data_set, length):
            self._open_sequence(data_set, tag, length)
        else:
            self._value(data_set, tag, vr, length)

    def _leave_out(self, data_set: _Open, tag: int, vr: str, length: int, end: int) -> None:
        """Walk over a top-level element without a trace of it."""
        self._skip(data_set, tag, vr, length, end)
        self._insert(tag + 1)

    def _skip(self, data_set: _Open, tag: int, vr: str, length: int, end: int) -> None:
        if length != _UNDEFINED:
            self._at += min(length, end - self._at)
            return
        inner = _Walk(self._source, self._at, Edits(), explicit=data_set.explicit, big=data_set.big)
        inner._window, inner._window_at = self._window, self._window_at
        inner._undefined(data_set, tag, vr)
        while len(inner._open) > 1:
            inner.step()
        self._at = inner._at
        self._window, self._window_at = inner._window, inner._window_at

    def _judged(self, data_set: _Open, tag: int, vr: str, length: int, end: int) -> bool:
        """Whether the element is done with: replaced, left out, or a Sequence that its VR did not show."""
        assert self._judge is not None
        there = length if length == _UNDEFINED else min(length, end - self._at)

        def value() -> bytes:
            if there > LONGEST_JUDGED:
                return b""
            return swapped(self._bytes(self._at, there), WORDS.get(vr, 1) if data_set.big else 1)

        verdict = self._judge(tag, vr, len(self._open) == 1, value)
        if verdict is None:
            if there in (0, _UNDEFINED):
                return False
            if vr == "SQ" and not self._holds_items(data_set, there):
                verdict = b""  # nobody could tell what is in it
            elif vr == "UN" and dictionary.vr_of(tag) == "SQ":
                # Somebody who did not know the tag made UN of it: its Items are as in Implicit VR Little Endian
                if self._bytes(self._at, 4) == b"\xfe\xff\x00\xe0":
                    self._open_sequence(data_set, tag, there, explicit=False, big=False)
                    return True
                verdict = b""
            else:
                return False
        self._skip(data_set, tag, vr, length, end)
        self._emit(verdict)
        return True

    def _vr_and_length(self, data_set: _Open, header: bytes, group: int, element: int) -> tuple[str, int, int]:
        """Return VR, length of the value and length of the element's header."""
        if not data_set.explicit:
            return self._implicit_vr(data_set, group, element), struct.unpack_from("<L", header, 4)[0], 8
        order = ">" if data_set.big else "<"
        vr = header[4:6].decode("latin-1")
        if vr in _LENGTH_16:
            return vr, struct.unpack_from(order + "H", header, 6)[0], 8
        if not (vr.isascii() and vr.isalpha() and vr.isupper()):
            # An Implicit VR element among explicit ones.
            return self._implicit_vr(data_set, group, element), struct.unpack_from(order + "L", header, 4)[0], 8
        if len(header) < 12:
            raise CannotUnderstand(f"The data set ends within the header of ({group:04X},{element:04X}).")
        # A VR of a later edition has a 32-bit length (PS3.5 §7.1.2).
        return (vr if vr in _LENGTH_32 else "UN"), struct.unpack_from(order + "L", header, 8)[0], 12

    def _implicit_vr(self, data_set: _Open, group: int, element: int) -> str:
        if group % 2:
            if 0x0010 <= element <= 0x00FF:
                return "LO"
            creator = data_set.creators.get(group << 8 | element >> 8)
            return _resolve(creator and dictionary.private_vr_of(group << 16 | element, creator), data_set)
        if element == 0x0000:
            return "UL"
        vr = dictionary.vr_of(group << 16 | element)
        if vr == "US or SS" and not data_set.signed:
            self.took_unsigned = True
        return _resolve(vr, data_set)

    def _delimiter(self, data_set: _Open, tag: int) -> None:
        """An Item or Sequence ends, by the bytes, where no element can stand."""
        if tag == _ITEM_END and len(self._open) > 1:
            self._at += 8
            self._close()
        elif tag in (_SEQUENCE_END, _ITEM) and len(self._open) > 1 and not data_set.defined:
            self._close()  # the Item Delimitation Item is missing; the Sequence goes on with this tag
        else:
            self._at += 8  # a stray delimiter

    def _undefined(self, data_set: _Open, tag: int, vr: str) -> None:
        if tag == _PIXEL_DATA:
            self._fragments(data_set)
        elif vr == "UN" and data_set.explicit:
            # PS3.5 §6.2.2: the value is a Sequence in Implicit VR Little Endian.
            first = self._bytes(self._at, 4)
            big = first in (b"\xff\xfe\xe0\x00", b"\xff\xfe\xe0\xdd")
            self._open_sequence(data_set, tag, None, explicit=False, big=big)
        else:
            self._open_sequence(data_set, tag, None)

    def _holds_items(self, data_set: _Open, length: int) -> bool:
        if length == 0:
            return True
        return length >= 8 and self._bytes(self._at, 4) == (
            b"\xff\xfe\xe0\x00" if data_set.big else b"\xfe\xff\x00\xe0"
        )

    def _open_sequence(
        self, data_set: _Open, tag: int, length: int | None, *, explicit: bool | None = None, big: bool | None = None
    ) -> None:
        self._emit(_header(tag, "SQ", 0 if length == 0 else _UNDEFINED))
        if length == 0:
            return
        self._open.append(
            _Open(
                limit=data_set.limit if length is None else self._at + length,
                defined=length is not None,
                sequence=True,
                explicit=data_set.explicit if explicit is None else explicit,
                big=data_set.big if big is None else big,
            )
        )

    def _fragments(self, data_set: _Open) -> None:
        """Encapsulated Pixel Data of an icon, or in a native syntax, against the rules: it is passed on as it is."""
        self.encapsulated.add(self._top)
        layout = struct.Struct(">HHL" if data_set.big else "<HHL")
        self._emit(_header(_PIXEL_DATA, "OB", _UNDEFINED))
        while self._at + 8 <= self._size:
            group, element, length = layout.unpack(self._bytes(self._at, 8))
            if group == 0xFFFE:
                self._at += 8
            if (group, element) != (0xFFFE, 0xE000):
                break
            length = min(length, self._size - self._at)
            self._emit(struct.pack("<HHL", group, element, length))
            self._emit_span(self._at, length, 1)
            self._at += length
        self._emit(_CLOSE_SEQUENCE)

    def _value(self, data_set: _Open, tag: int, vr: str, length: int) -> None:
        word = WORDS.get(vr, 1) if data_set.big else 1
        if tag == _PIXEL_DATA and data_set.big:
            word = pixel_word(vr, data_set.bits_allocated)
        if vr == "SQ" or (vr in _LENGTH_16 and length > 0xFFFE):
            vr = "UN"
        padded = length + length % 2
        self._emit(_header(tag, vr, padded))
        if length <= SHORT:
            value = swapped(self._bytes(self._at, length), word)
            self._note(data_set, tag, value)
            self._emit(value)
        else:
            self._emit_span(self._at, length, word)
        if padded > length:
            self._emit(b" " if vr in _BLANK_PADDED else b"\0")
        self._at += length

    def _note(self, data_set: _Open, tag: int, value: bytes) -> None:
        """Remember what the VR or byte order of later elements depends on."""
        group, element = tag >> 16, tag & 0xFFFF
        if group % 2 and 0x0010 <= element <= 0x00FF:
            data_set.creators[group << 8 | element] = value.decode("latin-1").strip(" \0")
        elif group == 0x0028 and len(value) >= 2:
            number = int.from_bytes(value[:2], "little")
            if element == 0x0103:
                data_set.signed = number == 1
            elif element == 0x0100:
                data_set.bits_allocated = number
            elif element == 0x3002:
                data_set.single_entry = number == 1


def _header(tag: int, vr: str, length: int) -> bytes:
    if vr in _LENGTH_16:
        return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), length)
    return struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr.encode(), 0, length)


_AMBIGUOUS: dict[str, Callable[[_Open], str]] = {
    # Implicit VR Little Endian means OW (PS3.5 Annex A.1).
    "OB or OW": lambda data_set: "OW",
    "US or SS": lambda data_set: "SS" if data_set.signed else "US",
    "US or OW": lambda data_set: "US" if data_set.single_entry else "OW",
    "US or SS or OW": lambda data_set: "OW",
}


def _resolve(vr: str | None, data_set: _Open) -> str:
    """One VR for what the dictionary says; UN where it says nothing."""
    if vr is None:
        return "UN"
    choose = _AMBIGUOUS.get(vr)
    if choose is not None:
        return choose(data_set)
    return vr if vr in _LENGTH_16 or vr in _LENGTH_32 else "UN"
