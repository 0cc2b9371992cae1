"""Encoded data sets, byte by byte: what no writer would write."""

from __future__ import annotations

import struct

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
RLE = "1.2.840.10008.1.2.5"
UNDEFINED = 0xFFFFFFFF

_LONG = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")


def explicit(tag: int, vr: str, value: bytes = b"", length: int | None = None, order: str = "<") -> bytes:
    """An element in Explicit VR; `length` is what it declares, if not the truth."""
    length = len(value) if length is None else length
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF) + vr.encode("latin-1")
    return head + (struct.pack(order + "HL", 0, length) if vr in _LONG else struct.pack(order + "H", length)) + value


def implicit(tag: int, value: bytes = b"", length: int | None = None, order: str = "<") -> bytes:
    """An element in Implicit VR; also an Item or delimiter."""
    return struct.pack(order + "HHL", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def item(content: bytes = b"", order: str = "<") -> bytes:
    return implicit(0xFFFEE000, content, order=order)


def open_item(content: bytes = b"", order: str = "<") -> bytes:
    return implicit(0xFFFEE000, content, UNDEFINED, order) + implicit(0xFFFEE00D, order=order)


SEQUENCE_END = implicit(0xFFFEE0DD)
ITEM_END = implicit(0xFFFEE00D)


def fragments(*values: bytes, table: bytes = b"") -> bytes:
    """Encapsulated Pixel Data, header and delimiter included."""
    return explicit(0x7FE00010, "OB", length=UNDEFINED) + b"".join(map(item, (table, *values))) + SEQUENCE_END


def meta(transfer_syntax: str, length: int | None = None) -> bytes:
    """Preamble, prefix and File Meta Information."""
    uid = transfer_syntax.encode()
    content = explicit(0x00020010, "UI", uid + b"\0" * (len(uid) % 2))
    declared = struct.pack("<L", len(content) if length is None else length)
    return bytes(128) + b"DICM" + explicit(0x00020000, "UL", declared) + content


def image(
    frames: int | None = None, rows: int = 2, columns: int = 2, allocated: int = 8, samples: int = 1, extra: bytes = b""
) -> bytes:
    """The elements that describe Pixel Data."""
    us = "<H"
    return (
        explicit(0x00280002, "US", struct.pack(us, samples))
        + extra
        + (b"" if frames is None else explicit(0x00280008, "IS", f"{frames:<2}".encode()))
        + explicit(0x00280010, "US", struct.pack(us, rows))
        + explicit(0x00280011, "US", struct.pack(us, columns))
        + explicit(0x00280100, "US", struct.pack(us, allocated))
    )
