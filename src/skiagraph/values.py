"""Small frozen values that every ring may use."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Any, TypeAlias

Attributes: TypeAlias = dict[str, Any]
"""A data set in the DICOM JSON Model (PS3.18 Annex F): tag (8 upper-case hex digits) → {"vr": …, "Value": …}."""

_UID = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)
_STRICT_UID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+", re.ASCII)


def is_uid(text: str) -> bool:
    """Whether the text can serve as a UID: digits and dots, at most 64 characters.

    Leading zeros in a component break PS3.5 §9.1, but old archives are full of them and they identify
    as well as any other; `is_strict_uid` tells.
    """
    return 0 < len(text) <= 64 and _UID.fullmatch(text) is not None


def is_strict_uid(text: str) -> bool:
    """Whether the text is a UID to the letter of PS3.5 §9.1."""
    return len(text) <= 64 and _STRICT_UID.fullmatch(text) is not None


class Level(enum.IntEnum):
    """Level of the Query/Retrieve Information Model (Study Root, PS3.4 C.6.2): patients belong to the Study."""

    STUDY = 1
    SERIES = 2
    INSTANCE = 3


@dataclass(frozen=True, slots=True)
class ResourcePath:
    """A Study, Series or Instance by its whole path; the UIDs below the level are None."""

    study_instance_uid: str
    series_instance_uid: str | None = None
    sop_instance_uid: str | None = None

    @property
    def level(self) -> Level:
        if self.sop_instance_uid is not None:
            return Level.INSTANCE
        return Level.STUDY if self.series_instance_uid is None else Level.SERIES

    def __str__(self) -> str:
        """The path below the Base URI, such as ``studies/1.2/series/1.3``."""
        text = f"studies/{self.study_instance_uid}"
        if self.series_instance_uid is not None:
            text += f"/series/{self.series_instance_uid}"
        if self.sop_instance_uid is not None:
            text += f"/instances/{self.sop_instance_uid}"
        return text


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Consecutive bytes: `offset` from the start of the blob, `length` bytes."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """First offset behind the range."""
        return self.offset + self.length
