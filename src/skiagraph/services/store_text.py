"""Plain text that comes as a document beside the metadata: it becomes a Basic Text SR — PS3.3 A.35.1, C.17.

No Encapsulated Document is plain text. A Basic Text SR is what the standard has for it, and what everything that shows
reports can show: a title, and the text as a comment below it.
"""

from __future__ import annotations

from typing import Any, Final

from skiagraph.errors import CannotUnderstand, OutOfResources
from skiagraph.services.coercion import Changes, has_value
from skiagraph.services.store_documents import DOCUMENT, Body
from skiagraph.standard.made_objects import BASIC_TEXT_SR
from skiagraph.wire import charset

_LARGEST: Final = 4 * 2**20
_CONTROLS: Final = {code: None for code in range(32) if chr(code) not in "\t\n\f\r"} | {0x7F: None}
_TITLE, _CONTENT, _CLASS = "0040A043", "0040A730", "00080016"
_OF_DOCUMENTS: Final = (DOCUMENT, "00420012", "00420015")


def is_text(changes: Changes, part: Body) -> bool:
    """Whether a part is plain text, and the metadata leave room for what it becomes."""
    if part.media_type is None or part.media_type.name != "text/plain":
        return False
    said = changes.attributes[_CLASS]["Value"] if has_value(changes.attributes, _CLASS) else [BASIC_TEXT_SR]
    return said == [BASIC_TEXT_SR] and not has_value(changes.attributes, _CONTENT)


def describe(changes: Changes, part: Body) -> None:
    """Make the content tree of a report of the text.

    Raises
    ------
    CannotUnderstand
        It is no text in its character set (parameter ``charset`` of its media type, else UTF-8).
    OutOfResources
        It is longer than 4 MiB.
    """
    if part.size > _LARGEST:
        raise OutOfResources(f"A plain text has more than {_LARGEST} bytes.")
    assert part.media_type is not None
    name = part.media_type.parameters.get("charset", "utf-8")
    written = charset.find(name)
    try:
        text = part.read_at(0, part.size).decode("ascii" if written is None else written.codec).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise CannotUnderstand(
            f"The plain text is none in its character set: {name[:32]!r}.", details=(DOCUMENT,)
        ) from None
    if text.translate(_CONTROLS) != text:
        raise CannotUnderstand("The plain text has control characters.", details=(DOCUMENT,))
    attributes = changes.attributes
    for tag in _OF_DOCUMENTS:
        attributes.pop(tag, None)
    attributes[_CLASS] = {"vr": "UI", "Value": [BASIC_TEXT_SR]}
    if not has_value(attributes, _TITLE):
        attributes[_TITLE] = _code("51855-5", "LN", "Patient Note")
    changes.supply("0040A040", "CS", "CONTAINER")
    changes.supply("0040A050", "CS", "SEPARATE")
    changes.supply("0040A491", "CS", "COMPLETE")
    changes.supply("0040A493", "CS", "UNVERIFIED")
    comment = {
        "0040A010": {"vr": "CS", "Value": ["CONTAINS"]},
        "0040A040": {"vr": "CS", "Value": ["TEXT"]},
        _TITLE: _code("121106", "DCM", "Comment"),
        "0040A160": {"vr": "UT", "Value": [text]},
    }
    attributes[_CONTENT] = {"vr": "SQ", "Value": [comment]}


def _code(value: str, scheme: str, meaning: str) -> dict[str, Any]:
    return {
        "vr": "SQ",
        "Value": [
            {
                "00080100": {"vr": "SH", "Value": [value]},
                "00080102": {"vr": "SH", "Value": [scheme]},
                "00080104": {"vr": "LO", "Value": [meaning]},
            }
        ],
    }
