"""What can go wrong, as meaning; and the one table that says what each meaning is called at the edges.

Services raise these; only the edges (`http`, `dimse`, the store response) know numbers.
Look-up is by class, then by its bases.
"""

from __future__ import annotations

from dataclasses import dataclass


class ArchiveError(Exception):
    """The origin server could not do what was asked."""

    def __init__(
        self, message: str | None = None, *, details: tuple[str, ...] = (), warning: str | None = None
    ) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])
        self.details = details  # further sentences for the reader: what would be accepted, which items failed
        self.warning = warning  # the text that the standard wants in the Warning header of the answer

    @property
    def message(self) -> str:
        """The sentence a user reads: what was wrong, where, and what would be accepted."""
        return str(self.args[0])


class BadRequest(ArchiveError):
    """The request is malformed or holds an invalid value."""


class Unauthorized(ArchiveError):
    """The request needs valid credentials."""


class Forbidden(ArchiveError):
    """These credentials do not allow this request."""


class ResourceNotFound(ArchiveError):
    """There is no such resource."""


class ResourceGone(ArchiveError):
    """The resource existed and was deleted."""


class MethodNotAllowed(ArchiveError):
    """The resource does not have this method."""

    def __init__(self, message: str, *, allow: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allow = allow


class NoAcceptableRepresentation(ArchiveError):
    """None of the acceptable media types can be given for this resource."""


class Conflict(ArchiveError):
    """The request conflicts with what is stored."""


class LengthRequired(ArchiveError):
    """The request needs a Content-Length."""


class PreconditionFailed(ArchiveError):
    """A precondition of the request does not hold."""


class PayloadTooLarge(ArchiveError):
    """The payload is larger than a limit of this server."""


class UnsupportedMediaType(ArchiveError):
    """The payload has a media type that this resource does not take."""

    def __init__(
        self, message: str | None = None, *, details: tuple[str, ...] = (), codings: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, details=details)
        self.codings = codings  # content codings that would be taken, when it is the coding that is not


class RequestTimeout(ArchiveError):
    """The payload did not arrive in time."""


class UpgradeRequired(ArchiveError):
    """The resource speaks another protocol."""


class RangeNotSatisfiable(ArchiveError):
    """The requested range lies outside the resource."""

    def __init__(self, message: str, *, length: int) -> None:
        super().__init__(message)
        self.length = length


class NotSupported(ArchiveError):
    """This server does not offer the requested function."""


class OutOfResources(ArchiveError):
    """The server has no room or no capacity left for this; reading goes on."""


class StorageFull(OutOfResources):
    """The storage of the server is full; reading goes on."""


class Unavailable(ArchiveError):
    """The server can not do this at the moment; try again later."""


class InstanceError(ArchiveError):
    """One Instance of a Store request can not be stored (PS3.18 Table I.2-2); its neighbours can."""


class CannotUnderstand(InstanceError):
    """The bytes are not a DICOM data set that this server can read."""


class MissingIdentifier(InstanceError):
    """A UID that identifies the Instance is missing or invalid."""


class SopClassMismatch(InstanceError):
    """The data set does not match its SOP Class."""


class TransferSyntaxNotSupported(InstanceError):
    """The Transfer Syntax of the Instance is not one that this server knows."""


class DuplicateInstance(InstanceError):
    """A different Instance is stored under the same SOP Instance UID."""


class StudyMismatch(InstanceError):
    """The Instance belongs to another Study than the one that the request names."""


@dataclass(frozen=True, slots=True)
class Codes:
    """What one meaning is called at each edge."""

    http: int
    """Status of a whole request (PS3.18 Table 8.5-1)."""
    dimse: int
    """Status of a DIMSE response (PS3.7 Annex C, PS3.4)."""
    store: int
    """Failure Reason (0008,1197) of one Instance (PS3.18 Table I.2-2)."""


CODES: dict[type[BaseException], Codes] = {
    BadRequest: Codes(400, 0x0110, 0x0110),
    Unauthorized: Codes(401, 0x0124, 0x0124),
    Forbidden: Codes(403, 0x0124, 0x0124),
    ResourceNotFound: Codes(404, 0x0112, 0x0110),
    ResourceGone: Codes(410, 0x0112, 0x0110),
    MethodNotAllowed: Codes(405, 0x0211, 0x0110),
    NoAcceptableRepresentation: Codes(406, 0x0110, 0x0110),
    Conflict: Codes(409, 0x0110, 0x0110),
    RequestTimeout: Codes(408, 0x0110, 0x0110),
    LengthRequired: Codes(411, 0x0110, 0x0110),
    PreconditionFailed: Codes(412, 0x0110, 0x0110),
    PayloadTooLarge: Codes(413, 0xA700, 0xA700),
    UnsupportedMediaType: Codes(415, 0x0122, 0xC000),
    UpgradeRequired: Codes(426, 0x0110, 0x0110),
    RangeNotSatisfiable: Codes(416, 0x0110, 0x0110),
    NotSupported: Codes(501, 0x0122, 0x0122),
    OutOfResources: Codes(503, 0xA700, 0xA700),
    StorageFull: Codes(507, 0xA700, 0xA700),
    Unavailable: Codes(503, 0xA700, 0xA700),
    CannotUnderstand: Codes(409, 0xC000, 0xC000),
    MissingIdentifier: Codes(409, 0xA900, 0xA900),
    SopClassMismatch: Codes(409, 0xA900, 0xA900),
    TransferSyntaxNotSupported: Codes(409, 0xC122, 0xC122),
    DuplicateInstance: Codes(409, 0x0111, 0x0111),
    StudyMismatch: Codes(409, 0xA901, 0xA901),
    BaseException: Codes(500, 0x0110, 0x0110),
}


def codes(error: BaseException) -> Codes:
    """Return the codes of an error: those of its class, else of the nearest base in the table."""
    for cls in type(error).__mro__:
        if cls in CODES:
            return CODES[cls]
    return CODES[BaseException]
