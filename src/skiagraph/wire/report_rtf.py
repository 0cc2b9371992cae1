"""An SR document as Rich Text Format 1.9: the lines of the plain text — PS3.18 Table 8.7.4-1, category Text."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from skiagraph.standard.structured_report import Report
from skiagraph.values import Attributes
from skiagraph.wire import report_text

CONTENT_TYPE: Final = "text/rtf"

_HEAD = r"{\rtf1\ansi\ansicpg1252\deff0\uc1{\fonttbl{\f0\fswiss Arial;}}\paperw11906\paperh16838\fs20"
_INDENT = 142  # twentieths of a point for a blank: 2.5 mm
_SPECIAL = re.compile(r"[\\{}]|[^\x20-\x7e]")


def to_rtf(attributes: Attributes, report: Report) -> bytes:
    """Write an SR document as RTF: only letters of ASCII, all others by their numbers."""
    title, _, *lines = report_text.to_text(attributes, report).decode().split("\n")
    written = [_HEAD, _paragraph(title, r"\b\fs32", r"\b0\fs20")]
    for line in lines:
        text = line.lstrip(" ")
        written.append(_paragraph(text, rf"\li{(len(line) - len(text)) * _INDENT}"))
    return ("\n".join(written) + "\n}\n").encode("ascii")


def _paragraph(text: str, before: str, after: str = "") -> str:
    return rf"\pard{_direction(text)}{before} {_SPECIAL.sub(_escaped, text)}{after}\par"


def _direction(text: str) -> str:
    """From right to left, where the first letter that has a direction is written so."""
    letters = (unicodedata.bidirectional(character) for character in text)
    return r"\rtlpar" if next((found for found in letters if found in ("L", "R", "AL")), "L") != "L" else ""


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character in "\\{}":
        return "\\" + character
    if character == "\t":
        return r"\tab "
    units = character.encode("utf-16-le")
    numbers = (int.from_bytes(units[at : at + 2], "little", signed=True) for at in range(0, len(units), 2))
    return "".join(rf"\u{number}?" for number in numbers)
