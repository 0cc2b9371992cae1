"""The suite that every index of records has to pass: subclass `RecordIndexSuite`, say how one is made.

    class TestMyIndex(RecordIndexSuite):
        def new_index(self, folder):
            return MyIndex(folder)

Needs pytest and hypothesis, which the package itself does not.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from skiagraph.errors import Conflict, ResourceGone, ResourceNotFound
from skiagraph.index.base import Books, ChangeAction, Index, Record, RecordSearch
from skiagraph.standard import matching
from skiagraph.standard.kind import Key, Kind
from skiagraph.standard.matching import Condition
from skiagraph.testing.headers import data_set, element, header, name, new_instance
from skiagraph.testing.record_model import RecordModel
from skiagraph.values import Attributes, ResourcePath
from skiagraph.wire import record_query

T = TypeVar("T")

GLOBAL, FILTERED = "1.2.840.10008.5.1.4.34.5", "1.2.840.10008.5.1.4.34.5.1"

STATE, LABEL, CODES, CODE, SCHEME, START = "00741000", "00741202", "00404025", "00080100", "00080102", "00404005"
STEP, STEP_DATE, STEP_TIME, STATION = "00400100", "00400002", "00400003", "00400001"

WORKITEM = Kind(
    "Workitem",
    901,
    (
        Key(1, ("00080018",), "UI"),
        Key(2, (STATE,), "CS", few=True),
        Key(3, (LABEL,), "LO", few=True),
        Key(4, ("00100010",), "PN"),
        Key(5, ("00100020",), "LO"),
        Key(6, (CODES, CODE), "SH"),
        Key(7, (CODES, SCHEME), "SH", few=True),
        Key(8, ("00100030",), "DA"),
        Key(9, (CODES, CODE), "SH", few=True, beside=SCHEME),
    ),
    (START,),
    pivot=2,
)
ENTRY = Kind(
    "worklist entry",
    902,
    (Key(1, ("00100020",), "LO"), Key(2, (STEP, STATION), "AE", few=True), Key(3, (STEP, "00080060"), "CS", few=True)),
    (STEP, STEP_DATE),
    (STEP, STEP_TIME),
)
KINDS = (WORKITEM, ENTRY)
AES = ("ONE", "TWO", "THREE")
UIDS = tuple(f"1.{i}" for i in range(1, 9))

# What is stored: values that meet, and those that an index has trouble with ---------------------------------------

_LONG = "long " * 50
_POOLS: dict[str, tuple[str, tuple[Any, ...]]] = {
    STATE: ("CS", ("SCHEDULED", "IN PROGRESS", "COMPLETED")),
    LABEL: ("LO", ("CT", "ct", "CT 1", "C*", "é", _LONG, _LONG + "a", "")),
    "00100010": (
        "PN",
        (name("Doe^Jane"), name("DOE^JANE^^"), name("Döe"), name("Yamada^Tarou", "山田^太郎"), name("^"), "Doe^J", {}),
    ),
    "00100020": ("LO", ("P1", "P2", "P10", "p1", _LONG)),
    "00100030": ("DA", ("20240131", "1990.01.31", "x")),
    "00080018": ("UI", ("1.2", "1.3", "1.20")),
    "00081030": ("LO", ("a", "ab", "b")),
    "00080201": ("SH", ("+0100", "-0500", "bad")),
    "00180050": ("DS", (1, 1.5, "2.0")),
    START: (
        "DT",
        ("20240131", "20240131101530", "2024013110", "20240131101530.5+0100", "202402", "2023", "bad", "00010101"),
    ),
}
_CODE_ITEMS: tuple[Attributes, ...] = (
    {CODE: element("SH", "CT1"), SCHEME: element("SH", "99X")},
    {CODE: element("SH", "CT2"), SCHEME: element("SH", "99X")},
    {CODE: element("SH", "CT1"), SCHEME: element("SH", "DCM")},
    {SCHEME: element("SH", "DCM")},
    {},
)
_STEP_VALUES = {
    STATION: ("AE", ("ROOM1", "ROOM2")),
    "00080060": ("CS", ("CT", "MR")),
    STEP_DATE: ("DA", ("20240131", "20240201", "bad")),
    STEP_TIME: ("TM", ("10", "101530", "235959.9", "bad")),
}


@st.composite
def _elements(draw: st.DrawFn, pools: dict[str, tuple[str, tuple[Any, ...]]]) -> Attributes:
    found: Attributes = {}
    for tag in draw(st.lists(st.sampled_from(sorted(pools)), max_size=len(pools), unique=True)):
        vr, pool = pools[tag]
        values = draw(st.lists(st.sampled_from(pool), max_size=2))
        found[tag] = element(vr, *values[: draw(st.sampled_from([1, 1, 1, 2]))])
    return found


@st.composite
def data_sets(draw: st.DrawFn, kind: Kind) -> Attributes:
    """Draw the data set of a record."""
    found: Attributes = draw(_elements(_POOLS))
    if kind is ENTRY:
        found[STEP] = element("SQ", *draw(st.lists(_elements(_STEP_VALUES), min_size=0, max_size=2)))
    elif draw(st.booleans()):
        found[CODES] = element("SQ", *draw(st.lists(st.sampled_from(_CODE_ITEMS), max_size=2)))
    return dict(sorted(found.items()))


@st.composite
def _ends(draw: st.DrawFn, pool: Sequence[str]) -> tuple[str | None, str | None]:
    low, high = draw(st.sampled_from(pool)), draw(st.sampled_from(pool))
    return draw(st.sampled_from([(low, high), (low, low), (low, None), (None, high)]))


@st.composite
def conditions(draw: st.DrawFn, kind: Kind) -> Condition:
    """Draw a condition on what `data_sets` draws: every type, on keys at hand and on others."""
    choice = draw(st.sampled_from([1, 1, 3, *range(14)]))
    if kind is ENTRY and choice < 6:
        return matching.InSequence((STEP,), tuple(draw(st.lists(_of_step(), min_size=1, max_size=3))))
    if choice == 0:
        return matching.AnyOf(
            tuple(
                matching.Single((STATE,), "CS", state)
                for state in draw(st.lists(st.sampled_from(_POOLS[STATE][1]), min_size=1, max_size=3))
            )
        )
    if choice == 1:
        low, high = draw(_ends(("20240131", "20240131101530", "2024013110+0300", "2024", "00010101")))
        return matching.Range((START,), "DT", low, high, draw(st.sampled_from([None, None, "+0300"])))
    if choice == 2:
        return matching.UidList(("00080018",), tuple(draw(st.lists(st.sampled_from(["1.2", "1.20", "9"]), max_size=3))))
    if choice == 3:
        values = draw(
            st.lists(st.sampled_from([(CODE, "CT1"), (CODE, "CT2"), (SCHEME, "99X")]), min_size=1, max_size=2)
        )
        return matching.InSequence(
            (CODES,), tuple(matching.Single((tag,), "SH", value) for tag, value in dict(values).items())
        )
    if choice == 4:
        keys = ("doe^jane", "DOE*", "d?e", "*", "山田*", "=山田", "doe=", "*tarou=*=*", "Jane", "==")
        return matching.PersonName(("00100010",), draw(st.sampled_from(keys)), fuzzy=draw(st.booleans()))
    if choice == 5:
        pattern = draw(st.sampled_from(["*", "?", "C*", "*1", "?T", "C[*]", "long*", "CT?1", "p*"]))
        return matching.Wildcard((draw(st.sampled_from([LABEL, "00100020", "00081030"])),), "LO", pattern)
    if choice == 6:
        tag = draw(st.sampled_from(["00081030", STATE, LABEL, START, CODES]))
        return matching.Empty((tag,), "SQ" if tag == CODES else _POOLS[tag][0])
    if choice == 7:
        labels = draw(st.lists(st.sampled_from(["CT", "ct", "CT 1"]), min_size=2, max_size=2, unique=True))
        return matching.Multiple((LABEL,), "LO", tuple(labels))
    if choice == 8:
        return matching.Single(("00180050",), "DS", draw(st.sampled_from(["1", "2", "x"])))
    if choice == 9:
        low, high = draw(_ends(("20240131", "19900131")))
        return matching.Range(("00100030",), "DA", low, high)
    tag = draw(st.sampled_from([STATE, LABEL, "00100020", "00081030"]))
    vr, pool = _POOLS[tag]
    return matching.Single((tag,), vr, draw(st.sampled_from([value for value in pool if value])))


@st.composite
def _of_step(draw: st.DrawFn) -> Condition:
    choice = draw(st.integers(0, 3))
    if choice == 0:
        low, high = draw(_ends(("20240131", "20240131101530", "20240201", "20240131101530+0100")))
        return matching.DateTimeRange((STEP_DATE,), (STEP_TIME,), low, high, draw(st.sampled_from([None, "+0300"])))
    if choice == 1:
        low, high = draw(_ends(("20240131", "20240201")))
        return matching.Range((STEP_DATE,), "DA", low, high)
    if choice == 2:
        return matching.Single((STATION,), "AE", draw(st.sampled_from(["ROOM1", "ROOM2", "ROOM3"])))
    return matching.Single(("00080060",), "CS", draw(st.sampled_from(["CT", "MR"])))


@st.composite
def searches(draw: st.DrawFn, kind: Kind) -> RecordSearch:
    """Draw a search, mostly for a page."""
    limit = draw(st.sampled_from([None, 0, 1, 2, 3, 100, 10**18]))
    offset = draw(st.sampled_from([0, 0, 0, 1, 2, 10**18]))
    return RecordSearch(kind, tuple(draw(st.lists(conditions(kind), max_size=3))), limit, offset)


_FILTERS = (f"{STATE}=SCHEDULED", f"{LABEL}=CT", f"{CODES}.{CODE}=CT1", "00100020=P*")

# The suite ------------------------------------------------------------------------------------------------------

_SETTINGS = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors]
)
_STATEFUL = settings(_SETTINGS, max_examples=40, stateful_step_count=30)


class RecordIndexSuite:
    """What callers rely on."""

    def new_index(self, folder: Path) -> Index:
        """Return an empty index that keeps itself in the folder, which is empty and lasts as long as the index."""
        raise NotImplementedError

    @contextmanager
    def opened(self) -> Iterator[Index]:
        """Lend an empty index."""
        with tempfile.TemporaryDirectory(prefix="record-suite-") as folder:
            index = self.new_index(Path(folder))
            try:
                yield index
            finally:
                index.close()

    # Records

    def test_stored_is_visible(self) -> None:
        new = Record(WORKITEM, "1.1", _workitem(), {"lock": "1.2.3", "é": [1, None]}, due_at=5.5)
        with self.opened() as index:
            before = time.time()
            stored = put(index, new)
            assert (stored.version, stored.attributes, stored.private) == (1, new.attributes, new.private)
            assert before <= stored.created_at == stored.modified_at <= time.time()
            assert run(index.record(WORKITEM, "1.1")) == stored
            assert write(index, lambda books: books.get(WORKITEM, "1.1")) == stored
            assert write(index, lambda books: books.get(ENTRY, "1.1")) is None
            changed = put(index, replace(stored, attributes={}, private={}, due_at=None))
            assert (changed.id, changed.version, changed.created_at) == (stored.id, 2, stored.created_at)
            assert run(index.record(WORKITEM, "1.1")) == changed

    def test_compare_and_set(self) -> None:
        """Of many who change one version exactly one wins."""
        with self.opened() as index:
            stored = put(index, Record(WORKITEM, "1.1", _workitem()))
            claims = [replace(stored, private={"lock": str(i)}) for i in range(10)]
            results = index.together([lambda books, claim=claim: books.put(claim) for claim in claims])  # type: ignore[misc]
            assert [type(result) for result in results] == [Record] + [Conflict] * 9
            assert run(index.record(WORKITEM, "1.1")).private == {"lock": "0"}
            for stale in (stored, replace(results[0], id=10**9)):
                with pytest.raises(Conflict):
                    put(index, stale)
                with pytest.raises(Conflict):
                    write(index, lambda books, stale=stale: books.delete(stale))  # type: ignore[misc]
            with pytest.raises(Conflict):
                put(index, Record(WORKITEM, "1.1", {}))

    def test_deleted_is_gone(self) -> None:
        with self.opened() as index:
            with pytest.raises(ResourceNotFound):
                run(index.record(WORKITEM, "1.1"))
            stored = put(index, Record(WORKITEM, "1.1", _workitem()))
            other = put(index, Record(ENTRY, "1.1", {}))
            write(index, lambda books: books.delete(stored))
            with pytest.raises(ResourceGone):
                run(index.record(WORKITEM, "1.1"))
            assert write(index, lambda books: (books.gone(WORKITEM, "1.1"), books.gone(ENTRY, "1.1"))) == (True, False)
            assert run(index.record(ENTRY, "1.1")) == other
            assert found(index, RecordSearch(WORKITEM, limit=1)) == ([], 0, 0)
            again = put(index, Record(WORKITEM, "1.1", _workitem()))
            assert again.id != stored.id
            assert write(index, lambda books: books.gone(WORKITEM, "1.1")) is False

    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
    def test_search_is_a_filter(self, kind: Kind) -> None:
        """Exactly what the reference predicate holds of is found, in order, page by page."""
        suite = self

        @_SETTINGS
        @given(st.lists(data_sets(kind), max_size=12), st.lists(searches(kind), min_size=1, max_size=8))
        def check(stored: list[Attributes], asked: list[RecordSearch]) -> None:
            model = RecordModel()
            with suite.opened() as index:
                records = [Record(kind, str(number), attributes) for number, attributes in enumerate(stored)]
                index.together([lambda books, record=record: books.put(record) for record in records])  # type: ignore[misc]
                for record in records:
                    model.put(record)
                for search in asked:
                    agree(index, model, search)

        check()

    def test_long_searches(self) -> None:
        """Chunks join, whether the index or the predicate decides; pages may be longer than chunks."""
        records = [
            Record(
                WORKITEM,
                str(i),
                {
                    STATE: element("CS", ("SCHEDULED", "COMPLETED")[i % 2]),
                    LABEL: element("LO", f"label {i % 3}"),
                    "00100020": element("LO", f"P{i % 400}"),
                    "00180050": element("DS", i % 2),
                }
                | ({START: element("DT", f"202401{1 + i % 7:02}{i % 24:02}")} if i % 11 else {}),
            )
            for i in range(1300)
        ]
        odd = matching.Single(("00180050",), "DS", "1")
        either = matching.AnyOf(tuple(matching.Single((LABEL,), "LO", f"label {i}") for i in range(2)))
        some = (
            (),
            (odd,),
            (matching.Single((STATE,), "CS", "COMPLETED"),),
            (matching.Single((STATE,), "CS", "COMPLETED"), either),
            (either,),
            (odd, either),
            (matching.Range((START,), "DT", "20240102", "20240104"),),
            (matching.Range((START,), "DT", "2024010212", "2024010405"),),
            (matching.Range((START,), "DT", None, "20240104"),),
            (matching.Range((START,), "DT", "2024010405", None), matching.Single((STATE,), "CS", "COMPLETED")),
            (matching.Range((START,), "DT", None, "2024010405"), matching.Single((STATE,), "CS", "COMPLETED"), either),
            (matching.Wildcard(("00100020",), "LO", "P1*"),),
            (matching.Wildcard(("00100020",), "LO", "*1*"), matching.Single((STATE,), "CS", "COMPLETED")),
        )
        model = RecordModel()
        with self.opened() as index:
            index.together([lambda books, record=record: books.put(record) for record in records])  # type: ignore[misc]
            for record in records:
                model.put(record)
            for where in some:
                whole = len(model.find(WORKITEM, where))
                assert whole > 100
                pages = ((None, 0), (whole - 5, 2), (whole + 5, 0), (None, 7), (3, whole - 1), (3, whole), (50, 250))
                for limit, offset in pages:
                    agree(index, model, RecordSearch(WORKITEM, where, limit, offset))

    def test_each_and_due(self) -> None:
        with self.opened() as index:
            starts = [f"2024{1 + i % 12:02}{1 + i % 28:02}" for i in range(450)]
            for kind in KINDS:
                work = [
                    Record(kind, str(i), {START: element("DT", start)}, due_at=float(i) if i % 2 else None)
                    for i, start in enumerate(starts)
                ]
                index.together([lambda books, one=one: books.put(one) for one in work])  # type: ignore[misc]
            expected = [str(i) for i in sorted(range(450), key=lambda i: (starts[i], i))]
            assert write(index, lambda books: [record.uid for record in books.each(WORKITEM)]) == expected
            due = write(index, lambda books: books.due(WORKITEM, 20.0, 100))
            assert [record.uid for record in due] == [str(i) for i in range(1, 20, 2)]
            assert len(write(index, lambda books: books.due(WORKITEM, 1e9, 7))) == 7

    # Subscriptions

    def test_deletion_locks_have_an_age(self) -> None:
        """A lock counts from when it was set: by a subscription, or as the Workitem of a global one came into being."""
        with self.opened() as index:
            write(index, lambda b: b.subscribe_globally(WORKITEM, "ONE", GLOBAL, deletion_lock=True))
            between = time.time()
            record = put(index, Record(WORKITEM, "1.1", _workitem()))
            assert write(index, lambda b: b.locked(record, between)) is True
            assert write(index, lambda b: b.locked(record, time.time() + 1)) is False
            write(index, lambda b: b.subscribe(record, "ONE", deletion_lock=False))
            assert write(index, lambda b: b.locked(record, 0)) is False
            write(index, lambda b: b.subscribe(record, "TWO", deletion_lock=True))
            assert write(index, lambda b: b.locked(record, between)) is True
            assert write(index, lambda b: b.locked(record, time.time() + 1)) is False

    def test_subscribing_again_sets_what_was_unsubscribed(self) -> None:
        """Table CC.2.3-2: subscribe globally with lock: not subscribed → with lock; the others stay as they are."""
        with self.opened() as index:
            one, two = (put(index, Record(WORKITEM, uid, _workitem())) for uid in ("1.1", "1.2"))
            write(index, lambda b: b.subscribe_globally(WORKITEM, "ONE", GLOBAL, deletion_lock=False))
            write(index, lambda b: b.unsubscribe(one, "ONE"))
            write(index, lambda b: b.subscribe_globally(WORKITEM, "ONE", GLOBAL, deletion_lock=True))
            assert write(index, lambda b: [b.locked(one, 0), b.locked(two, 0)]) == [True, False]

    # Reports

    def test_reports_in_order(self) -> None:
        with self.opened() as index:
            assert run(index.newest_report()) == 0
            write(index, lambda b: b.report(b'{"1":1}', ["ONE", "TWO"]))
            write(index, lambda b: b.report(b'{"2":2}', []))
            write(index, lambda b: b.report(b'{"3":3}', ["TWO"]))
            news = run(index.news(0, 10))
            assert [(one.ae_title, one.report) for one in news] == [
                ("ONE", b'{"1":1}'),
                ("TWO", b'{"1":1}'),
                ("TWO", b'{"3":3}'),
            ]
            numbers = [one.number for one in news]
            assert numbers == sorted(set(numbers))
            assert run(index.newest_report()) == numbers[-1]
            assert run(index.queued("TWO", 0, 10)) == news[1:]
            assert run(index.queued("TWO", 0, 1)) == news[1:2]
            assert run(index.queued("TWO", numbers[1], 10)) == news[2:]
            assert run(index.queued("NOBODY", 0, 10)) == []
            for far in (numbers[-1], 2**63, 10**30):
                assert run(index.queued("TWO", far, 10)) == run(index.news(far, 10)) == []
            assert write(index, lambda b: b.trim(length=0, not_before=0)).unread == 3
            assert run(index.newest_report()) == numbers[-1], "a number is never used again"
            write(index, lambda b: b.report(b'{"4":4}', ["ONE"]))
            (last,) = run(index.queued("ONE", 0, 10))
            assert last.number > numbers[-1]

    def test_reports_are_read_as_far_as_the_bytes_reach(self) -> None:
        """What is read in one go has a bound, and never less than one report."""
        with self.opened() as index:
            for length in (100, 10, 10, 10):
                write(index, lambda b, text=b"x" * length: b.report(text, ["ONE", "TWO"]))  # type: ignore[misc]
            (first, *_) = news = run(index.news(0, 10))
            assert len(news) == 8
            assert run(index.queued("ONE", 0, 10, 1)) == run(index.queued("ONE", 0, 10, 100)) == [first]
            assert run(index.queued("ONE", 0, 10, 101)) == [first, news[2]]
            assert run(index.queued("ONE", first.number, 10, 20)) == [news[2], news[4]]
            assert run(index.news(0, 10, 1)) == run(index.news(0, 10, 100)) == news[:2], "the bytes of an event once"
            assert run(index.news(0, 10, 101)) == news[:4]
            assert run(index.news(0, 1, 101)) == news[:1]

    def test_acknowledged(self) -> None:
        """No more can be acknowledged than there is."""
        with self.opened() as index:
            assert run(index.acknowledged("ONE")) == 0
            for _ in range(3):
                write(index, lambda b: b.report(b"{}", ["ONE"]))
            first, second, third = (one.number for one in run(index.queued("ONE", 0, 9)))
            for number, expected in ((second, second), (first, second), (10**30, third), (0, third), (-5, third)):
                write(index, lambda b, number=number: b.acknowledge("ONE", number))  # type: ignore[misc]
                assert run(index.acknowledged("ONE")) == expected
            write(index, lambda b: b.report(b"{}", ["ONE"]))
            assert write(index, lambda b: b.trim(length=9, not_before=0)) == (3, 0)
            assert len(run(index.queued("ONE", 0, 9))) == 1

    def test_trim_by_age(self) -> None:
        with self.opened() as index:
            write(index, lambda b: b.report(b"1", ["ONE", "TWO"]))
            between = time.time()
            while time.time() <= between:
                pass
            write(index, lambda b: b.report(b"2", ["ONE"]))
            assert write(index, lambda b: b.trim(length=9, not_before=between)).unread == 2
            assert [one.report for one in run(index.news(0, 9))] == [b"2"]

    # Changes together

    def test_one_that_fails_is_undone_alone(self) -> None:
        def failing(books: Books) -> None:
            record = books.put(Record(WORKITEM, "1.2", _workitem()))
            books.subscribe(record, "ONE", deletion_lock=True)
            books.report(b"{}", ["ONE"])
            raise ResourceNotFound("nothing of this stays")

        def first(books: Books) -> Record:
            return books.put(Record(WORKITEM, "1.1", _workitem()))

        def last(books: Books) -> list[str]:
            books.report(b"1", ["TWO"])
            record = books.get(WORKITEM, "1.1")
            assert record is not None
            return [*books.all_subscribers(), record.uid]

        with self.opened() as index:
            results = index.together([first, failing, last, failing])
            assert [type(result) for result in results] == [Record, ResourceNotFound, list, ResourceNotFound]
            assert results[2] == ["1.1"]
            assert [one.report for one in run(index.news(0, 9))] == [b"1"]
            assert found(index, RecordSearch(WORKITEM, limit=9)) == (["1.1"], 0, 1)
            with pytest.raises(ResourceNotFound):
                run(index.record(WORKITEM, "1.2"))
            assert index.together([]) == []

    # The change feed

    def test_feed_has_no_gaps(self) -> None:
        """Every change of an Instance is in the feed once, in order; what failed or changed nothing is not."""

        def new(uid: str, study: str = "1.1", text: str = "a") -> Any:
            return new_instance(header(data_set(study, "2.1", uid, {"00081030": element("LO", text)})))

        with self.opened() as index:

            def add(*instances: Any, policy: Any = "reject") -> None:
                index.add([index.prepare(one) for one in instances], policy)

            assert run(index.newest_change()) == 0
            add(new("3.1"), new("3.2"))
            add(new("3.1"))  # the same
            add(new("3.1", text="b"))  # refused
            add(new("3.1", text="b"), policy="keep")
            with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the index makes of nonsense
                index.add([index.prepare(new("3.9")), object()], "reject")
            add(new("3.1", text="b"), new("3.3"), policy="replace")
            index.delete(ResourcePath("1.1", "2.1", "3.2"))
            with pytest.raises(ResourceGone):
                index.delete(ResourcePath("1.1", "2.1", "3.2"))
            index.delete(ResourcePath("1.1"))
            add(new("3.2"))
            feed = run(index.feed(0, 100))
            assert [entry.number for entry in feed] == list(range(1, len(feed) + 1))
            assert run(index.newest_change()) == len(feed)
            seen = [(entry.action, entry.path.sop_instance_uid) for entry in feed]
            stored, replaced, deleted = ChangeAction.STORED, ChangeAction.REPLACED, ChangeAction.DELETED
            assert seen[:5] == [(stored, "3.1"), (stored, "3.2"), (replaced, "3.1"), (stored, "3.3"), (deleted, "3.2")]
            assert sorted(seen[5:7]) == [(deleted, "3.1"), (deleted, "3.3")]
            assert seen[7:] == [(stored, "3.2")]
            assert all(str(entry.path).startswith("studies/1.1/series/2.1/instances/3.") for entry in feed)
            assert {entry.sop_class_uid for entry in feed} == {"1.2.840.10008.5.1.4.1.1.2"}
            assert run(index.feed(3, 2)) == feed[3:5]
            assert run(index.feed(len(feed), 2)) == run(index.feed(10**30, 2)) == []

    # All of it together

    def test_behaves_like_a_list(self) -> None:
        """Any sequence of changes, alone or together, leaves what the model says."""
        suite = self

        class Machine(RuleBasedStateMachine):
            @initialize()
            def start(self) -> None:
                self.model = RecordModel()
                self.context = suite.opened()
                self.index = self.context.__enter__()

            @rule(uid=st.sampled_from(UIDS), attributes=data_sets(WORKITEM), due_at=st.sampled_from([None, 1.0, 2.0]))
            def create(self, uid: str, attributes: Attributes, due_at: float | None) -> None:
                record = Record(WORKITEM, uid, attributes, due_at=due_at)

                def work(books: Books) -> None:
                    books.join(books.put(record))

                if self.model.put(record):
                    write(self.index, work)
                    self.model.created(self.model.stored[WORKITEM.number, uid])
                else:
                    with pytest.raises(Conflict):
                        write(self.index, work)

            @rule(uid=st.sampled_from(UIDS), attributes=data_sets(ENTRY))
            def schedule(self, uid: str, attributes: Attributes) -> None:
                """Records of another kind are of no concern to subscribers."""
                record = Record(ENTRY, uid, attributes)
                if self.model.put(record):
                    put(self.index, record)

            @rule(uid=st.sampled_from(UIDS), attributes=data_sets(WORKITEM), stale=st.sampled_from([0, 0, 0, 1]))
            def change(self, uid: str, attributes: Attributes, stale: int) -> None:
                stored = self.model.stored.get((WORKITEM.number, uid))
                if stored is None:
                    return
                current = run(self.index.record(WORKITEM, uid))
                changed = replace(current, attributes=attributes, version=current.version - stale)
                self.model.put(replace(stored, attributes=attributes, version=stored.version - stale))
                if stale:
                    with pytest.raises(Conflict):
                        put(self.index, changed)
                else:
                    put(self.index, changed)

            @rule(uid=st.sampled_from(UIDS), kind=st.sampled_from([WORKITEM, WORKITEM, ENTRY]))
            def delete(self, uid: str, kind: Kind) -> None:
                stored = self.model.stored.get((kind.number, uid))
                if stored is None:
                    gone = (kind.number, uid) in self.model.gone
                    with pytest.raises(ResourceGone if gone else ResourceNotFound):
                        run(self.index.record(kind, uid))
                    return
                current = run(self.index.record(kind, uid))
                write(self.index, lambda books: books.delete(current))
                if kind is WORKITEM:
                    self.model.delete(stored)
                else:
                    del self.model.stored[kind.number, uid]
                    self.model.gone.add((kind.number, uid))

            @rule(uid=st.sampled_from(UIDS), ae_title=st.sampled_from(AES), lock=st.booleans())
            def subscribe(self, uid: str, ae_title: str, lock: bool) -> None:
                if (WORKITEM.number, uid) in self.model.stored:
                    record = run(self.index.record(WORKITEM, uid))
                    write(self.index, lambda books: books.subscribe(record, ae_title, deletion_lock=lock))
                    self.model.subscribe(uid, ae_title, deletion_lock=lock)

            @rule(uid=st.sampled_from(UIDS), ae_title=st.sampled_from(AES))
            def unsubscribe(self, uid: str, ae_title: str) -> None:
                if (WORKITEM.number, uid) in self.model.stored:
                    record = run(self.index.record(WORKITEM, uid))
                    ended = write(self.index, lambda books: books.unsubscribe(record, ae_title))
                    assert ended == self.model.unsubscribe(uid, ae_title)

            @rule(ae_title=st.sampled_from(AES), lock=st.booleans(), filter=st.sampled_from(["", "", *_FILTERS]))
            def subscribe_globally(self, ae_title: str, lock: bool, filter: str) -> None:
                target = FILTERED if filter else GLOBAL
                write(
                    self.index,
                    lambda books: books.subscribe_globally(
                        WORKITEM, ae_title, target, deletion_lock=lock, filter=filter
                    ),
                )
                wanted = record_query.parse(filter).conditions
                self.model.subscribe_globally(WORKITEM, ae_title, target, deletion_lock=lock, filter=wanted)

            @rule(ae_title=st.sampled_from(AES))
            def unsubscribe_globally(self, ae_title: str) -> None:
                had = ae_title in self.model.all_subscribers()
                maybe = ae_title in self.model.suspended
                self.model.unsubscribe_globally(ae_title)
                ended = write(self.index, lambda books: books.unsubscribe_globally(ae_title))
                assert ended == had or (maybe and ended)

            @rule(ae_title=st.sampled_from(AES), well_known=st.sampled_from([GLOBAL, FILTERED]))
            def suspend(self, ae_title: str, well_known: str) -> None:
                closed = write(self.index, lambda books: books.suspend(ae_title, well_known))
                assert closed == self.model.suspend(ae_title, well_known)

            @rule(aes=st.lists(st.sampled_from(AES), unique=True), failing=st.booleans())
            def report(self, aes: list[str], failing: bool) -> None:
                text = b"%d" % len(self.model.queue)

                def work(books: Books) -> None:
                    books.report(text, aes)
                    if failing:
                        raise ResourceNotFound

                (result,) = self.index.together([work])
                assert isinstance(result, ResourceNotFound) == failing
                if not failing:
                    self.model.report(text, aes)

            @rule(ae_title=st.sampled_from(AES), number=st.integers(1, 4))
            def acknowledge(self, ae_title: str, number: int) -> None:
                waiting = run(self.index.queued(ae_title, 0, number))
                if waiting:
                    write(self.index, lambda books: books.acknowledge(ae_title, waiting[-1].number))
                    place = self.model.places(ae_title)[len(waiting) - 1]
                    done = max(place + 1, self.model.acknowledged.get(ae_title, 0))
                    self.model.acknowledged[ae_title] = done

            @rule(length=st.integers(0, 4), old=st.sampled_from([False, False, False, True]))
            def trim(self, length: int, old: bool) -> None:
                not_before = time.time() + 1 if old else 0.0
                lost = write(self.index, lambda books: books.trim(length=length, not_before=not_before)).unread
                assert lost == self.model.trim(length, old=old)

            @rule(data=st.data(), kind=st.sampled_from(KINDS))
            def search(self, data: st.DataObject, kind: Kind) -> None:
                agree(self.index, self.model, data.draw(searches(kind)))

            @invariant()
            def agrees(self) -> None:
                model = self.model
                for kind in KINDS:
                    agree(self.index, model, RecordSearch(kind, limit=100))
                for state in _POOLS[STATE][1]:
                    one = (matching.Single((STATE,), "CS", state),)
                    agree(self.index, model, RecordSearch(WORKITEM, one, 1))
                uids = model.find(WORKITEM, ())

                def look(books: Books) -> Any:
                    records = [books.get(WORKITEM, uid) for uid in uids]
                    stored = [record for record in records if record is not None]
                    return (
                        [books.subscribers(record) for record in stored],
                        [books.locked(record, 0) for record in stored],
                        books.all_subscribers(),
                        [record.due_at for record in books.due(WORKITEM, 1.5, 100)],
                    )

                subscribers, locked, everybody, due = write(self.index, look)
                assert subscribers == [model.subscribers(uid) for uid in uids]
                assert locked == [model.locked(uid) for uid in uids]
                assert everybody == sorted(set(everybody))
                assert model.all_subscribers() <= set(everybody) <= model.all_subscribers() | model.suspended
                assert due == model.due(WORKITEM, 1.5, 100)
                news = run(self.index.news(0, 1000))
                assert [(one.ae_title, one.report) for one in news] == [model.queue[place] for place in model.places()]
                numbers = [one.number for one in news]
                assert numbers == sorted(set(numbers))
                for ae_title in AES:
                    mine = [one for one in news if one.ae_title == ae_title]
                    assert run(self.index.queued(ae_title, 0, 1000)) == mine

            def teardown(self) -> None:
                if hasattr(self, "context"):
                    self.context.__exit__(None, None, None)

        run_state_machine_as_test(Machine, settings=_STATEFUL)


# Short words for what the tests do ------------------------------------------------------------------------------


def _workitem() -> Attributes:
    return {STATE: element("CS", "SCHEDULED"), LABEL: element("LO", "CT"), START: element("DT", "20240131")}


def run(awaited: Coroutine[Any, Any, T]) -> Any:
    """Wait for a result."""
    return asyncio.run(awaited)


def write(index: Index, work: Callable[[Books], T]) -> Any:
    """Change the books by one function; raises what it raises."""
    (result,) = index.together([work])
    if isinstance(result, Exception):
        raise result
    return result


def put(index: Index, record: Record) -> Record:
    """Store a record."""
    stored: Record = write(index, lambda books: books.put(record))
    return stored


def found(index: Index, search: RecordSearch) -> tuple[list[str], int, int | None]:
    """Return the UIDs of what a search finds, how many are left, and how many there are."""

    async def ask() -> tuple[list[str], int, int | None]:
        answer = await index.find(search)
        uids = [record.uid async for chunk in answer.records for record in chunk]
        assert answer.empty == (not uids)
        return uids, answer.remaining, answer.total

    return asyncio.run(ask())


def agree(index: Index, model: RecordModel, search: RecordSearch) -> None:
    """Compare a search with the model."""
    everything = model.find(search.kind, search.conditions)
    end = len(everything) if search.limit is None else search.offset + search.limit
    expected = everything[search.offset : end]
    uids, remaining, total = found(index, search)
    assert uids == expected, search
    if search.limit is None and not search.offset:
        assert (remaining, total) == (0, None)
    else:
        assert (remaining, total) == (max(0, len(everything) - search.offset - len(expected)), len(everything)), search
