"""File Meta Information (group 0002) and the preamble of a PS3.10 file — PS3.10 §7.1.

A file that goes out as it is stored keeps its own; one that is re-encoded gets a new one that says so.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

PREAMBLE = 128
"""Bytes before the prefix."""
PREFIX = b"DICM"

IMPLEMENTATION_CLASS_UID = "2.25.227432470334306939469732987731121348314"
"""Names skiagraph as the writer of files that it encodes."""
IMPLEMENTATION_VERSION_NAME = "SKIAGRAPH_0"

_LONG = frozenset((b"OB", b"OW", b"UN", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UT", b"UC", b"UR", b"SV", b"UV"))
_VRS = {0x0001: b"OB", 0x0013: b"SH", 0x0016: b"AE", 0x0017: b"AE", 0x0018: b"AE", 0x0102: b"OB"}
_VRS |= dict.fromkeys((0x0026, 0x0027, 0x0028), b"UR") | {0x0031: b"OB", 0x0032: b"OB"}
# Who encoded the bytes, and in what: these are the writer's. All others are kept as received.
_WRITTEN = (0x0000, 0x0001, 0x0002, 0x0003, 0x0010, 0x0012, 0x0013)


def blanked(preamble: bytes) -> bytes:
    """Return the 128 bytes that may go out: as they are when all zero or a TIFF header, else zeros.

    A dual-personality file is both TIFF and DICOM; anything else that stands here is of no use to DICOM,
    and may be a program or a script in disguise (PS3.10 §7.1, and PS3.15 on the risk of executables).
    """
    if preamble.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return preamble
    return bytes(PREAMBLE)


def read(prefix: bytes) -> dict[int, bytes]:
    """Read group 0002 from the bytes before the data set: element number → value, padding included.

    Takes what it can understand; a file without preamble, prefix or group 0002 gives what there is.
    """
    at = PREAMBLE + 4 if prefix[PREAMBLE : PREAMBLE + 4] == PREFIX else 0
    if prefix.startswith(PREFIX):
        at = 4
    values: dict[int, bytes] = {}
    while at + 8 <= len(prefix):
        group, element, vr, length = struct.unpack_from("<HH2sH", prefix, at)
        if group != 0x0002:
            break
        at += 8
        if not vr.isalpha() or not vr.isupper():  # Implicit VR: wrong here, but met
            (length,) = struct.unpack_from("<L", prefix, at - 4)
        elif vr in _LONG:
            if at + 4 > len(prefix):
                break
            (length,) = struct.unpack_from("<L", prefix, at)
            at += 4
        if at + length > len(prefix):
            break
        values[element] = prefix[at : at + length]
        at += length
    return values


def write(
    received: Mapping[int, bytes], *, transfer_syntax_uid: str, sop_class_uid: str, sop_instance_uid: str
) -> bytes:
    """Return preamble, prefix and File Meta Information of a file that this server encodes.

    Parameters
    ----------
    received
        Group 0002 as it came (`read`); what does not depend on the encoding is kept.
    """
    elements = {number: value for number, value in received.items() if number not in _WRITTEN}
    elements[0x0001] = b"\x00\x01"
    for number, uid in ((0x0002, sop_class_uid), (0x0003, sop_instance_uid), (0x0010, transfer_syntax_uid)):
        elements[number] = uid.encode("ascii", "replace")
    elements[0x0012] = IMPLEMENTATION_CLASS_UID.encode()
    elements[0x0013] = IMPLEMENTATION_VERSION_NAME.encode()
    body = bytearray()
    for number in sorted(elements):
        value = elements[number]
        vr = _VRS.get(number, b"UI")
        if len(value) % 2:
            value += b"\0" if vr in (b"UI", b"OB") else b" "
        body += struct.pack("<HH2s", 0x0002, number, vr)
        body += struct.pack("<HL" if vr in _LONG else "<H", *((0, len(value)) if vr in _LONG else (len(value),)))
        body += value
    return bytes(PREAMBLE) + PREFIX + struct.pack("<HH2sHL", 0x0002, 0x0000, b"UL", 4, len(body)) + bytes(body)
