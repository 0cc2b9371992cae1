"""Work on commitment requests: what is committed was read back; what was begun is brought to its end, by one."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import archives
from archives import Given
from dicom_files import ct, part10, uid
from skiagraph.blobs.base import Opened
from skiagraph.errors import Conflict, ResourceGone, Unavailable
from skiagraph.index.base import Record, StoredInstance
from skiagraph.services import committing
from skiagraph.services.committing import ATTEMPTS, CLAIM, DONE, REASONS, WORKER, Committing, release
from skiagraph.standard.commitment import COMMITMENT_REQUEST, Reason
from skiagraph.values import Attributes, ResourcePath

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with archives.opened(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def stored(given: Given) -> list[StoredInstance]:
    return given.store(*(part10(ct()) for _ in range(3)))


def ui(value: str) -> dict[str, Any]:
    return {"vr": "UI", "Value": [value]}


def flat(*instances: StoredInstance | str, sop_class_uid: str = CT) -> Attributes:
    """A request for Instances that are stored, or for a UID that is not."""
    uids = [one if isinstance(one, str) else one.path.sop_instance_uid or "" for one in instances]
    return {"00081199": {"vr": "SQ", "Value": [{"00081150": ui(sop_class_uid), "00081155": ui(uid)} for uid in uids]}}


def tree(path: ResourcePath) -> Attributes:
    instance = {"00081155": ui(path.sop_instance_uid or "")}
    by_class = {"0008114A": {"vr": "SQ", "Value": [instance]}, "00081150": ui(CT)}
    series = {"00081112": {"vr": "SQ", "Value": [by_class]}, "0020000E": ui(path.series_instance_uid or "")}
    return {
        "00081110": {
            "vr": "SQ",
            "Value": [{"00081115": {"vr": "SQ", "Value": [series]}, "0020000D": ui(path.study_instance_uid)}],
        }
    }


def new(attributes: Attributes, **private: Any) -> Record:
    return Record(COMMITMENT_REQUEST, uid(), attributes, {REASONS: [], DONE: False, ATTEMPTS: 1, WORKER: ""} | private)


async def put(given: Given, record: Record) -> Record:
    return await given.archive.journal.write(lambda books: books.put(record))


async def begin(given: Given, attributes: Attributes, process: Committing | None = None, **private: Any) -> Record:
    """Keep a request as one on which a process works."""
    process = process or given.archive.committing
    return await put(given, process.claimed(new(attributes, **private), time.time()))


def reasons(given: Given, attributes: Attributes, **private: Any) -> list[int]:
    """Work on a request to its end."""

    async def work() -> list[int]:
        record = await begin(given, attributes, **private)
        done = await given.archive.committing.start(given.archive, record)
        assert done is not None
        assert done.private[DONE]
        assert done == await given.archive.index.record(COMMITMENT_REQUEST, record.uid)
        assert done.due_at == pytest.approx(time.time() + 30 * 86_400, abs=60)
        return list(done.private[REASONS])

    return asyncio.run(work())


def blob(given: Given, instance: StoredInstance) -> Path:
    return Path(given.archive.blobs.path(instance.key))  # type: ignore[attr-defined]


def is_held(given: Given, instance: StoredInstance) -> bool:
    """Whether an Instance is kept from being deleted."""
    try:
        given.archive.index.delete(instance.path, keep_committed=3600)
    except Conflict:
        return True
    return False


def test_what_is_sound_is_committed_and_held(given: Given, stored: list[StoredInstance]) -> None:
    assert reasons(given, flat(*stored[:2])) == [0, 0]
    assert [is_held(given, one) for one in stored] == [True, True, False]


def test_an_instance_that_is_not_here(given: Given, stored: list[StoredInstance]) -> None:
    assert reasons(given, flat("1.2.3", stored[0])) == [Reason.NO_SUCH_INSTANCE, 0]


def test_an_instance_that_was_deleted(given: Given, stored: list[StoredInstance]) -> None:
    given.archive.blobs.delete(given.archive.index.delete(stored[0].path))
    assert reasons(given, flat(*stored)) == [274, 0, 0]


def test_an_instance_of_another_class(given: Given, stored: list[StoredInstance]) -> None:
    assert reasons(given, flat(stored[0], sop_class_uid=MR)) == [281]
    assert not is_held(given, stored[0])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda path: path, 0),
        (lambda path: ResourcePath("1.1", path.series_instance_uid, path.sop_instance_uid), 274),
        (lambda path: ResourcePath(path.study_instance_uid, "1.1", path.sop_instance_uid), 274),
    ],
    ids=["right", "another Study", "another Series"],
)
def test_a_tree_names_the_right_place(
    given: Given, stored: list[StoredInstance], change: Callable[[ResourcePath], ResourcePath], expected: int
) -> None:
    assert reasons(given, tree(change(stored[0].path))) == [expected]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: bytes([1]) + data[1:],
        lambda data: data[:-2],
        lambda data: data + b"\0\0",
        lambda data: b"",
    ],
    ids=["data set", "preamble", "shorter", "longer", "empty"],
)
def test_bytes_that_are_not_those_received(
    given: Given, stored: list[StoredInstance], change: Callable[[bytes], bytes]
) -> None:
    path = blob(given, stored[1])
    path.write_bytes(change(path.read_bytes()))
    assert reasons(given, flat(*stored)) == [0, Reason.PROCESSING_FAILURE, 0]
    assert [is_held(given, one) for one in stored] == [True, False, True]


def test_a_blob_that_is_gone(given: Given, stored: list[StoredInstance]) -> None:
    blob(given, stored[0]).unlink()
    assert reasons(given, flat(*stored)) == [Reason.NO_SUCH_INSTANCE, 0, 0]


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.EIO, 272), (errno.EMFILE, 531), (errno.ENOMEM, 531)],
    ids=["EIO", "EMFILE", "ENOMEM"],
)
@pytest.mark.parametrize("at", ["open", "read"])
def test_a_disk_that_fails(
    given: Given, stored: list[StoredInstance], monkeypatch: pytest.MonkeyPatch, number: int, expected: int, at: str
) -> None:
    blobs = given.archive.blobs

    class Failing:
        size = stored[0].size

        def read_at(self, offset: int, length: int) -> bytes:
            raise OSError(number, "no")

        def close(self) -> None:
            pass

    def fail(_: str) -> Opened:
        if at == "open":
            raise OSError(number, "no")
        return Failing()

    with monkeypatch.context() as patch:
        patch.setattr(blobs, "open", fail)
        assert reasons(given, flat(stored[0])) == [expected]


def test_what_is_replaced_while_it_is_read_is_looked_at_again(
    given: Given, stored: list[StoredInstance], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second look finds what took its place, and vouches for that."""
    index, process = given.archive.index, given.archive.committing
    data = ct(
        SOPInstanceUID=stored[0].path.sop_instance_uid,
        StudyInstanceUID=stored[0].path.study_instance_uid,
        SeriesInstanceUID=stored[0].path.series_instance_uid,
        PatientID="other",
    )
    read_back = process.read_back

    def meanwhile(blobs: Any, instance: StoredInstance) -> int:
        result = read_back(blobs, instance)
        if instance == stored[0]:
            given.archive.blobs.delete(index.delete(instance.path))
            given.store(part10(data))
        return result

    monkeypatch.setattr(process, "read_back", meanwhile)
    assert reasons(given, flat(*stored)) == [0, 0, 0]
    assert is_held(given, stored[0])


def test_what_comes_while_others_are_read_is_committed(
    given: Given, stored: list[StoredInstance], monkeypatch: pytest.MonkeyPatch
) -> None:
    process, late = given.archive.committing, ct()
    read_back = process.read_back

    def meanwhile(blobs: Any, instance: StoredInstance) -> int:
        if instance == stored[0]:
            given.store(part10(late))
        return read_back(blobs, instance)

    monkeypatch.setattr(process, "read_back", meanwhile)
    assert reasons(given, flat(late.SOPInstanceUID, *stored)) == [0, 0, 0, 0]


def test_progress_is_not_repeated(given: Given, stored: list[StoredInstance], monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[StoredInstance] = []
    read_back = given.archive.committing.read_back

    def counted(blobs: Any, instance: StoredInstance) -> int:
        read.append(instance)
        return read_back(blobs, instance)

    monkeypatch.setattr(given.archive.committing, "read_back", counted)
    assert reasons(given, flat(*stored), **{REASONS: [0, 272]}) == [0, 272, 0]
    assert read == [stored[2]]


def test_many_are_read_in_groups(given: Given, stored: list[StoredInstance]) -> None:
    asked = [uid() if number % 3 else stored[number % 2] for number in range(300)]
    expected = [0 if isinstance(one, StoredInstance) else 274 for one in asked if isinstance(one, str)]
    assert reasons(given, flat(*asked)) == [0, *expected[:2], 0, *expected[2:]]


# After a crash -----------------------------------------------------------------------------------------------------


def result(given: Given, uid: str) -> Record:
    return asyncio.run(given.archive.index.record(COMMITMENT_REQUEST, uid))


def take_up(given: Given, process: Committing) -> int:
    """Have a process look for what nobody works on, and wait until it is done; return how many it took up."""

    async def look() -> int:
        await process.look(given.archive)
        tasks = list(process._tasks.values())
        await asyncio.gather(*tasks)
        return len(tasks)

    return asyncio.run(look())


def test_what_another_process_works_on_is_left_to_it(given: Given, stored: list[StoredInstance]) -> None:
    record = asyncio.run(begin(given, flat(*stored), Committing()))
    assert take_up(given, given.archive.committing) == 0
    assert not result(given, record.uid).private[DONE]


def test_a_new_server_takes_up_what_the_old_one_left(given: Given, stored: list[StoredInstance]) -> None:
    record = asyncio.run(begin(given, flat(*stored), Committing(), **{REASONS: [0]}))
    given.archive.index.together([release])
    given.archive.index.together([release])  # once is enough
    assert result(given, record.uid).version == record.version + 1
    assert take_up(given, given.archive.committing) == 1
    done = result(given, record.uid)
    assert (done.private[DONE], done.private[REASONS], done.private[ATTEMPTS]) == (True, [0, 0, 0], 2)
    given.archive.index.together([release])
    assert result(given, record.uid) == done


def test_a_claim_ends(given: Given, stored: list[StoredInstance], monkeypatch: pytest.MonkeyPatch) -> None:
    record = asyncio.run(put(given, Committing().claimed(new(flat(*stored)), time.time() - CLAIM - 1)))
    assert take_up(given, given.archive.committing) == 1
    assert result(given, record.uid).private[DONE]


def test_one_of_several_processes_takes_it_up(given: Given, stored: list[StoredInstance]) -> None:
    asyncio.run(put(given, new(flat(*stored))))

    async def look() -> int:
        due = [asyncio.ensure_future(process.look(given.archive)) for process in processes]
        await asyncio.gather(*due)
        tasks = [task for process in processes for task in process._tasks.values()]
        await asyncio.gather(*tasks)
        return len(tasks)

    processes = [Committing() for _ in range(4)]
    given.archive.index.together([lambda books: [books.put(_due(one)) for one in books.each(COMMITMENT_REQUEST)]])
    assert asyncio.run(look()) == 1


def _due(record: Record) -> Record:
    return replace(record, due_at=0.0)


def test_who_loses_a_request_leaves_it(given: Given, stored: list[StoredInstance]) -> None:
    """A process that was halted for long finds that its request has another owner, and changes nothing."""

    async def lose() -> None:
        late, other = Committing(), Committing()
        record = await begin(given, flat(*stored), late)
        theirs = await put(given, other.claimed(record, time.time()))
        assert await late.start(given.archive, record) is None
        assert await given.archive.index.record(COMMITMENT_REQUEST, record.uid) == theirs

    asyncio.run(lose())


def test_what_waits_looks_again_whether_it_is_its_own(given: Given, stored: list[StoredInstance]) -> None:
    async def wait() -> list[Record | None]:
        process = given.archive.committing
        await process._slots.acquire()
        await process._slots.acquire()
        records = [await begin(given, flat(*stored)) for _ in range(3)]
        tasks = [process.start(given.archive, record) for record in records]
        await asyncio.sleep(0)
        await put(given, Committing().claimed(records[0], time.time()))
        await given.archive.journal.write(lambda books: books.delete(records[1]))
        process._slots.release()
        process._slots.release()
        return list(await asyncio.gather(*tasks))

    lost, deleted, done = asyncio.run(wait())
    assert lost is None
    assert deleted is None
    assert done is not None
    assert done.private[REASONS] == [0, 0, 0]


def test_what_fails_again_and_again_is_given_up(given: Given, stored: list[StoredInstance]) -> None:
    asked = flat(*stored)
    assert reasons(given, asked, **{ATTEMPTS: 11, REASONS: [0]}) == [0, 272, 272]
    assert reasons(given, asked, **{ATTEMPTS: 10, REASONS: [0]}) == [0, 0, 0]


def test_a_failure_of_the_server_waits_for_another_attempt(
    given: Given, stored: list[StoredInstance], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise RuntimeError

    async def work() -> str:
        record = await begin(given, flat(*stored))
        assert await given.archive.committing.start(given.archive, record) is None
        return record.uid

    with monkeypatch.context() as patch:
        patch.setattr(given.archive.committing, "read_back", fail)
        name = asyncio.run(work())
    given.archive.index.together([release])
    assert take_up(given, given.archive.committing) == 1
    assert result(given, name).private[REASONS] == [0, 0, 0]


def test_a_process_that_ends_stops_reading(given: Given, stored: list[StoredInstance]) -> None:
    async def end() -> Record:
        process = Committing()
        running = asyncio.ensure_future(process.run(given.archive))
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        record = await begin(given, flat(*stored), process)
        assert await process.start(given.archive, record) is None
        return record

    assert result(given, asyncio.run(end()).uid).private[REASONS] == []


def test_the_claim_is_renewed_while_a_blob_is_read(
    given: Given, stored: list[StoredInstance], monkeypatch: pytest.MonkeyPatch
) -> None:
    read_back = given.archive.committing.read_back
    monkeypatch.setattr(committing, "CLAIM", 0.03)

    def slow(blobs: Any, instance: StoredInstance) -> int:
        before = result(given, name[0]).version
        while result(given, name[0]).version == before:
            pass
        return read_back(blobs, instance)

    name: list[str] = []

    async def work() -> Record | None:
        record = await begin(given, flat(stored[0]))
        name.append(record.uid)
        monkeypatch.setattr(given.archive.committing, "read_back", slow)
        return await given.archive.committing.start(given.archive, record)

    done = asyncio.run(work())
    assert done is not None
    assert done.private[REASONS] == [0]


def test_a_result_is_deleted_when_its_time_is_over(given: Given, stored: list[StoredInstance]) -> None:
    records = [_due(new(flat(*stored), **{DONE: True, REASONS: [0, 0, 0]})) for _ in range(9)]
    for record in records:
        asyncio.run(put(given, record))
    assert take_up(given, given.archive.committing) == 0
    for record in records:
        with pytest.raises(ResourceGone):
            result(given, record.uid)


def test_too_many_that_wait_are_refused(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committing, "_MOST", 0)
    with pytest.raises(Unavailable) as caught:
        given.archive.committing.check_capacity()
    assert caught.value.warning == "A700 Out of resources"
