"""Lookup tables: descriptor and data as PS3.3 C.11.1.1, C.11.2.1.1 and C.7.6.3.1.5 have them, segments of C.7.9.2.

Writers get every part of them wrong; what can be understood is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skiagraph.pixels import elements
from skiagraph.pixels.elements import Bulk
from skiagraph.values import Attributes

LONGEST = 65536
"""Entries of the longest table."""


@dataclass(frozen=True, slots=True)
class Lut:
    """A lookup table; hashable, so that what is made of it can be kept."""

    first: int
    """Input that the first entry is for; smaller inputs take it too, those beyond the last entry take the last."""
    entries: bytes
    """uint16 in the machine's byte order."""
    bits: int
    """Of the output: 0 to 2**bits - 1 is its range."""

    @property
    def values(self) -> NDArray[np.uint16]:
        return np.frombuffer(self.entries, np.uint16)

    def __len__(self) -> int:
        return len(self.entries) // 2


def apply(inputs: NDArray[Any], lut: Lut) -> NDArray[np.uint16]:
    """Look integers up (floats are rounded); inputs outside the table take its first or last entry."""
    if inputs.dtype.kind == "f":
        inputs = np.floor(inputs + 0.5)
    index = np.clip(inputs.astype(np.int64) - lut.first, 0, len(lut) - 1)
    return lut.values[index]


def scaled(inputs: NDArray[Any], lut: Lut) -> NDArray[np.float64]:
    """Look up and bring the output to 0.0 … 1.0."""
    return np.minimum(apply(inputs, lut) / float(2**lut.bits - 1), 1.0)


def from_item(item: Attributes, bulk: Bulk, *, signed: bool) -> Lut | None:
    """The table of an Item of Modality LUT Sequence or VOI LUT Sequence; None when there is none in it.

    Parameters
    ----------
    signed
        The inputs may be negative, so that the first value mapped may be.
    """
    return _lut(elements.integers(item, "00283002"), item, "00283006", bulk, signed=signed)


def palette(attributes: Attributes, bulk: Bulk, *, signed: bool) -> tuple[Lut, Lut, Lut] | None:
    """Red, green and blue Palette Color Lookup Table; None unless all three are there (C.7.6.3.1.5, C.7.6.3.1.6)."""
    found = []
    for number in range(1, 4):
        descriptor = elements.integers(attributes, f"0028110{number}")
        tag, segmented = f"0028120{number}", f"0028122{number}"
        if tag in attributes:
            lut = _lut(descriptor, attributes, tag, bulk, signed=signed)
        else:
            lut = _segmented(descriptor, attributes, segmented, bulk, signed=signed)
        if lut is None:
            return None
        found.append(lut)
    if all(lut.bits == 16 and lut.values.max() < 256 for lut in found):
        # Some writers say 16 bits and fill the low 8
        found = [Lut(lut.first, lut.entries, 8) for lut in found]
    return found[0], found[1], found[2]


def _lut(descriptor: list[int], item: Attributes, tag: str, bulk: Bulk, *, signed: bool) -> Lut | None:
    described = _describe(descriptor, signed=signed)
    if described is None:
        return None
    count, first, bits = described
    values = elements.words(item, tag, bulk)
    if values is None or not len(values):
        return None
    raw = elements.octets(item, tag, bulk)
    size = len(values) * 2 if raw is None else len(raw)
    if bits == 8 and size < 2 * count and size >= count:
        # 8-bit entries, two in a word, the first in the low byte (C.7.6.3.1.6)
        values = np.frombuffer(values.astype("<u2").tobytes() if raw is None else raw, np.uint8).astype(np.uint16)
    return _made(values[:count], first, bits)


def _segmented(descriptor: list[int], item: Attributes, tag: str, bulk: Bulk, *, signed: bool) -> Lut | None:
    described = _describe(descriptor, signed=signed)
    if described is None:
        return None
    count, first, bits = described
    data = elements.words(item, tag, bulk, bits=bits)
    if data is None:
        return None
    values = expand(data.tolist(), count, bits)
    return _made(np.array(values, np.uint16), first, bits) if values else None


def _made(values: NDArray[np.uint16], first: int, bits: int) -> Lut:
    largest = int(values.max())
    if bits == 8 and largest > 255:
        # 8 bits announced, 16 used
        bits = 16
    elif largest >= 2**bits:
        bits = largest.bit_length()
    return Lut(first, values.astype(np.uint16).tobytes(), bits)


def _describe(descriptor: list[int], *, signed: bool) -> tuple[int, int, int] | None:
    """Entries, first value mapped and bits per entry; None when it is no descriptor."""
    if len(descriptor) != 3:
        return None
    count, first, bits = descriptor
    count &= 0xFFFF  # read as SS, 40000 is negative
    if signed and first >= 0x8000:
        first -= 0x10000
    elif not signed and first < 0:
        first += 0x10000
    return count or LONGEST, first, bits if 8 <= bits <= 16 else 16


def expand(data: list[int], count: int, bits: int) -> list[int]:
    """Expand segmented data (PS3.3 C.7.9.2).

    Parameters
    ----------
    data
        Opcodes, lengths and values: bytes when `bits` is 8, else 16-bit words.
    count
        Entries of the table; expansion stops there.

    Returns
    -------
    list of int
        As many entries as could be made; [] when the data is no segments at all.
    """
    out: list[int] = []
    _expand(data, 0, len(data), count, bits, out, indirect=True)
    return out


def _expand(data: list[int], at: int, segments: int, count: int, bits: int, out: list[int], *, indirect: bool) -> None:
    """Append what at most so many segments from `at` on say."""
    done = 0
    while at + 1 < len(data) and done < segments and len(out) < count:
        opcode, length = data[at], data[at + 1]
        at += 2
        done += 1
        if opcode == 0:  # discrete
            out.extend(data[at : at + min(length, count - len(out))])
            at += length
        elif opcode == 1:  # linear: from the entry before to the value given
            if at >= len(data) or not out:
                return
            start, end = out[-1], data[at]
            room = min(length, count - len(out))
            out.extend(round(start + (end - start) * step / length) for step in range(1, room + 1))
            at += 1
        elif opcode == 2 and indirect:  # segments that were used before; the offset counts bytes
            parts = data[at : at + (4 if bits == 8 else 2)]
            if len(parts) < (4 if bits == 8 else 2):
                return
            offset = sum(part << (bits if bits == 8 else 16) * place for place, part in enumerate(parts))
            at += len(parts)
            start_at = offset if bits == 8 else offset // 2
            _expand(data, start_at, length, count, bits, out, indirect=False)
        else:
            return
