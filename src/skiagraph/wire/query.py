"""The grammar of query strings: PS3.18 §8.3.1, RFC 3986 §3.4.

Not the one of HTML forms: ``+`` is a plus sign, and a comma separates values only where it is not percent-encoded.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from skiagraph.errors import BadRequest

_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def parse_query(query: str) -> list[tuple[str, list[str]]]:
    """Split a raw query string (ASCII, or bytes as Latin-1) into names and their lists of values, in order.

    A name without ``=`` has no values, one with nothing behind it has one empty value. Empty parameters
    (``a=1&&b=2``) are passed over.

    Raises
    ------
    BadRequest
        A percent sign does not begin an encoded byte, or the bytes are not UTF-8.
    """
    parameters = []
    for pair in query.split("&"):
        if pair:
            name, equals, value = pair.partition("=")
            name = _decode(name, "a parameter name")
            # The values may be names of patients: messages name the parameter only
            where = f"parameter {name[:64]!r}"
            parameters.append((name, [_decode(item, where) for item in value.split(",")] if equals else []))
    return parameters


def accept(query: str) -> str | None:
    """Value of the ``accept`` parameter (§8.3.3.1), decoded, several joined with commas; None without.

    Raises
    ------
    BadRequest
        As `parse_query`.
    """
    if "accept" not in query:
        return None
    values = [value for name, values in parse_query(query) if name == "accept" for value in values if value]
    return ", ".join(values) or None


def anonymize(query: str) -> bool:
    """Whether the ``anonymize`` parameter asks for de-identified Instances: that of the URI Service (§9.4.1.2.1).

    Raises
    ------
    BadRequest
        It is given twice, or is not ``yes``; or as `parse_query`.
    """
    if "anonymize" not in query and "%" not in query:
        return False
    given = [values for name, values in parse_query(query) if name == "anonymize"]
    if given not in ([], [["yes"]]):
        raise BadRequest("The parameter 'anonymize' has to be 'yes', once, or left out.")
    return bool(given)


def dicomdir(query: str) -> bool:
    """Whether the ``dicomdir`` parameter, an extension, asks for a DICOMDIR in an archive.

    Raises
    ------
    BadRequest
        It is given twice, or is neither ``yes`` nor ``no``; or as `parse_query`.
    """
    if "dicomdir" not in query:
        return False
    given = [values for name, values in parse_query(query) if name == "dicomdir"]
    if given not in ([], [["yes"]], [["no"]]):
        raise BadRequest("The parameter 'dicomdir' has to be 'yes' or 'no', once.")
    return given == [["yes"]]


def _decode(text: str, where: str) -> str:
    if "%" in text:
        if _BAD_PERCENT.search(text):
            raise BadRequest(
                f"The percent-encoding in {where} of the query is broken: %XX with two hex digits is needed."
            )
    elif text.isascii():
        return text
    try:
        # Raw UTF-8 is not allowed in a URI, but curl and scripts send it: its bytes arrive as Latin-1
        raw = text.encode("latin-1") if not text.isascii() else text
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeError as error:
        raise BadRequest(f"The value of {where} of the query is not UTF-8.") from error
