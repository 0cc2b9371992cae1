"""A worker on a UPS-RS worklist: hear of Workitems, claim them, do them, finish them — PS3.18 chapter 11.

    with Worklist("http://127.0.0.1:8080/dicom-web", "NODULES") as worklist:
        worklist.subscribe({"ScheduledWorkitemCodeSequence.CodeValue": "NODULES"})
        for uid in worklist.ready():
            with worklist.claim(uid) as step:
                ...
                step.complete(station=Code("GPU1", "99LAB", "The machine"))

Needs nothing of the server but what the standard says; where it is skiagraph, no report is lost while the worker is
away, and none is sent twice that it is done with.
"""

from __future__ import annotations

import datetime
import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from skiagraph.standard import dictionary
from skiagraph.standard.procedure_step import State
from skiagraph.standard.workitem import (
    CANCELLATION_REASON,
    DISCONTINUATION_CODE,
    FILTERED_SUBSCRIPTION,
    GLOBAL_SUBSCRIPTION,
    PERFORMED,
    PROGRESS_INFORMATION,
    READINESS,
    STATE,
    TRANSACTION_UID,
    item,
    value,
)
from skiagraph.values import Attributes

_JSON = "application/dicom+json"
_SLOWEST = 30.0
"""Seconds between two attempts to reach the server, at most."""
_STATE_REPORT = "1"
_EVENT_TYPE, _MESSAGE_ID, _AFFECTED_UID, _RESPONDED_TO = "00001002", "00000110", "00001000", "00000120"
_INPUT, _OUTPUT, _TYPE_OF_INSTANCES = "00404021", "00404033", "0040E020"
_WADO_RS, _RETRIEVE_URL = "0040E025", "00081190"
_STUDY, _SERIES, _REFERENCED = "0020000D", "0020000E", "00081199"
_SCHEDULED_CODE = "00404018"
_CLASS, _INSTANCE = "00081150", "00081155"
_MORE = "additional results"
"""What a server says that gives less than there is (PS3.18 §8.3.4.4)."""
_TEXT_VALUE = "0040A160"
_TEMPORARY = (408, 425, 429)
_CREDENTIALS = ("authorization", "cookie")
_BROKEN = (httpx.ReadError, httpx.WriteError, httpx.ReadTimeout, httpx.RemoteProtocolError)
"""A connection that breaks while an answer is awaited."""


class WorklistError(Exception):
    """The server refused; the message is what it said."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        """Return what a response says: in its Warning, and in its status report, if that is JSON."""
        warning = response.headers.get("warning", "").partition(": ")[2]
        return cls(response.status_code, " ".join(filter(None, (warning, _said(response.text)))))


class AlreadyClaimed(WorklistError):
    """Somebody else was faster, or the Workitem is finished or gone."""


@dataclass(frozen=True, slots=True)
class Code:
    """A coded term (PS3.3 Table 8.8-1)."""

    value: str
    scheme: str
    meaning: str

    @property
    def attributes(self) -> Attributes:
        return _of({"CodeValue": self.value, "CodingSchemeDesignator": self.scheme, "CodeMeaning": self.meaning})


@dataclass(frozen=True, slots=True)
class Reference:
    """An Instance, or a whole Series or Study, that is input or output of a step."""

    study_instance_uid: str
    series_instance_uid: str | None = None
    sop_instance_uid: str | None = None
    sop_class_uid: str | None = None
    retrieve_url: str | None = None
    """Where WADO-RS gives it."""

    @property
    def path(self) -> str:
        """Its path below the Base URI of a DICOMweb server."""
        parts = ["studies", self.study_instance_uid]
        if self.series_instance_uid:
            parts += ["series", self.series_instance_uid]
            if self.sop_instance_uid:
                parts += ["instances", self.sop_instance_uid]
        return "/".join(parts)


class Worklist:
    """The worklist of a server, for one AE title.

    Parameters
    ----------
    url
        Base URI of the DICOMweb services.
    ae_title
        Under which event reports are queued for this worker; 1 to 16 characters.
    client
        An HTTP client with credentials and the like; without one, a plain one is made.
    """

    def __init__(self, url: str, ae_title: str, *, client: httpx.Client | None = None) -> None:
        self.url = url.rstrip("/")
        self.ae_title = ae_title
        self.http = client or httpx.Client(timeout=60)
        self._name = quote(ae_title, safe="")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    # What there is

    def search(self, keys: Mapping[str, str] | None = None) -> list[Attributes]:
        """Return the Workitems that match, earliest start first; keys are keywords, paths into Sequences with dots."""
        wanted = dict(keys or {})
        found: list[Attributes] = []
        while True:
            response = self._send("GET", "workitems", params=wanted)
            page = _data_sets(response)
            found += page
            if not page or "limit" in wanted or _MORE not in response.headers.get("warning", ""):
                return found
            wanted["offset"] = str(int(wanted.get("offset", 0)) + len(page))

    def retrieve(self, uid: str) -> Attributes:
        """Return a Workitem."""
        response = self._send("GET", f"workitems/{uid}")
        found = _data_sets(response)
        if len(found) != 1:
            raise WorklistError(response.status_code, f"The answer has {len(found)} data sets in place of one.")
        return found[0]

    def create(self, attributes: Attributes, uid: str | None = None) -> str:
        """Create a Workitem; return its UID."""
        uid = uid or f"2.25.{uuid.uuid4().int}"
        self._send("POST", "workitems", again=False, params={"workitem": uid}, json=[attributes])
        return uid

    # What happens

    def subscribe(self, keys: Mapping[str, str] | None = None, *, workitem: str | None = None) -> None:
        """Subscribe to one Workitem, to those that match, or to all, there and to come."""
        uid = workitem or (FILTERED_SUBSCRIPTION if keys else GLOBAL_SUBSCRIPTION)
        self._send("POST", f"workitems/{uid}/subscribers/{self._name}", params=dict(keys or {}))

    def unsubscribe(self, *, workitem: str | None = None) -> None:
        """End the subscription to one Workitem, or all there are."""
        self._send("DELETE", f"workitems/{workitem or GLOBAL_SUBSCRIPTION}/subscribers/{self._name}")

    def reports(self) -> Iterator[Attributes]:
        """Yield event reports, oldest first, for ever; one is acknowledged when the next is asked for.

        The connection is opened again, ever more slowly, when it breaks. What was yielded last then comes once more.

        Raises
        ------
        WorklistError
            The server refuses the connection, so that trying again would not help.
        """
        from websockets.exceptions import InvalidStatus, WebSocketException
        from websockets.sync.client import connect

        address = f"ws{self.url.removeprefix('http')}/ws/subscribers/{self._name}?acknowledge=true"
        pause = 0.0
        while True:
            credentials = {name: self.http.headers[name] for name in _CREDENTIALS if name in self.http.headers}
            try:
                with connect(address, additional_headers=credentials) as socket:
                    pause = 0.0
                    for text in socket:
                        report = _report(text)
                        if not report:
                            continue
                        yield report
                        if _MESSAGE_ID in report:
                            socket.send(json.dumps({_RESPONDED_TO: report[_MESSAGE_ID]}))
            except InvalidStatus as error:
                answer = error.response
                if 400 <= answer.status_code < 500 and answer.status_code not in _TEMPORARY:
                    text = (answer.body or b"").decode("utf-8", "replace")
                    raise WorklistError(answer.status_code, _said(text) or answer.reason_phrase) from error
            except (WebSocketException, OSError):
                pass
            pause = min(_SLOWEST, pause * 2 + 0.1)
            time.sleep(pause)

    def ready(self, keys: Mapping[str, str] | None = None) -> Iterator[str]:
        """Yield the UIDs of Workitems that wait for a performer: those that are there, then those reported.

        All of them match the keys, whatever else this worker is subscribed to. One may be claimed by somebody else in
        the meantime.
        """
        waiting = {**(keys or {}), "ProcedureStepState": State.SCHEDULED, "InputReadinessState": "READY"}
        for found in self.search(waiting):
            yield str(value(found, "00080018"))
        for report in self.reports():
            if (value(report, _EVENT_TYPE), value(report, STATE), value(report, READINESS)) == (
                _STATE_REPORT,
                State.SCHEDULED,
                "READY",
            ):
                uid = str(value(report, _AFFECTED_UID))
                if self.search({**waiting, "SOPInstanceUID": uid}):
                    yield uid

    # What one does

    def take(self, uid: str) -> Step:
        """Claim a Workitem.

        Raises
        ------
        AlreadyClaimed
            Somebody else was faster, or it is finished.
        """
        lock = f"2.25.{uuid.uuid4().int}"
        path, change = f"workitems/{uid}/state/{self._name}", [_change(State.IN_PROGRESS, lock)]
        try:
            response = self._try("PUT", path, again=False, json=change)
        except _BROKEN:
            # Nobody knows whether the claim arrived. Nobody else has this lock: who may update with it holds the step.
            response = self._try("PUT", path, json=change)
            if not response.is_success and self._holds(uid, lock):
                return Step(self, uid, lock)
        if response.status_code in (400, 404, 409, 410):
            raise AlreadyClaimed.of(response)
        if not response.is_success:
            raise WorklistError.of(response)
        return Step(self, uid, lock)

    @contextmanager
    def claim(self, uid: str) -> Iterator[Step]:
        """Claim a Workitem for a block of code; it is canceled when the block fails or does not finish it.

        Raises
        ------
        AlreadyClaimed
            Somebody else was faster, or it is finished.
        """
        step = self.take(uid)
        try:
            yield step
        except BaseException as error:
            if not step.finished:
                with suppress(WorklistError, httpx.TransportError):  # what went wrong first is worth more
                    step.cancel(f"The worker failed ({type(error).__name__}).")
            raise
        if not step.finished:
            step.cancel("The worker did not finish the step.")

    def request_cancellation(self, uid: str, reason: str = "") -> None:
        """Ask whoever performs a Workitem to cancel it; one that nobody has claimed is canceled."""
        said = {CANCELLATION_REASON: {"vr": "LT", "Value": [reason]}} if reason else {}
        self._send("POST", f"workitems/{uid}/cancelrequest/{self._name}", json=[said])

    def _holds(self, uid: str, lock: str) -> bool:
        """Whether a Workitem was claimed with a lock: an update of nothing tells."""
        return self._try("POST", f"workitems/{uid}", **_update({}, lock)).is_success

    def _try(self, method: str, path: str, *, again: bool = True, **more: Any) -> httpx.Response:
        """Send a request; `again`: once more where the connection breaks, as that changes nothing twice."""
        headers = {"accept": _JSON} | ({"content-type": _JSON} if "json" in more else {})
        try:
            return self.http.request(method, f"{self.url}/{path}", headers=headers, **more)
        except _BROKEN:
            if not again:
                raise
        return self.http.request(method, f"{self.url}/{path}", headers=headers, **more)

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        response = self._try(method, path, **more)
        if not response.is_success:
            raise WorklistError.of(response)
        return response


class Step:
    """A Workitem that this worker has claimed."""

    def __init__(self, worklist: Worklist, uid: str, lock: str) -> None:
        self.uid = uid
        self.lock = lock
        """The Transaction UID: whoever has it may finish the step, so it is worth keeping over a restart."""
        self.finished = False
        self._worklist = worklist
        self._started = _now()
        self._attributes: Attributes | None = None

    @property
    def attributes(self) -> Attributes:
        """The Workitem as it was when it was looked at first."""
        if self._attributes is None:
            self._attributes = self._worklist.retrieve(self.uid)
        return self._attributes

    @property
    def inputs(self) -> list[Reference]:
        """What Input Information Sequence names."""
        found = []
        for one in self.attributes.get(_INPUT, {}).get("Value") or ():
            url = value(item(one, _WADO_RS), _RETRIEVE_URL)
            study, series = value(one, _STUDY) or "", value(one, _SERIES)
            instances: Sequence[Attributes] = one.get(_REFERENCED, {}).get("Value") or ({},)
            found += [Reference(study, series, value(of, _INSTANCE), value(of, _CLASS), url) for of in instances]
        return found

    def progress(self, percent: float, description: str = "") -> None:
        """Say how far the step is."""
        told = _of({"ProcedureStepProgress": percent, "ProcedureStepProgressDescription": description or None})
        self._update({PROGRESS_INFORMATION: {"vr": "SQ", "Value": [told]}})

    def complete(
        self, *, station: Code, performed: Code | None = None, outputs: Sequence[Reference] = (), description: str = ""
    ) -> None:
        """Finish the step.

        Parameters
        ----------
        station
            Where it was performed.
        performed
            What was performed; that what was scheduled when it is not named.
        outputs
            What was made, and where it is.

        Raises
        ------
        ValueError
            Neither the caller nor the Workitem says what was performed.
        """
        code = performed.attributes if performed else item(self.attributes, _SCHEDULED_CODE)
        if not code:
            raise ValueError("The Workitem has no Scheduled Workitem Code Sequence: name what was performed.")
        result = _of(
            {
                "PerformedProcedureStepStartDateTime": self._started,
                "PerformedProcedureStepEndDateTime": _now(),
                "PerformedProcedureStepDescription": description or None,
            }
        ) | {
            "00404028": {"vr": "SQ", "Value": [station.attributes]},
            "00404019": {"vr": "SQ", "Value": [code]},
            _OUTPUT: {"vr": "SQ", "Value": [_output(one) for one in outputs]} if outputs else {"vr": "SQ"},
        }
        self._update({PERFORMED: {"vr": "SQ", "Value": [dict(sorted(result.items()))]}})
        self._finish(State.COMPLETED)

    def cancel(self, reason: str = "", code: Code | None = None) -> None:
        """Give the step up."""
        said: Attributes = {CANCELLATION_REASON: {"vr": "LT", "Value": [reason]}} if reason else {}
        if code is not None:
            said[DISCONTINUATION_CODE] = {"vr": "SQ", "Value": [code.attributes]}
        if said:
            self._update({PROGRESS_INFORMATION: {"vr": "SQ", "Value": [said]}})
        self._finish(State.CANCELED)

    def _update(self, attributes: Attributes) -> None:
        self._worklist._send("POST", f"workitems/{self.uid}", **_update(attributes, self.lock))

    def _finish(self, state: State) -> None:
        path = f"workitems/{self.uid}/state/{self._worklist._name}"
        self._worklist._send("PUT", path, json=[_change(state, self.lock)])
        self.finished = True


def _update(attributes: Attributes, lock: str) -> dict[str, Any]:
    """The lock stands where every edition of the standard looks for it."""
    locked = {TRANSACTION_UID: {"vr": "UI", "Value": [lock]}} | attributes
    return {"params": {"transaction-uid": lock}, "json": [locked]}


def _data_sets(response: httpx.Response) -> list[Attributes]:
    """Return what a response holds. Raises WorklistError where that is something else."""
    try:
        found = response.json() if response.content.strip() else []
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise WorklistError(response.status_code, "The answer is no DICOM JSON. Is the URL a Base URI of DICOMweb?")
    return found


def _report(text: str | bytes) -> Attributes:
    """Return an event report; what is none is empty, such as a heartbeat."""
    try:
        report = json.loads(text)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _said(text: str) -> str:
    """Return what a status report says, as DICOM JSON or by RFC 9457; of other text its beginning."""
    try:
        report = json.loads(text)
        report = report[0] if isinstance(report, list) else report
        if _TEXT_VALUE in report:
            lines = str(value(report, _TEXT_VALUE)).split("\n")
            kept = lines[lines[0][:3].isdigit() : len(lines) - lines[-1].startswith("Request ")]
            return "\n".join(kept)[:2000]
        return " ".join(map(str, [report["detail"], *report.get("details", ())]))[:2000]
    except (ValueError, TypeError, LookupError, AttributeError):
        return text.strip()[:500]


def _change(state: State, lock: str) -> Attributes:
    return {STATE: {"vr": "CS", "Value": [str(state)]}, TRANSACTION_UID: {"vr": "UI", "Value": [lock]}}


def _output(reference: Reference) -> Attributes:
    found = _of(
        {
            "TypeOfInstances": "DICOM",
            "StudyInstanceUID": reference.study_instance_uid,
            "SeriesInstanceUID": reference.series_instance_uid,
        }
    )
    if reference.sop_instance_uid:
        named = {
            "ReferencedSOPClassUID": reference.sop_class_uid,
            "ReferencedSOPInstanceUID": reference.sop_instance_uid,
        }
        found[_REFERENCED] = {"vr": "SQ", "Value": [_of(named)]}
    if reference.retrieve_url:
        found[_WADO_RS] = {"vr": "SQ", "Value": [_of({"RetrieveURL": reference.retrieve_url})]}
    return found


def _of(named: Mapping[str, Any]) -> Attributes:
    """Return a data set of keywords with one value each; those without are left out."""
    found: Attributes = {}
    for keyword, one in named.items():
        tag = dictionary.tag_of(keyword)
        if one is not None and tag is not None:
            found[f"{tag:08X}"] = {"vr": (dictionary.vr_of(tag) or "UN")[:2], "Value": [one]}
    return found


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y%m%d%H%M%S+0000")
