"""Specific Character Set (0008,0005) — PS3.3 C.12.1.1.2 and PS3.5 §6.1.

`character_set` turns the Defined Terms of a data set into a `CharacterSet`, which decodes values. Decoding never
fails: what can not be decoded becomes U+FFFD, and a remark says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from pydicom.charset import CODES_TO_ENCODINGS, python_encoding

_NONE: Final = ("", "ISO_IR 6", "ISO 2022 IR 6")
_STAND_ALONE: Final = frozenset({"ISO_IR 192", "GB18030", "GBK"})
_CODECS: Final[dict[str, str]] = {
    **python_encoding,
    "ISO_IR 203": "iso8859_15",
    "ISO 2022 IR 203": "iso8859_15",
    "ISO_IR 192": "utf-8",
    "ISO_IR 58": "gb2312",
    "ISO_IR 87": "iso2022_jp",
    "ISO_IR 149": "euc_kr",
    "ISO_IR 159": "iso2022_jp_2",
}
_SPELLINGS: Final = (
    (re.compile(r"ISO[ _-]*2022[ _-]*(?:IR)?[ _-]*([0-9]+)"), r"ISO 2022 IR \1"),
    (re.compile(r"ISO[ _-]*(?:IR)?[ _-]*([0-9]+)"), r"ISO_IR \1"),
    (re.compile(r"ISO[ _-]*2022[ _-]*GBK"), "GBK"),
    (re.compile(r"UTF[ _-]*8"), "ISO_IR 192"),
    (re.compile(r"ISO[ _-]*8859[ _-]*1"), "ISO_IR 100"),
    (re.compile(r"GB[ _-]*18030"), "GB18030"),
)

# Escape sequences of Tables C.12-3 and C.12-4: the set they designate, to G0 (bytes below 0x80) or to G1 (above).
_G0_SINGLE: Final = frozenset({b"\x1b(B", b"\x1b(J"})  # ASCII, and JIS X 0201 Romaji, told apart by two glyphs only
_G0_DOUBLE: Final = {b"\x1b$B": "iso2022_jp", b"\x1b$@": "iso2022_jp", b"\x1b$(D": "iso2022_jp_2"}
_G1: Final[dict[bytes, str]] = {
    **{code: codec for code, codec in CODES_TO_ENCODINGS.items() if code[1:2] in (b"-", b")") or code[:3] == b"\x1b$)"},
    b"\x1b-b": "iso8859_15",
    b"\x1b$)A": "gb2312",
}
_UNDECLARED: Final = "text is not ASCII, but no Specific Character Set says what it is"
_NOT_IN_G1: Final = frozenset({"iso2022_jp", "iso2022_jp_2"})

_ESCAPE: Final = re.compile(rb"\x1b(?:\$[()][A-Z]|\$[@AB]|[()-][A-Za-z])")
_SINGLE_RUN: Final = re.compile(rb"[^\x00-\x1f\\^=\x80-\xff]+")
_DOUBLE_RUN: Final = re.compile(rb"[\x21-\x7e]+")
_HIGH_RUN: Final = re.compile(rb"[\x80-\xff]+")


class CharacterSet:
    """How the text of one data set is encoded. Immutable; `character_set` shares equal ones."""

    __slots__ = ("_codec", "_default", "escapes", "remark", "terms")

    def __init__(self, terms: tuple[str, ...], default: CharacterSet | None = None) -> None:
        known, unknown = _normalised(terms)
        self.terms = terms
        self.escapes: bool = len(known) > 1 or known[0].startswith("ISO 2022") or bool(default and default.escapes)
        """Bytes below 0x80 may be anything: a value is ASCII only if it has no escape sequence too."""
        self.remark = "the Specific Character Set is not one that is known" if unknown else None
        """What is wrong with the terms; None when nothing is."""
        self._codec = None if known[0] in _NONE else _CODECS[known[0]]
        self._default = default if len(known) == 1 and known[0] in _NONE else None

    def decode(self, raw: bytes, *, person_name: bool = False) -> tuple[str, str | None]:
        """Decode a whole value field, backslashes included, which afterwards separate values.

        Returns
        -------
        tuple
            The text, and a remark when it may not be what was meant; else None.
        """
        if self._default is not None:
            text, trouble = self._default.decode(raw, person_name=person_name)
            return text, trouble or (None if raw.isascii() else _UNDECLARED)
        if self.escapes and b"\x1b" in raw:
            return self._decode_escaped(raw, person_name)
        if self._codec is None:
            return self._guess(raw)
        return _decode(raw, "shift_jis" if self._codec in _NOT_IN_G1 else self._codec)

    def _guess(self, raw: bytes) -> tuple[str, str | None]:
        """Decode text for which nothing but ASCII is declared."""
        if raw.isascii():
            return raw.decode("ascii"), None
        try:
            return raw.decode("utf-8"), _UNDECLARED
        except UnicodeDecodeError:
            return raw.decode("latin-1"), _UNDECLARED

    def _decode_escaped(self, raw: bytes, person_name: bool) -> tuple[str, str | None]:
        """Decode with code extensions (PS3.5 §6.1.2.5): G0 and G1 change by escape sequence.

        Both go back to the first term's at control characters, at the backslash, and in Person Names at ``^``
        and ``=``. Writers forget to designate again after them: where the first term has no G1, the last one stays.
        """
        first_g1 = None if self._codec in _NOT_IN_G1 else self._codec
        resets = b"\\^=" if person_name else b"\\"
        double: str | None = None  # the set in G0, when it is a double-byte one
        g1 = first_g1
        pieces: list[str] = []
        remark: str | None = None
        at, end = 0, len(raw)
        while at < end:
            byte = raw[at]
            if byte == 0x1B:
                escape = _ESCAPE.match(raw, at)
                code = escape.group() if escape else raw[at : at + 1]
                if code in _G0_SINGLE:
                    double = None
                elif code in _G0_DOUBLE:
                    double = _G0_DOUBLE[code]
                elif code in _G1:
                    g1 = _G1[code]
                else:
                    remark = "an escape sequence is not one that is known"
                    pieces.append(code.decode("ascii"))
                at += len(code)
            elif byte >= 0x80:
                run = _run(_HIGH_RUN, raw, at)
                text, trouble = self._guess(run) if g1 is None else _decode(run, g1)
                remark = remark or trouble
                pieces.append(text)
                at += len(run)
            elif double is not None and 0x21 <= byte < 0x7F:
                run = _run(_DOUBLE_RUN, raw, at)
                prefix = b"\x1b$(D" if double == "iso2022_jp_2" else b"\x1b$B"
                text, trouble = _decode(prefix + run + b"\x1b(B", double)
                remark = remark or trouble
                pieces.append(text)
                at += len(run)
            elif byte < 0x20 or byte in b"\\^=":
                if byte < 0x20 or byte in resets:
                    double, g1 = None, first_g1 or g1
                pieces.append(chr(byte))
                at += 1
            else:
                run = _run(_SINGLE_RUN, raw, at)
                pieces.append(run.decode("ascii"))
                at += len(run)
        return "".join(pieces), remark


def _run(pattern: re.Pattern[bytes], raw: bytes, at: int) -> bytes:
    match = pattern.match(raw, at)
    return match.group() if match else raw[at : at + 1]


def _decode(raw: bytes, codec: str) -> tuple[str, str | None]:
    try:
        return raw.decode(codec), None
    except UnicodeDecodeError:
        if codec == "GBK":  # what GBK lacks, its superset may have
            codec = "gb18030"
        return raw.decode(codec, "replace"), "text is not valid in the Specific Character Set"


def _normalised(terms: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """Return the terms that count, spelt as in the standard and at least one; and whether some are unknown."""
    known: list[str] = []
    unknown = False
    for number, term in enumerate(terms):
        spelt = _spelt(term)
        if spelt is None:
            unknown = True
            spelt = ""
        if spelt in _STAND_ALONE:
            if number == 0:
                return (spelt,), unknown
            unknown = True  # it allows no code extensions, so it can not be one
        elif number == 0 or spelt:
            known.append(spelt)
    return tuple(known) or ("",), unknown


def _spelt(term: str) -> str | None:
    text = term.strip(" \0").upper()
    if text in _CODECS:
        return "GBK" if text == "ISO 2022 GBK" else text
    for pattern, form in _SPELLINGS:
        match = pattern.fullmatch(text)
        if match and (spelt := match.expand(form)) in _CODECS:
            return spelt
    return None


@lru_cache(maxsize=512)
def character_set(terms: tuple[str, ...], default: str = "") -> CharacterSet:
    """Return the character set that the values of (0008,0005) name.

    Parameters
    ----------
    terms
        Its values, empty ones as empty strings; no values when the element is missing or empty.
    default
        Terms, separated by backslash, that hold where `terms` name none but there is non-ASCII text. Without it,
        such text is UTF-8 where its bytes are valid UTF-8, else ISO_IR 100.
    """
    fallback = character_set(tuple(default.split("\\"))) if default else None
    return CharacterSet(terms, fallback)
