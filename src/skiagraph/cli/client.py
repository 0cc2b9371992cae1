"""The client side of HTTP: connections to a DICOMweb server and what its refusals mean."""

from __future__ import annotations

from typing import Any

import httpx
import orjson

from skiagraph.cli.console import FAILED, UNREACHABLE, USAGE, CommandError

JSON = "application/dicom+json"

_REASONS = {
    0x0110: "processing failure",
    0x0111: "another data set is stored under the same SOP Instance UID",
    0x0112: "not available at this server",
    0x0117: "invalid instance",
    0x0119: "stored under another SOP class",
    0x0122: "SOP class not supported",
    0x0124: "not authorized",
    0x0131: "transaction UID in use",
    0x0213: "not enough resources",
    0xA700: "out of resources",
    0xA900: "data set does not match its SOP class",
    0xC000: "can not be understood",
    0xC122: "transfer syntax not supported",
}


def reason(code: int) -> str:
    """Return a Failure Reason (PS3.18 Table I.2-2) in words; codes of a family share its words."""
    for known in (code, code & 0xFF00, code & 0xF000):
        if known in _REASONS:
            return _REASONS[known]
    return "failed"


def connect(url: str) -> httpx.Client:
    """Return a client whose requests go below the Base URI.

    Raises
    ------
    CommandError
        The text is no URL of HTTP.
    """
    url = url.rstrip("/")
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise CommandError(f"{url} is not a URL: {error}", USAGE) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise CommandError(f"{url} is not a URL of HTTP; it looks like http://127.0.0.1:8080/dicom-web", USAGE)
    # No limit between chunks of large answers but a generous one: a server may work before it answers.
    timeout = httpx.Timeout(300, connect=10)
    return httpx.Client(base_url=url, timeout=timeout, headers={"User-Agent": "skiagraph"}, trust_env=True)


def unreachable(client: httpx.Client, error: httpx.TransportError) -> CommandError:
    """Return what to tell when the server does not answer."""
    why = str(error) or type(error).__name__
    return CommandError(f"{str(client.base_url).rstrip('/')} can not be reached: {why}", UNREACHABLE)


def refusal(response: httpx.Response) -> CommandError:
    """Return what to tell when the server answered with an error; reads the body."""
    text = explanation(response)
    hint = ""
    if response.status_code in (404, 405) and not text:
        hint = " Is the URL the Base URI of a DICOMweb server, such as http://127.0.0.1:8080/dicom-web?"
    if response.status_code == 401:
        hint = " The server asks for credentials, which this command can not give."
    identity = response.headers.get("x-request-id")
    request = f" (request {identity})" if identity else ""
    return CommandError(
        f"The server answered {response.status_code}{request}: {text or 'no reason given.'}{hint}", FAILED
    )


def explanation(response: httpx.Response) -> str:
    """Return the sentence in the body of an error, "" when there is none to understand."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = b"".join(_up_to(response, 64 * 2**10))
    if kind.endswith("json"):
        try:
            return "; ".join(dict.fromkeys(_sentences(orjson.loads(body))))
        except orjson.JSONDecodeError:
            return ""
    return body.decode("utf-8", "replace").strip()[:2000] if kind == "text/plain" else ""


def _up_to(response: httpx.Response, limit: int) -> list[bytes]:
    if response.is_stream_consumed:
        return [response.content[:limit]]
    found: list[bytes] = []
    for chunk in response.iter_bytes():
        found.append(chunk)
        limit -= len(chunk)
        if limit <= 0:
            break
    return found


def _sentences(value: Any) -> list[str]:
    """Return the texts of a status report: Error Comments wherever they are, or the usual names of plain JSON."""
    if isinstance(value, list):
        return [text for item in value for text in _sentences(item)]
    if not isinstance(value, dict):
        return []
    found: list[str] = []
    for key, inner in value.items():
        if key == "00000902" and isinstance(inner, dict):
            found += [text for text in inner.get("Value", []) if isinstance(text, str)]
        elif key.lower() in ("message", "detail", "title", "error", "errormessage") and isinstance(inner, str):
            found.append(inner)
        elif isinstance(inner, dict | list):
            found += _sentences(inner)
    return found
