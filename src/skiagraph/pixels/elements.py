"""Reading values out of a data set in the DICOM JSON Model for rendering, whatever somebody wrote into it.

A value that is missing, of another type or not finite is none: what is odd is not shown, and never an error.
Values that are large are BulkDataURIs in the metadata; their bytes come in a mapping of their own.
"""

from __future__ import annotations

import binascii
import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skiagraph.values import Attributes

Bulk: TypeAlias = Mapping[str, bytes]
"""BulkDataURI, as the metadata has it → the bytes of the value, little endian."""

NO_BULK: Bulk = {}


def text(attributes: Attributes, tag: str) -> str:
    """The first value as a string; "" without."""
    value = _first(attributes, tag)
    return value if isinstance(value, str) else ""


def texts(attributes: Attributes, tag: str) -> list[str]:
    """All values that are strings."""
    return [value for value in _values(attributes, tag) if isinstance(value, str)]


def numbers(attributes: Attributes, tag: str) -> list[float]:
    """All values, as far as each of them is a finite number."""
    found = []
    for value in _values(attributes, tag):
        number = _number(value)
        if number is None:
            break
        found.append(number)
    return found


def number(attributes: Attributes, tag: str) -> float | None:
    """The first value, where it is a finite number."""
    return _number(_first(attributes, tag))


def integer(attributes: Attributes, tag: str) -> int | None:
    """The first value, where it is an integer of at most 48 bits."""
    value = _number(_first(attributes, tag))
    return int(value) if value is not None and value == int(value) and abs(value) < 2**48 else None


def integers(attributes: Attributes, tag: str) -> list[int]:
    """All values, as far as each of them is an integer."""
    return [int(value) for value in numbers(attributes, tag) if value == int(value)]


def items(attributes: Attributes, tag: str) -> list[Attributes]:
    """The Items of a Sequence."""
    return [item for item in _values(attributes, tag) if isinstance(item, dict)]


def item(attributes: Attributes, tag: str) -> Attributes:
    """The first Item of a Sequence; an empty data set without."""
    value = _first(attributes, tag)
    return value if isinstance(value, dict) else {}


def octets(attributes: Attributes, tag: str, bulk: Bulk) -> bytes | None:
    """The bytes of a binary value, inline or bulk; None without."""
    element = attributes.get(tag)
    if not element:
        return None
    uri = element.get("BulkDataURI")
    if uri is not None:
        return bulk.get(uri)
    inline = element.get("InlineBinary")
    if not isinstance(inline, str):
        return None
    try:
        return binascii.a2b_base64(inline)
    except ValueError:  # binascii.Error is one
        return None


def words(attributes: Attributes, tag: str, bulk: Bulk, *, bits: int = 16) -> NDArray[np.uint16] | None:
    """A list of words of at most 16 bits, however they were written: US or SS values, OW, OB or UN bytes.

    Parameters
    ----------
    bits
        8: bytes are one value each; else two bytes, little endian, make one.
    """
    listed = _values(attributes, tag)
    if listed:
        valid = [value & 0xFFFF for value in listed if isinstance(value, int)]
        return np.array(valid, np.uint16) if len(valid) == len(listed) else None
    raw = octets(attributes, tag, bulk)
    if raw is None:
        return None
    if bits == 8:
        return np.frombuffer(raw, np.uint8).astype(np.uint16)
    return np.frombuffer(raw, "<u2", len(raw) // 2).astype(np.uint16, copy=False)


def _values(attributes: Attributes, tag: str) -> list[Any]:
    element = attributes.get(tag)
    return (element.get("Value") or []) if element else []


def _first(attributes: Attributes, tag: str) -> Any:
    values = _values(attributes, tag)
    return values[0] if values else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, int | float):
        # integers beyond all floats do occur in what nobody checked
        try:
            return float(value) if math.isfinite(value) else None
        except OverflowError:
            return None
    return None
