"""Character sets of answers in XML and text — PS3.18 §8.8, Annex D.

UTF-8 is always acceptable, and the default. Another one is taken where the user agent names it: as parameter of the
media type, in the ``charset`` query parameter, or in Accept-Charset, in this order. What is not known is ignored. JSON
has no other than UTF-8 (RFC 8259 §8.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from skiagraph.errors import NoAcceptableRepresentation
from skiagraph.wire.accept import Choice
from skiagraph.wire.media_type import MediaType, split_list
from skiagraph.wire.query import parse_query

_MOST: Final = 50  # names that are looked at; no user agent comes near


@dataclass(frozen=True, slots=True)
class Charset:
    """A character set in which answers can be written."""

    name: str
    """As IANA prefers it."""
    codec: str

    @property
    def parameter(self) -> str:
        """What is put behind a media type of which UTF-8 is the default."""
        return "" if self is UTF_8 else f"; charset={self.name}"

    def xml(self, document: bytes) -> bytes:
        """An XML document in UTF-8, in this set; what the set lacks as character references."""
        if self is UTF_8:
            return document
        text = document.decode().replace('encoding="UTF-8"', f'encoding="{self.name}"', 1)
        return text.encode(self.codec, "xmlcharrefreplace")

    def html(self, page: bytes) -> bytes:
        """A page in UTF-8, in this set; what the set lacks as character references."""
        if self is UTF_8:
            return page
        text = page.decode().replace('<meta charset="utf-8">', f'<meta charset="{self.name}">', 1)
        return text.encode(self.codec, "xmlcharrefreplace")

    def text(self, data: bytes) -> bytes:
        """Plain text in UTF-8, in this set.

        Raises
        ------
        NoAcceptableRepresentation
            The set lacks some of its characters.
        """
        if self is UTF_8:
            return data
        try:
            return data.decode().encode(self.codec)
        except UnicodeEncodeError:
            raise NoAcceptableRepresentation(
                f"The text has characters that {self.name} does not have; UTF-8 has them.", details=("charset=utf-8",)
            ) from None


UTF_8: Final = Charset("utf-8", "utf-8")

_TABLE: Final = (  # IANA name, codec, Defined Terms of Specific Character Set (0008,0005)
    ("US-ASCII", "ascii", "ISO_IR 6"),
    ("ISO-8859-1", "iso8859_1", "ISO_IR 100"),
    ("ISO-8859-2", "iso8859_2", "ISO_IR 101"),
    ("ISO-8859-3", "iso8859_3", "ISO_IR 109"),
    ("ISO-8859-4", "iso8859_4", "ISO_IR 110"),
    ("ISO-8859-5", "iso8859_5", "ISO_IR 144"),
    ("ISO-8859-6", "iso8859_6", "ISO_IR 127"),
    ("ISO-8859-7", "iso8859_7", "ISO_IR 126"),
    ("ISO-8859-8", "iso8859_8", "ISO_IR 138"),
    ("ISO-8859-9", "iso8859_9", "ISO_IR 148"),
    ("ISO-8859-15", "iso8859_15", "ISO_IR 203"),
    ("TIS-620", "tis_620", "ISO_IR 166"),
    ("ISO-2022-JP", "iso2022_jp", "ISO 2022 IR 13\\ISO 2022 IR 87"),
    ("ISO-2022-KR", "iso2022_kr", "ISO 2022 IR 6\\ISO 2022 IR 149"),
    ("GB18030", "gb18030", "GB18030"),
    ("GBK", "gbk", "GBK"),
)
"""PS3.18 Annex D, but for ISO-2022-CN, which there is no codec for."""

NAMES: Final = ("UTF-8", *(name for name, _, _ in _TABLE))
"""Of all character sets that answers are written in."""

_KNOWN: Final = {"utf-8": UTF_8, "utf8": UTF_8, "iso_ir 192": UTF_8, "*": UTF_8}
for _name, _codec, _term in _TABLE:
    _KNOWN[_name.lower()] = _KNOWN[_term.lower()] = Charset(_name, _codec)


def find(name: str) -> Charset | None:
    """Return a character set by its IANA name or Defined Term, in any case; None for one that is not known."""
    return _KNOWN.get(name.strip().lower())


def select(choice: Choice, query: str, header: str | None) -> Charset:
    """Select the character set of an answer (§8.8.5).

    Parameters
    ----------
    choice
        What was negotiated: the parameters of its media type come first.
    query
        Raw query string.
    header
        Accept-Charset.
    """
    for entry in choice.ranges:
        if entry.q > 0 and _name_of(entry.media_type) == choice.offer.media_type:
            found = find(entry.media_type.parameters.get("charset", ""))
            if found is not None:
                return found
    if "charset" in query:
        values = [value for name, values in parse_query(query) if name == "charset" for value in values]
        found = _best(value for value in values if value.strip() != "*")
        if found is not None:
            return found
    return _best(split_list(header or "")) or UTF_8


def _name_of(media_type: MediaType) -> str:
    if media_type.name.startswith("multipart/"):
        return media_type.parameters.get("type", "").strip().lower()
    return media_type.name


def _best(entries: Iterable[str]) -> Charset | None:
    """Return the known one with the highest weight, the first among equals."""
    best: Charset | None = None
    highest = 0.0
    for _, entry in zip(range(_MOST), entries, strict=False):
        name, _, weight = entry.partition(";")
        key, _, value = weight.partition("=")
        try:
            q = float(value) if key.strip().lower() == "q" else 1.0
        except ValueError:
            q = 1.0
        found = find(name.strip().strip('"'))
        if found is not None and q > highest:
            best, highest = found, q
    return best
