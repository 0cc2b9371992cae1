"""Status Reports: PS3.18 §8.6.3. The one shape of every error, in the form that the user agent takes.

§8.6.3 prescribes no schema. ``application/dicom+json`` and ``application/dicom+xml`` are true DICOM data sets of two
attributes: Error Comment (0000,0902), cut to its 64 characters, and Text Value (0040,A160) with everything;
``application/json`` and ``application/problem+json`` follow RFC 9457. Plain text is for everybody else: whoever
asked for images gets a sentence, not a 406 about the report.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from http import HTTPStatus
from xml.sax.saxutils import escape

import orjson

from skiagraph.errors import ArchiveError
from skiagraph.standard.media_types import DICOM_JSON, DICOM_XML, JSON
from skiagraph.wire.accept import Offer, choose

PROBLEM_JSON = "application/problem+json"
TEXT, HTML = "text/plain", "text/html"

_OFFERS = (
    Offer(TEXT),
    Offer(DICOM_JSON),
    Offer(PROBLEM_JSON),
    Offer(JSON),
    Offer(DICOM_XML),
    Offer(DICOM_XML, multipart=True),
    Offer(HTML),
)
# Control characters but the line end, surrogates, and what XML 1.0 does not allow
_UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{status} {phrase}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 4rem auto; padding: 0 1rem; color: #222 }}
h1 {{ font-size: 1.25rem; font-weight: 600 }}
footer {{ color: #666; font-size: .875rem; margin-top: 2rem }}
@media (prefers-color-scheme: dark) {{ body {{ background: #181818; color: #ddd }} footer {{ color: #999 }} }}
</style>
</head>
<body>
<h1>{status} {phrase}</h1>
<p>{message}</p>
{details}<footer>Request {request_id}</footer>
</body>
</html>
"""

_DATA_SET = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve">'
    '<DicomAttribute tag="00000902" vr="LO" keyword="ErrorComment"><Value number="1">{comment}</Value></DicomAttribute>'
    '<DicomAttribute tag="0040A160" vr="UT" keyword="TextValue"><Value number="1">{text}</Value></DicomAttribute>'
    "</NativeDicomModel>\n"
)


def report(
    accept: str | None,
    *,
    status: int,
    title: str,
    message: str,
    details: Sequence[str] = (),
    request_id: str = "-",
) -> tuple[str, bytes]:
    """Write the report of one error.

    Parameters
    ----------
    accept
        The Accept header of the request, whatever it holds.
    title
        The kind of error in one sentence, the same for all of its kind.
    message
        What was wrong, where, and what would be accepted.
    details
        Further lines: what is available, which items failed.

    Returns
    -------
    tuple of str and bytes
        Content-Type and payload. Never raises.
    """
    title, message, request_id = _clean(title), _clean(message), _clean(request_id)
    details = [_clean(detail) for detail in details]
    try:
        media_type = choose(accept, None, _OFFERS).offer.media_type
    except ArchiveError:
        media_type = TEXT
    phrase = _phrase(status)
    text = "\n".join((f"{status} {phrase}", message, *(f"- {detail}" for detail in details), f"Request {request_id}"))
    if media_type == DICOM_JSON:
        return DICOM_JSON, orjson.dumps(
            {
                "00000902": {"vr": "LO", "Value": [_comment(message)]},
                "0040A160": {"vr": "UT", "Value": [text]},
            }
        )
    if media_type in (JSON, PROBLEM_JSON):
        problem = {"type": "about:blank", "title": title, "status": status, "detail": message}
        return media_type, orjson.dumps({**problem, "details": details, "request_id": request_id})
    if media_type == DICOM_XML:
        return DICOM_XML, _DATA_SET.format(comment=escape(_comment(message)), text=escape(text)).encode()
    if media_type == HTML:
        items = "".join(f"<li>{html.escape(detail)}</li>\n" for detail in details)
        return f"{HTML}; charset=utf-8", _PAGE.format(
            status=status,
            phrase=html.escape(phrase),
            message=html.escape(message),
            details=f"<ul>\n{items}</ul>\n" if items else "",
            request_id=html.escape(request_id),
        ).encode()
    return f"{TEXT}; charset=utf-8", f"{text}\n".encode()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _comment(message: str) -> str:
    """As a value of VR LO: at most 64 characters, no backslash, one line."""
    comment = message.replace("\\", "/").replace("\n", " ")
    return comment if len(comment) <= 64 else comment[:63].rstrip() + "…"


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
