"""Content negotiation: PS3.18 §8.7.5 to §8.7.8, RFC 9110 §12.5.1.

A service says what it can make of a resource as a sequence of offers, best first; `choose` finds the one that
the user agent likes most. Resources with several Instances take the same choice to each of them by `for_instance`:
media type and Transfer Syntax may differ from part to part, packaging may not (§8.7.8.1).

How an offer is weighed:

1. Of the ranges that it matches, the most specific one gives its q; q = 0 rules it out.
2. The highest q wins; then a range that names it over a wildcard; then the order of the offers. So ``*/*`` is
   the first offer: the default of the resource, as stored.
3. The ``accept`` query parameter goes before the header, wherever one of its media types can be had.
4. A conversion that loses something is made only for a user agent that names its Transfer Syntax. An archive
   (``application/zip``, an extension) is made only for one that names it.

Without ``transfer-syntax`` a media type that is named means its default syntax; in a wildcard any will do, and as
stored is then the best. ``application/octet-stream; transfer-syntax=*`` takes compressed frames as well: that is how
widespread viewers ask for them, and each part says what it really is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from skiagraph.errors import BadRequest, NoAcceptableRepresentation
from skiagraph.standard import media_types, transfer_syntaxes
from skiagraph.standard.media_types import DICOM, DICOM_JSON, DICOM_XML, JSON, OCTET_STREAM, RELATED, ZIP
from skiagraph.standard.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from skiagraph.values import is_uid
from skiagraph.wire.media_type import MediaRange, MediaType, parse, parse_ranges

Targets: TypeAlias = Callable[[str], Sequence[str]]
"""Transfer Syntaxes that data stored in the given one can be converted to, best first."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One representation that the server can make."""

    media_type: str
    """Name as registered, lower case."""
    multipart: bool = False
    """In multipart/related; else as a single part."""
    transfer_syntax_uid: str | None = None
    """None for media types that carry none: metadata, documents."""
    stored: bool = False
    """The bytes go out as they are stored."""

    @property
    def by_name_only(self) -> bool:
        """It may lose what is stored, so that neither a wildcard nor a default may mean it."""
        return not self.stored and media_types.may_be_lossy(self.transfer_syntax_uid or "")

    @property
    def content_type(self) -> str:
        """Content-Type of the part, or of the message when single part."""
        name = media_types.spelling(self.media_type)
        if self.transfer_syntax_uid is None:
            return name
        return f"{name}; transfer-syntax={self.transfer_syntax_uid}"

    def __str__(self) -> str:
        """As a user agent would ask for it in Accept."""
        if not self.multipart:
            return self.content_type
        text = f'{RELATED}; type="{media_types.spelling(self.media_type)}"'
        return text if self.transfer_syntax_uid is None else f"{text}; transfer-syntax={self.transfer_syntax_uid}"


@dataclass(frozen=True, slots=True)
class Choice:
    """What negotiation came to."""

    offer: Offer
    q: float
    ranges: tuple[MediaRange, ...]
    """What the user agent takes, for the choice within other Instances."""

    @property
    def content_type(self) -> str:
        return self.offer.content_type

    @property
    def multipart(self) -> bool:
        return self.offer.multipart


def convertible_natively(stored_uid: str) -> tuple[str, ...]:
    """Conversions that touch no pixel: every native syntax to Explicit VR Little Endian."""
    row = transfer_syntaxes.find(stored_uid)
    if row is None or row.encapsulated or row.referenced or stored_uid == EXPLICIT_VR_LITTLE_ENDIAN:
        return ()
    return (EXPLICIT_VR_LITTLE_ENDIAN,)


# --- what the resources offer -------------------------------------------------------------------------------------


def metadata_offers(*, single: bool) -> tuple[Offer, ...]:
    """Metadata and search results (Tables 10.4.4-1, 10.6.4); `single`: it is one data set by its nature."""
    return _METADATA_ONE if single else _METADATA


def record_offers() -> tuple[Offer, ...]:
    """Workitems, commitments and procedure steps, one or many (Tables 11.1.3-1, 13.1.3-1, §8.7.3.2)."""
    return _RECORDS


_METADATA = (Offer(DICOM_JSON), Offer(JSON), Offer(DICOM_XML, multipart=True))
_METADATA_ONE = (*_METADATA, Offer(DICOM_XML))
_RECORDS = (*_METADATA_ONE, Offer(DICOM_JSON, multipart=True))
_STORE_RESPONSE = (Offer(DICOM_JSON), Offer(JSON), Offer(DICOM_XML), Offer(DICOM_XML, multipart=True))


@lru_cache(maxsize=256)
def instance_offers(
    stored_uids: tuple[str, ...], convertible: Targets = convertible_natively, *, single: bool = False
) -> tuple[Offer, ...]:
    """Instance resources (Table 10.4.4-1), as ``application/dicom`` or as bulkdata; and the files in an archive.

    Parameters
    ----------
    stored_uids
        The different Transfer Syntaxes in which the Instances are stored.
    single
        The target is one Instance by its path; a Study with one Instance is none (§8.6.1).
    """
    offers = dict.fromkeys(
        Offer(DICOM, multipart, uid, uid == stored)
        for multipart in ((True, False) if single else (True,))
        for stored in stored_uids
        for uid in _dicom_syntaxes(stored, convertible)
    )
    for stored in stored_uids:
        offers |= dict.fromkeys(bulkdata_offers(stored, convertible, single=False))
        offers |= dict.fromkeys(Offer(ZIP, False, uid, uid == stored) for uid in _dicom_syntaxes(stored, convertible))
    return tuple(offers)


@lru_cache(maxsize=256)
def bulkdata_offers(
    stored_uid: str | None,
    convertible: Targets = convertible_natively,
    *,
    single: bool = False,
    mime_type: str | None = None,
) -> tuple[Offer, ...]:
    """Frames, pixel data and bulk data values of one Instance (Table 10.4.4-1).

    Parameters
    ----------
    stored_uid
        Transfer Syntax in which pixel data is stored; None for values that are never compressed.
    single
        The target is one frame or one value by its nature.
    mime_type
        MIME Type of Encapsulated Document (0042,0012), where the value is one.
    """
    forms: list[Offer] = []
    document = parse(mime_type) if mime_type is not None else None
    if document is not None and _is_document(document.name):
        forms.append(Offer(media_types.current_name(document.name), stored=True))
    if stored_uid is None or media_types.is_native(stored_uid):
        forms.append(Offer(OCTET_STREAM, False, EXPLICIT_VR_LITTLE_ENDIAN, True))
    else:
        forms.append(Offer(media_types.bulkdata_media_type(stored_uid), False, stored_uid, True))
    if stored_uid is not None:
        forms += (
            Offer(media_types.bulkdata_media_type(uid), False, uid)
            for uid in convertible(stored_uid)
            if all(form.transfer_syntax_uid != uid for form in forms) and uid not in media_types.NEVER_SENT
        )
    multipart = [Offer(form.media_type, True, form.transfer_syntax_uid, form.stored) for form in forms]
    return (*multipart, *forms) if single else tuple(multipart)


def _is_document(name: str) -> bool:
    """Whether to send a document under this name, which anybody may have written into the data set.

    Not as a page or script: a browser would run it as if it were part of this server.
    """
    return not (
        "*" in name
        or name.startswith("multipart/")
        or name.endswith(("javascript", "ecmascript"))
        or name in (DICOM, OCTET_STREAM, "text/html", "application/xhtml+xml", "image/svg+xml")
    )


def _dicom_syntaxes(stored_uid: str, convertible: Targets) -> list[str]:
    syntaxes = [] if stored_uid in media_types.NEVER_SENT else [stored_uid]
    return syntaxes + [uid for uid in convertible(stored_uid) if uid not in media_types.NEVER_SENT]


@lru_cache(maxsize=64)
def rendered_offers(names: tuple[str, ...], *, single: bool, multipart: bool = True) -> tuple[Offer, ...]:
    """Rendered resources (Table 10.4.4-1): single part first, as `*/*` and widespread viewers expect of one image.

    Parameters
    ----------
    names
        Best first.
    single, multipart
        Which packagings there are.
    """
    forms = ((False,) if single else ()) + ((True,) if multipart else ())
    return tuple(Offer(name, form) for form in forms for name in names)


# --- the choice ---------------------------------------------------------------------------------------------------


def choose(
    accept_header: str | None, accept_parameter: str | None, offers: tuple[Offer, ...], *, strict: bool = False
) -> Choice:
    """Choose the representation of a response (§8.7.8.1).

    Parameters
    ----------
    accept_header
        Several fields joined with commas; None or "" when the request has none.
    accept_parameter
        Value of the ``accept`` query parameter, several joined with commas.
    offers
        What can be made, best first; not empty.
    strict
        No header is an error (§8.7.5) instead of ``*/*``.

    Raises
    ------
    NoAcceptableRepresentation
        None of the offers is acceptable; the details are the offers as Accept would name them.
    BadRequest
        DICOM and rendered media types are mixed (§8.7.5), or the list is endless.
    """
    header = accept_header.strip() if accept_header is not None else ""
    if not header:
        if strict:
            raise NoAcceptableRepresentation(
                "The request needs an Accept header that names what is acceptable.", details=available(offers)
            )
        header = "*/*"
    parameter = accept_parameter or ""
    if len(header) + len(parameter) > _CACHED_LENGTH:
        return _choose(header, parameter, offers)
    return _choose_again(header, parameter, offers)


def _choose(header: str, parameter: str, offers: tuple[Offer, ...]) -> Choice:
    asked = [parse_ranges(parameter)] if parameter else []
    asked.append(parse_ranges(header))
    _refuse_mixture([entry for ranges in asked for entry in ranges], offers)
    for ranges in asked:
        choice = _best(ranges, offers)
        if choice is not None:
            return choice
    raise NoAcceptableRepresentation(
        "None of the acceptable media types can be given for this resource.", details=available(offers)
    )


_CACHED_LENGTH = 1000  # characters: those that write endless lists shall not fill the memory
_choose_again = lru_cache(maxsize=1024)(_choose)


def for_instance(choice: Choice, offers: Sequence[Offer]) -> Offer | None:
    """Take a choice that was made for many Instances to one of them; None when nothing of it is acceptable.

    Packaging, and whether Instances, an archive of them, or their bulkdata are sent, stay as chosen.
    """
    alike = tuple(
        offer for offer in offers if offer.multipart == choice.offer.multipart and _form(offer) == _form(choice.offer)
    )
    best = _best(choice.ranges, alike)
    return None if best is None else best.offer


def _form(offer: Offer) -> str | None:
    return offer.media_type if offer.media_type in (DICOM, ZIP) else None


def select_transfer_syntax(choice: Choice, stored_uid: str, convertible: Targets = convertible_natively) -> str | None:
    """Transfer Syntax in which one Instance is sent as ``application/dicom`` (§8.7.8.2); None: not acceptable."""
    if choice.offer.transfer_syntax_uid == stored_uid and choice.offer.stored:
        return stored_uid
    offer = for_instance(choice, instance_offers((stored_uid,), convertible, single=not choice.offer.multipart))
    return None if offer is None else offer.transfer_syntax_uid


def choose_store_response(accept_header: str | None, accept_parameter: str | None, *, strict: bool = False) -> Choice:
    """Choose the form of a Store response: JSON or XML, one data set (§10.5.4)."""
    return choose(accept_header, accept_parameter, _STORE_RESPONSE, strict=strict)


def refuse_dicom(accept_header: str | None, accept_parameter: str | None) -> None:
    """Raise BadRequest when a request for a rendered resource names DICOM media types beside rendered ones (§8.7.5)."""
    for text in (accept_parameter, accept_header):
        if text is None or "dicom" not in text.lower():
            continue
        names = {_inner_name(entry.media_type) for entry in parse_ranges(text) if entry.q > 0}
        if "*/*" not in names and names & _DICOM_NAMES and names & _RENDERED_NAMES:
            raise BadRequest("DICOM media types and rendered ones can not be asked for in one request.")


_DICOM_NAMES = frozenset({DICOM, DICOM_JSON, DICOM_XML})
_RENDERED_NAMES = frozenset(row.media_type for row in media_types.RENDERED)


def available(offers: Iterable[Offer]) -> tuple[str, ...]:
    """What a refusal lists: each offer as Accept would name it."""
    return tuple(dict.fromkeys(map(str, offers)))


# --- matching -----------------------------------------------------------------------------------------------------

_EXPLICIT, _WILDCARD, _EXEMPT = 2, 1, 0


def _best(ranges: tuple[MediaRange, ...], offers: Sequence[Offer]) -> Choice | None:
    # A user agent that names text/html is an address bar: it can do nothing with multipart
    browser = any(entry.media_type.name == "text/html" for entry in ranges)
    best: Choice | None = None
    best_rank: tuple[float, int, bool] = (0.0, 0, False)
    for offer in offers:
        specificity, q, quality = -1, 0.0, _WILDCARD
        for entry in ranges:
            match = _match(entry.media_type, offer)
            if match is not None and (match[0], entry.q) > (specificity, q):
                specificity, q, quality = match[0], entry.q, match[1]
        if q == 0.0:
            continue
        rank = (q, quality, browser and not offer.multipart)
        if best is None or rank > best_rank:
            best, best_rank = Choice(offer, q, ranges), rank
    return best


def _match(wanted: MediaType, offer: Offer) -> tuple[int, int] | None:
    """How specifically and how expressly a range covers an offer; None when it does not."""
    if offer.by_name_only and wanted.parameters.get("transfer-syntax", "").strip() != offer.transfer_syntax_uid:
        return None
    if offer.media_type == ZIP and (
        wanted.name != ZIP or wanted.parameters.get("type", DICOM).strip().lower() != DICOM
    ):
        return None  # an extension: only those get it who ask for it
    if wanted.name == "*/*":
        return 0, _WILDCARD
    name = wanted.name
    if offer.multipart:
        if name == "multipart/*":
            return 1, _WILDCARD
        if name != RELATED:
            return None
        # The type is required, but some viewers leave it out
        name = wanted.parameters.get("type", "*/*").strip().lower()
    name = media_types.current_name(name)
    syntax = _syntax(wanted)
    if name == "*/*":
        return _wildcard(2, syntax, offer)
    if name.endswith("/*"):
        return _wildcard(3, syntax, offer) if offer.media_type.startswith(name[:-1]) else None
    if name != offer.media_type:
        if name != OCTET_STREAM or offer.media_type not in media_types.COMPRESSED:
            return None
        # Compressed frames under the name of uncompressed ones
        if syntax is None:
            lossy_only = offer.stored and media_types.may_be_lossy(offer.transfer_syntax_uid or "")
            return (4, _EXEMPT) if lossy_only else None
        return (4, _EXPLICIT) if syntax in ("*", offer.transfer_syntax_uid) else None
    uid = offer.transfer_syntax_uid
    if uid is None:
        return 5, _EXPLICIT
    if syntax is not None:
        if syntax == "*":
            return 6, _EXPLICIT
        return (7, _EXPLICIT) if syntax == uid else None
    if uid == media_types.default_transfer_syntax(name):
        return 5, _EXPLICIT
    if offer.stored and media_types.may_be_lossy(uid):  # §8.7.3.4: the server has it only so
        return 5, _EXPLICIT
    # Another syntax of the same compressed media type, said so in the part, is better than nothing
    return (5, _EXEMPT) if name in media_types.COMPRESSED else None


def _wildcard(specificity: int, syntax: str | None, offer: Offer) -> tuple[int, int] | None:
    if syntax in (None, "*", offer.transfer_syntax_uid):
        return specificity, _WILDCARD
    return None


def _syntax(wanted: MediaType) -> str | None:
    """The transfer-syntax parameter; one that is neither a UID nor ``*`` is ignored (§8.7.7)."""
    syntax = wanted.parameters.get("transfer-syntax", "").strip()
    return syntax if syntax == "*" or is_uid(syntax) else None


def _refuse_mixture(ranges: Sequence[MediaRange], offers: Sequence[Offer]) -> None:
    """Raise BadRequest when DICOM and rendered media types are asked for at once (§8.3.3.1, §8.7.5).

    With ``*/*`` among them anything will do, so that nothing contradicts: browsers and HTTP libraries send such lists.
    """
    names = {_inner_name(entry.media_type) for entry in ranges if entry.q > 0}
    if "*/*" in names:
        return
    rendered = (names & media_types.RENDERED_ONLY) - {offer.media_type for offer in offers}
    dicom = names & {DICOM, DICOM_JSON, DICOM_XML}
    if rendered and dicom:
        raise BadRequest(
            f"DICOM media types ({', '.join(sorted(dicom))}) and rendered ones ({', '.join(sorted(rendered))})"
            " can not be asked for in one request."
        )


def _inner_name(media_type: MediaType) -> str:
    if media_type.name == RELATED:
        return media_type.parameters.get("type", "multipart/*").strip().lower()
    return media_type.name
