"""A DICOMDIR, written when the last file is known: PS3.3 Annex F, PS3.10 §8.6.

Records point at each other by their offsets. They are added in their order, kept compressed, and their offsets are set
when they are written, so that a directory takes a few dozen bytes for each file.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final

from skiagraph.errors import BadRequest
from skiagraph.standard import directory_records, explicit_writer, file_meta
from skiagraph.standard.directory_records import PATIENT, PRIVATE, SERIES, STUDY
from skiagraph.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from skiagraph.values import Attributes

SOP_CLASS_UID: Final = "1.2.840.10008.1.3.10"
"""Media Storage Directory Storage."""
NAME: Final = "DICOMDIR"

_ITEM: Final = struct.Struct("<HHL")
_NEXT: Final = 16  # in a record: of the value of Offset of the Next Directory Record
_LOWER: Final = 38  # the same of Offset of Referenced Lower-Level Directory Entity
_UNSIGNED: Final = struct.Struct("<L")
_PIECE: Final = 64 * 2**10
_LEVELS: Final = {PATIENT: 0, STUDY: 1, SERIES: 2}
_LEAF: Final = 3
_UTF_8: Final = {"00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}}


class MediaDirectory:
    """Collects the files of one Study, those of each Series one after the other; then `write` once.

    Parameters
    ----------
    sop_instance_uid
        Of the directory.
    """

    def __init__(self, sop_instance_uid: str) -> None:
        self._uid = sop_instance_uid
        self._packer = zlib.compressobj(6)
        self._packed: list[bytes] = []
        self._lengths = array("L")
        self._levels = bytearray()
        self._series = ""

    def add(
        self,
        attributes: Attributes,
        file_id: Sequence[str],
        *,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
    ) -> None:
        """Add a file.

        Parameters
        ----------
        attributes
            Of its data set; Study and Series of the first file of each speak for all.
        file_id
            Up to 8 components of at most 8 characters A-Z, 0-9 and _ (PS3.10 §8.2).
        sop_class_uid, sop_instance_uid, transfer_syntax_uid
            As the File Meta Information of the file has them.
        """
        if not self._levels:
            self._record(PATIENT, attributes)
            self._record(STUDY, attributes)
        series = _first(attributes, "0020000E")
        if series != self._series or self._levels[-1] == _LEVELS[STUDY]:
            self._series = series
            self._record(SERIES, attributes)
        kind = directory_records.record_type(sop_class_uid, pixels="7FE00010" in attributes)
        reference: Attributes = {
            "00041500": {"vr": "CS", "Value": list(file_id)},
            "00041510": {"vr": "UI", "Value": [sop_class_uid]},
            "00041511": {"vr": "UI", "Value": [sop_instance_uid]},
            "00041512": {"vr": "UI", "Value": [transfer_syntax_uid]},
        }
        if kind == PRIVATE:
            reference["00041432"] = {"vr": "UI", "Value": [directory_records.PRIVATE_RECORD_UID]}
        self._record(kind, attributes, reference)

    def write(self) -> Iterator[bytes]:
        """The file, in pieces. There has to be a file in it."""
        head = self._head()
        yield head
        offsets = _Offsets(self._lengths, self._levels, len(head))
        number = 0
        waiting = bytearray()
        for piece in self._unpacked():
            waiting += piece
            out = bytearray()
            while number < len(self._lengths) and len(waiting) >= self._lengths[number]:
                length = self._lengths[number]
                record = waiting[:length]
                following, lower = offsets.of(number)
                _UNSIGNED.pack_into(record, _NEXT, following)
                _UNSIGNED.pack_into(record, _LOWER, lower)
                out += record
                del waiting[:length]
                number += 1
            if out:
                yield bytes(out)

    @property
    def length(self) -> int:
        """Bytes of the file."""
        return len(self._head()) + sum(self._lengths)

    def _head(self) -> bytes:
        """All before the first record: the only record of the root is that of the patient."""
        meta = file_meta.write(
            {},
            transfer_syntax_uid=EXPLICIT_VR_LITTLE_ENDIAN,
            sop_class_uid=SOP_CLASS_UID,
            sop_instance_uid=self._uid,
        )

        def data_set(root: int) -> bytes:
            attributes: Attributes = {
                "00041130": {"vr": "CS"},
                "00041200": {"vr": "UL", "Value": [root]},
                "00041202": {"vr": "UL", "Value": [root]},
                "00041212": {"vr": "US", "Value": [0]},
            }
            sequence = explicit_writer.header(0x00041220, "SQ", sum(self._lengths))
            return b"".join(explicit_writer.elements(attributes).values()) + sequence

        return meta + data_set(len(meta) + len(data_set(0)))

    def _record(self, kind: str, attributes: Attributes, reference: Attributes | None = None) -> None:
        content: Attributes = {
            "00041400": {"vr": "UL", "Value": [0]},
            "00041410": {"vr": "US", "Value": [0xFFFF]},
            "00041420": {"vr": "UL", "Value": [0]},
            "00041430": {"vr": "CS", "Value": [kind]},
            **dict(sorted((reference or {}).items())),
        }
        encoded = b"".join(explicit_writer.elements(content).values())
        keys = _encoded(directory_records.keys(kind, attributes))
        if not keys.isascii() or b"\x1b" in keys:  # the length fields of long values are not ASCII either: no harm
            keys = b"".join(explicit_writer.elements(_UTF_8).values()) + keys
        length = len(encoded) + len(keys)
        record = _ITEM.pack(0xFFFE, 0xE000, length) + encoded + keys
        self._lengths.append(len(record))
        self._levels.append(_LEVELS.get(kind, _LEAF))
        packed = self._packer.compress(record)
        if packed:
            self._packed.append(packed)

    def _unpacked(self) -> Iterator[bytes]:
        packed = [*self._packed, self._packer.flush()]
        unpacker = zlib.decompressobj()
        for held in packed:
            while held:
                yield unpacker.decompress(held, _PIECE)
                held = unpacker.unconsumed_tail
        yield unpacker.flush()


class _Offsets:
    """Where the records lie, and which one follows: asked for one after the other."""

    def __init__(self, lengths: array[int], levels: bytearray, start: int) -> None:
        self._lengths = lengths
        self._levels = levels
        self._at = start
        self._series = array("L")
        self._next_series = 0
        at = start
        for length, level in zip(lengths, levels, strict=True):
            if level == _LEVELS[SERIES]:
                self._series.append(at)
            at += length

    def of(self, number: int) -> tuple[int, int]:
        """Offsets of the next record of the same level, and of the first one below; 0 where there is none."""
        end = self._at + self._lengths[number]
        level = self._levels[number]
        behind = self._levels[number + 1] if number + 1 < len(self._levels) else None
        self._at = end
        if level == _LEAF:
            return (end if behind == _LEAF else 0), 0
        if level != _LEVELS[SERIES]:
            return 0, end
        self._next_series += 1
        return (self._series[self._next_series] if self._next_series < len(self._series) else 0), end


def _encoded(attributes: Attributes) -> bytes:
    """Encode the keys of a record; one that can not be is there without value."""
    encoded = []
    for tag, element in attributes.items():
        try:
            encoded.append(explicit_writer.element(int(tag, 16), element))
        except BadRequest:
            encoded.append(explicit_writer.element(int(tag, 16), {"vr": element["vr"]}))
    return b"".join(encoded)


def _first(attributes: Attributes, tag: str) -> Any:
    values = attributes.get(tag, {}).get("Value")
    return values[0] if values else ""
