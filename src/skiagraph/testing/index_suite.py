"""The suite that every index has to pass: subclass `IndexSuite`, say how one is made, inherit the proof.

    class TestMyIndex(IndexSuite):
        def new_index(self, folder):
            return MyIndex(folder)

Needs pytest and hypothesis, which the package itself does not.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from skiagraph.errors import MissingIdentifier, ResourceGone, ResourceNotFound
from skiagraph.index.base import InstanceIndex, NewInstance, Outcome, Policy
from skiagraph.standard import matching
from skiagraph.standard.header import MULTI_FRAGMENT, Bulk
from skiagraph.standard.matching import Condition, Search
from skiagraph.testing.headers import JPEG_BASELINE, ct_attributes, data_set, element, header, name, new_instance
from skiagraph.testing.index_model import IndexModel, path_of
from skiagraph.values import Attributes, ByteRange, Level, ResourcePath

T = TypeVar("T")

# What is stored: few UIDs, so that they meet, and values of every kind that columns have trouble with ------------

_STUDIES = ("1.1", "1.2", "1.10")
_SERIES = ("2.1", "2.2", "2.10")
_INSTANCES = tuple(f"3.{i}" for i in range(1, 13))
_PRIVATE = {"00091001": element("LO", "at 10"), "00091101": element("LO", "at 11")}


def _values(vr: str, *pool: Any) -> st.SearchStrategy[dict[str, Any] | None]:
    """Absent, empty, one value, or two."""
    return st.one_of(
        st.none(),
        st.just({"vr": vr}),
        st.sampled_from(pool).map(lambda value: element(vr, value)),
        st.lists(st.sampled_from(pool), min_size=2, max_size=2).map(lambda values: element(vr, *values)),
    )


_TEXTS = ("a", "A", "ab", "a*", "[a]", "é", "Äb", " a", "a b", "10", 'q"\\', "\U0001f600x", "")
_DATES = ("20240131", "20240201", "2024.01.31", "20231231", "nonsense", "20249999")
_TIMES = ("10", "1015", "101530", "101530.5", "235959.999999", "24", "")
_NUMBERS = (1, 2, 10, -1, "3", "1.5", 2.0, "x", 2**40)
_NAMES: tuple[Any, ...] = (
    name("Doe^Jane"),
    name("DOE^JANE^^"),
    name("Döe"),
    name("Yamada^Tarou", "山田^太郎", "やまだ^たろう"),
    name("", "山田"),
    name("^"),
    "Doe^Jane",
    {},
)
_ZONES = ("+0100", "-0500", "bad")
_ITEMS: tuple[Attributes, ...] = (
    {"00400009": element("SH", "S1"), "00401001": element("SH", "R1")},
    {"00400009": element("SH", "S2")},
    {},
)
_POOLS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "00080016": ("UI", ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "9")),
    "00080020": ("DA", _DATES),
    "00080030": ("TM", _TIMES),
    "00080050": ("SH", _TEXTS),
    "00080060": ("CS", ("CT", "MR", "C", 'x"')),
    "00080061": ("CS", ("LIE",)),
    "00080090": ("PN", _NAMES),
    "00080201": ("SH", _ZONES),
    "00081030": ("LO", _TEXTS),
    "0008103E": ("LO", _TEXTS),
    "00100010": ("PN", _NAMES),
    "00100020": ("LO", _TEXTS),
    "00100030": ("DA", _DATES),
    "00100040": ("CS", ("F", "M")),
    "00180050": ("DS", (1, 1.5, "2.0")),
    "00200010": ("SH", _TEXTS),
    "00200011": ("IS", _NUMBERS),
    "00200013": ("IS", _NUMBERS),
    "00201208": ("IS", (99,)),
    "00280010": ("US", (512,)),
    "00400244": ("DA", _DATES),
    "00400245": ("TM", _TIMES),
    "00400275": ("SQ", _ITEMS),
}


@st.composite
def new_instances(draw: st.DrawFn) -> NewInstance:
    """Draw an Instance; its data set says what it likes about its Study and Series."""
    attributes: Attributes = {}
    for tag in draw(st.lists(st.sampled_from(sorted(_POOLS)), max_size=8, unique=True)):
        vr, pool = _POOLS[tag]
        value = draw(_values(vr, *pool))
        if value is not None:
            attributes[tag] = value
    if draw(st.booleans()):
        attributes |= {"00090010": element("LO", "ONE"), "00090011": element("LO", "TWO")} | _PRIVATE
    uids = [draw(st.sampled_from(pool)) for pool in (_STUDIES, _SERIES, _INSTANCES)]
    if draw(st.booleans()):  # mostly one Instance is in one Series: else all is DUPLICATE
        uids[0], uids[1] = _STUDIES[int(uids[2][2:]) % 3], _SERIES[int(uids[2][2:]) % 2]
    return new_instance(header(data_set(uids[0], uids[1], uids[2], attributes)))


@st.composite
def conditions(draw: st.DrawFn, depth: int = 0) -> Condition:
    """Draw a condition on one of the attributes that `new_instances` draws."""
    kind = draw(st.integers(0, 11 if depth == 0 else 6))
    tag = draw(st.sampled_from(sorted(_POOLS)))
    vr, pool = _POOLS[tag]
    if kind == 7:
        low, high = draw(_ends(("20240131", "20240131101530", "2024013110", "20240201", "20240131+0200")))
        pair = draw(st.sampled_from([("00080020", "00080030"), ("00400244", "00400245"), ("00100030", "00100032")]))
        return matching.DateTimeRange((pair[0],), (pair[1],), low, high, draw(st.sampled_from([None, "+0300"])))
    if kind == 8:
        inner = draw(st.lists(st.sampled_from(["S1", "S2", "R1"]), min_size=1, max_size=2))
        nested = ("00400009", "00401001")
        return matching.InSequence(
            ("00400275",),
            tuple(matching.Single((key,), "SH", value) for key, value in zip(nested, inner, strict=False)),
        )
    if kind == 9:
        creator = draw(st.sampled_from(["ONE", "TWO", "THREE"]))
        return matching.Private(creator, matching.Single(("00091001",), "LO", draw(st.sampled_from(["at 10", "x"]))))
    if kind == 10:
        values = draw(st.lists(st.sampled_from(["CT", "MR", "C"]), min_size=1, max_size=3))
        tag = draw(st.sampled_from(["00080061", "00080060"]))
        return matching.AnyOf(tuple(matching.Single((tag,), "CS", value) for value in values))
    if kind == 11:
        level = draw(st.sampled_from([("0020000D", _STUDIES), ("0020000E", _SERIES), ("00080018", _INSTANCES)]))
        return matching.UidList((level[0],), tuple(draw(st.lists(st.sampled_from(level[1]), min_size=1, max_size=3))))
    if kind == 0 or vr == "SQ":
        return matching.Empty((tag,), vr)
    if vr == "PN":
        keys = ("doe^jane", "DOE*", "d?e", "*", "^*", "山田*", "=山田", "doe=", "*tarou=*=*", "Jane", "==", "yamada^*")
        return matching.PersonName((tag,), draw(st.sampled_from(keys)), fuzzy=draw(st.booleans()) and kind == 2)
    if vr in ("DA", "TM"):
        low, high = draw(_ends(("20240131", "20240201") if vr == "DA" else ("10", "1015", "101530.4")))
        return matching.Range((tag,), vr, low, high, draw(st.sampled_from([None, None, "-0800"])))
    if vr in ("IS", "DS", "US"):
        return matching.Single((tag,), vr, draw(st.sampled_from(["1", "2", "2.0", "1.5", "x", "512", "-1", "99"])))
    if vr == "UI":
        return matching.UidList((tag,), ("1.2.840.10008.5.1.4.1.1.2", "9"))
    text = draw(st.sampled_from([value for value in pool if value]))
    if kind in (1, 2):
        pattern = draw(st.sampled_from(["*", "?", "a*", "*b", "[*", "?b", "*a*", text + "*", "C?", "*\U0001f600*"]))
        return matching.Wildcard((tag,), vr, pattern)
    if kind == 3:
        return matching.Multiple((tag,), vr, (text, draw(st.sampled_from([value for value in pool if value]))))
    return matching.Single((tag,), vr, text)


@st.composite
def _ends(draw: st.DrawFn, pool: Sequence[str]) -> tuple[str | None, str | None]:
    low, high = draw(st.sampled_from(pool)), draw(st.sampled_from(pool))
    return draw(st.sampled_from([(low, high), (low, low), (low, None), (None, high)]))


@st.composite
def searches(draw: st.DrawFn) -> Search:
    """Draw a search of any resource, without limit and offset."""
    level = draw(st.sampled_from(Level))
    given = draw(st.integers(0, level - 1))
    return Search(
        level,
        draw(st.sampled_from(_STUDIES)) if given >= 1 else None,
        draw(st.sampled_from(_SERIES)) if given >= 2 else None,
        conditions=tuple(draw(st.lists(conditions(), max_size=3))),
    )


# The suite ------------------------------------------------------------------------------------------------------

_SETTINGS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors]
)
_STATEFUL = settings(_SETTINGS, max_examples=25, stateful_step_count=20)


class IndexSuite:
    """What callers rely on."""

    policies: ClassVar[tuple[Policy, ...]] = ("reject", "replace", "keep")

    def new_index(self, folder: Path) -> InstanceIndex:
        """Return an empty index that keeps itself in the folder, which is empty and lasts as long as the index."""
        raise NotImplementedError

    @contextmanager
    def opened(self) -> Iterator[InstanceIndex]:
        """Lend an empty index."""
        with tempfile.TemporaryDirectory(prefix="index-suite-") as folder:
            index = self.new_index(Path(folder))
            try:
                yield index
            finally:
                index.close()

    # Adding

    def test_stored_is_visible_everywhere(self) -> None:
        new = _ct("1.1", "2.1", "3.1")
        with self.opened() as index:
            assert _add(index, [new]) == [Outcome.ADDED]
            stored = _run(index.locate(path_of(new)))
            assert _run(index.identify("3.1")) == stored
            assert _run(_all(index.instances(ResourcePath("1.1")))) == [stored]
            assert _run(_all(index.instances(ResourcePath("1.1", "2.1")))) == [stored]
            ((also, document),) = _run(_all(index.documents(path_of(new))))
            assert also == stored
            assert orjson.loads(document) == new.header.attributes
            assert stored.path == path_of(new)
            assert (stored.key, stored.size, stored.stored_at) == (new.key, new.size, new.stored_at)
            assert (stored.prefix_digest, stored.dataset_digest) == (new.prefix_digest, new.dataset_digest)
            assert (stored.transfer_syntax_uid, stored.dataset_offset, stored.has_preamble) == (
                new.header.transfer_syntax_uid,
                new.header.dataset_offset,
                True,
            )
            pixels = new.header.pixel_data
            assert pixels is not None
            assert (stored.frames, stored.pixel_tag, stored.pixel_vr) == (pixels.frames, pixels.tag, pixels.vr)
            assert (stored.pixel_offset, stored.pixel_length) == (pixels.offset, pixels.length)
            assert (stored.encapsulated, stored.video, stored.frame_bits) == (False, False, pixels.frame_bits)
            assert stored.pixel_problem is None
            assert _run(index.bulkdata(stored)) == new.header.bulkdata
            assert index.known([new.key, "other"]) == {new.key}

    def test_nothing_stored(self) -> None:
        with self.opened() as index:
            assert _run(index.identify("3.1")) is None
            for path in (ResourcePath("1.1"), ResourcePath("1.1", "2.1"), ResourcePath("1.1", "2.1", "3.1")):
                for ask in (index.instances, index.documents, index.version):
                    with pytest.raises(ResourceNotFound):
                        _run(ask(path))
                with pytest.raises(ResourceNotFound):
                    index.delete(path)
            found = _run(index.search(Search(Level.STUDY, limit=3)))
            assert (found.empty, found.remaining, found.total) == (True, 0, 0)
            assert list(index.entries()) == []

    @pytest.mark.parametrize(
        ("policy", "outcome"),
        [("reject", Outcome.DUPLICATE), ("replace", Outcome.REPLACED), ("keep", Outcome.KEPT)],
    )
    @pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after the other"])
    def test_another_data_set(self, policy: Policy, outcome: Outcome, together: bool) -> None:
        first = _ct("1.1", "2.1", "3.1")
        other = _ct("1.1", "2.1", "3.1", {"00081030": element("LO", "Other")})
        with self.opened() as index:
            if together:
                added = index.add([index.prepare(first), index.prepare(other)], policy)[1]
            else:
                index.add([index.prepare(first)], policy)
                added = index.add([index.prepare(other)], policy)[0]
            assert added.outcome is outcome
            assert added.replaced_key == (first.key if policy == "replace" else None)
            assert added.stored_path == (path_of(first) if policy == "reject" else None)
            stored = _run(index.locate(path_of(first)))
            assert stored.key == (other.key if policy == "replace" else first.key)
            assert index.known([first.key, other.key]) == {stored.key}
            assert _counts(index) == (1, 1)

    @pytest.mark.parametrize("policy", ["reject", "replace", "keep"])
    def test_same_data_set_again(self, policy: Policy) -> None:
        first = _ct("1.1", "2.1", "3.1")
        again = new_instance(first.header)  # another blob, even with another file meta
        with self.opened() as index:
            _add(index, [first])
            before = _run(index.version(ResourcePath("1.1")))
            assert _add(index, [again, again], policy) == [Outcome.SAME, Outcome.SAME]
            assert _run(index.version(ResourcePath("1.1"))) == before
            assert _run(index.identify("3.1")).key == first.key

    @pytest.mark.parametrize("policy", ["reject", "replace", "keep"])
    @pytest.mark.parametrize("path", [("1.2", "2.1"), ("1.1", "2.2")], ids=["other Study", "other Series"])
    def test_uid_stored_elsewhere(self, policy: Policy, path: tuple[str, str]) -> None:
        with self.opened() as index:
            _add(index, [_ct("1.1", "2.1", "3.1")])
            (added,) = index.add([index.prepare(_ct(*path, "3.1"))], policy)
            assert added.outcome is Outcome.DUPLICATE
            assert added.stored_path == ResourcePath("1.1", "2.1", "3.1")
            with pytest.raises(ResourceNotFound):
                _run(index.locate(ResourcePath(*path, "3.1")))

    @pytest.mark.parametrize("tag", ["0020000D", "0020000E", "00080018"])
    @pytest.mark.parametrize(
        "bad", [None, {"vr": "UI"}, element("UI", "1.x"), element("UI", "1" * 65), element("UI", 1)]
    )
    def test_identifiers_are_needed(self, tag: str, bad: dict[str, Any] | None) -> None:
        attributes = data_set("1.1", "2.1", "3.1") | ({} if bad is None else {tag: bad})
        if bad is None:
            del attributes[tag]
        with self.opened() as index, pytest.raises(MissingIdentifier):
            index.prepare(new_instance(header(attributes)))

    def test_failed_batch_leaves_nothing(self) -> None:
        good, bad = _ct("1.1", "2.1", "3.1"), _ct("1.1", "2.1", "3.2")
        with self.opened() as index:
            with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the index makes of nonsense
                index.add([index.prepare(good), object()], "reject")
            assert _run(index.identify("3.1")) is None
            assert _add(index, [good, bad]) == [Outcome.ADDED, Outcome.ADDED]
            assert _counts(index) == (1, 2)

    # Frames, bulk data, documents

    @pytest.mark.parametrize("frames", [1, 2, 249, 250, 251, 1024, 5000])
    def test_frame_spans(self, frames: int) -> None:
        spans = [(100 + 10 * i, (i % 9) | (MULTI_FRAGMENT if i % 3 == 0 else 0)) for i in range(frames)]
        new = new_instance(header(data_set("1.1", "2.1", "3.1"), transfer_syntax_uid=JPEG_BASELINE, spans=spans))
        with self.opened() as index:
            _add(index, [new])
            stored = _run(index.identify("3.1"))
            for asked in ([1], [frames], [frames, 1], list(range(1, frames + 1)), [1, 1]):
                assert _run(index.frame_spans(stored, asked)) == [ByteRange(*spans[frame - 1]) for frame in asked]

    def test_bulkdata_of_many_values(self) -> None:
        bulkdata = {f"00480105/{i}/00282000": Bulk(i, i + 1, "OB") for i in range(3000)}
        new = new_instance(header(data_set("1.1", "2.1", "3.1"), bulkdata=bulkdata))
        with self.opened() as index:
            _add(index, [new])
            assert _run(index.bulkdata(_run(index.identify("3.1")))) == new.header.bulkdata

    def test_large_document(self) -> None:
        items = [{"00209057": element("UL", i), "00081195": element("UR", "},{" * 20)} for i in range(40_000)]
        new = new_instance(header(data_set("1.1", "2.1", "3.1", {"52009230": element("SQ", *items)})), content=b"")
        with self.opened() as index:
            _add(index, [new, _ct("1.1", "2.1", "3.2")])
            documents = _run(_all(index.documents(ResourcePath("1.1"))))
            assert [stored.path.sop_instance_uid for stored, _ in documents] == ["3.2", "3.1"]
            assert orjson.loads(documents[1][1]) == new.header.attributes
            for one in documents:
                assert _run(_all(index.documents(one[0].path))) == [one]
            for path in (ResourcePath("1.1", "2.2", "3.1"), ResourcePath("1.1", "2.1", "3.3")):
                with pytest.raises(ResourceNotFound):
                    _run(_all(index.documents(path)))

    def test_long_lists(self) -> None:
        """Chunks join without gap or repetition, over Series of every size."""
        sizes = (1, 250, 1, 1, 99, 100, 0, 101)
        batch = [
            _ct("1.1", f"2.{s}", f"3.{s}.{i}", {"00200011": element("IS", s), "00200013": element("IS", i)})
            for s, size in enumerate(sizes)
            for i in range(size)
        ]
        expected = [path_of(new) for new in batch]
        with self.opened() as index:
            _add(index, batch[::-1])
            study = ResourcePath("1.1")
            assert [stored.path for stored in _run(_all(index.instances(study)))] == expected
            assert [stored.path for stored, _ in _run(_all(index.documents(study)))] == expected
            assert _found(index, Search(Level.INSTANCE, "1.1"))[0] == expected
            assert [stored.key for stored in _entries(index)] == sorted(new.key for new in batch)
            assert index.known([new.key for new in batch] * 2) == {new.key for new in batch}

    # Versions and deletion

    @_SETTINGS
    @given(st.lists(new_instances(), min_size=1, max_size=6), st.randoms())
    def test_order_of_arrival_does_not_count(self, batch: list[NewInstance], random: Any) -> None:
        """An index that is rebuilt gives the same answers and versions."""
        unique = list({path_of(new).sop_instance_uid: new for new in batch}.values())
        shuffled = random.sample(unique, len(unique))
        answers = []
        for order in (unique, shuffled):
            with self.opened() as index:
                for new in order:
                    _add(index, [new])
                found = [_run(_matches(index, Search(level))) for level in Level]
                versions = {
                    path_of(new): _run(index.version(ResourcePath(path_of(new).study_instance_uid))) for new in unique
                }
                answers.append((found, versions))
        assert answers[0] == answers[1]

    def test_version_follows_content_alone(self) -> None:
        one, two = _ct("1.1", "2.1", "3.1"), _ct("1.1", "2.1", "3.2")
        other, apart = _ct("1.1", "2.2", "3.3"), _ct("1.2", "2.1", "3.4")
        study, series, instance = ResourcePath("1.1"), ResourcePath("1.1", "2.1"), path_of(one)

        with self.opened() as index:

            def versions() -> list[str]:
                return [_run(index.version(path)) for path in (study, series, instance)]

            _add(index, [one])
            first = versions()
            _add(index, [apart])
            assert versions() == first
            _add(index, [other])
            changed = versions()
            assert changed[0] != first[0]
            assert changed[1:] == first[1:]
            _add(index, [two])
            assert versions()[1] != first[1]
            assert versions()[2] == first[2]
            index.delete(path_of(two))
            assert versions() == changed
            replacement = _ct("1.1", "2.1", "3.1", {"00081030": element("LO", "Other")})
            _add(index, [replacement], "replace")
            assert all(new != old for new, old in zip(versions(), changed, strict=True))

    def test_deleted_is_gone(self) -> None:
        batch = [_ct("1.1", "2.1", "3.1"), _ct("1.1", "2.1", "3.2"), _ct("1.1", "2.2", "3.3")]
        with self.opened() as index:
            _add(index, batch)
            assert index.delete(path_of(batch[0])) == [batch[0].key]
            with pytest.raises(ResourceGone):
                _run(index.locate(path_of(batch[0])))
            with pytest.raises(ResourceNotFound):  # was never in that Series
                _run(index.locate(ResourcePath("1.1", "2.2", "3.1")))
            assert _run(index.identify("3.1")) is None
            assert _counts(index) == (2, 2)
            assert sorted(index.delete(ResourcePath("1.1"))) == sorted(new.key for new in batch[1:])
            for path in (ResourcePath("1.1"), ResourcePath("1.1", "2.2"), path_of(batch[2])):
                with pytest.raises(ResourceGone):
                    _run(index.version(path))
                with pytest.raises(ResourceGone):
                    index.delete(path)
            with pytest.raises(ResourceNotFound):
                _run(index.version(ResourcePath("1.1", "2.9")))
            _add(index, batch[2:])
            assert _run(index.locate(path_of(batch[2]))).key == batch[2].key
            with pytest.raises(ResourceGone):
                _run(index.version(ResourcePath("1.1", "2.1")))

    # Search

    @_SETTINGS
    @given(st.lists(new_instances(), max_size=10), st.lists(searches(), min_size=1, max_size=8))
    def test_search_is_a_filter(self, batch: list[NewInstance], asked: list[Search]) -> None:
        """Exactly what the reference predicate holds of is found, in order, with the tables of §10.6.3.3."""
        model = IndexModel()
        with self.opened() as index:
            model.add(batch, "reject")
            index.add([index.prepare(new) for new in batch], "reject")
            for search in asked:
                expected = model.search(search)
                assert _run(_matches(index, search)) == expected, search

    @_SETTINGS
    @given(
        st.lists(new_instances(), min_size=4, max_size=12),
        searches(),
        st.integers(1, 4),
        st.integers(0, 3),
    )
    def test_pages_are_the_list(self, batch: list[NewInstance], search: Search, limit: int, start: int) -> None:
        with self.opened() as index:
            index.add([index.prepare(new) for new in batch], "reject")
            everything, _, _ = _found(index, search)
            pages: list[ResourcePath] = []
            for offset in range(start, len(everything) + limit + 1, limit):
                page, remaining, total = _found(index, replace(search, limit=limit, offset=offset))
                assert len(page) <= limit
                assert total == len(everything)
                assert remaining == max(0, total - offset - len(page))
                pages += page
            assert pages == everything[start:]
            assert _found(index, replace(search, limit=0)) == ([], len(everything), len(everything))

    def test_long_searches(self) -> None:
        """Chunks join whether SQL or the predicate decides; pages may be longer than chunks."""
        batch = [
            _ct("1.1", f"2.{i % 7}", f"3.{i}", {"00200013": element("IS", i // 3), "00180050": element("DS", i % 2)})
            for i in range(1300)
        ]
        odd = (matching.Single(("00180050",), "DS", "1"),)
        with self.opened() as index:
            _add(index, batch)
            for search in (
                Search(Level.INSTANCE),
                Search(Level.INSTANCE, "1.1"),
                Search(Level.INSTANCE, "1.1", "2.3"),
                Search(Level.INSTANCE, conditions=odd),
                Search(Level.INSTANCE, "1.1", conditions=odd),
            ):
                everything, remaining, total = _found(index, search)
                assert len(everything) == len(set(everything)) > 100
                assert (remaining, total) == (0, None)
                whole = len(everything)
                for limit, offset in (
                    (whole - 5, 2),
                    (whole + 5, 0),
                    (None, 7),
                    (3, whole - 1),
                    (3, whole),
                    (1, 10**30),
                ):
                    page, remaining, total = _found(index, replace(search, limit=limit, offset=offset))
                    end = whole if limit is None else offset + limit
                    assert page == everything[offset:end]
                    assert (remaining, total) == (max(0, whole - end), whole)

    @pytest.mark.parametrize(
        ("search", "expected"),
        [
            pytest.param(
                Search(Level.STUDY, include=(("00081030",), ("00101040",))),
                {"00081030": element("LO", "Thorax"), "00101040": {"vr": "LO"}},
                id="includefield, empty when unknown",
            ),
            pytest.param(
                Search(Level.STUDY, include=(("00080062",),)),
                {"00080062": element("UI", "1.2.840.10008.5.1.4.1.1.2")},
                id="SOP Classes in Study",
            ),
            pytest.param(
                Search(Level.STUDY, include=(("00200011",), ("00280010",), ("00080018",))),
                {"00200011": None, "00280010": None, "00080018": None},
                id="10.6.3.3 nothing below the level of the results",
            ),
            pytest.param(
                Search(Level.SERIES, "1.1", include=(("00081030",), ("00400275",))),
                {"00081030": element("LO", "Thorax"), "00400275": element("SQ", *_ITEMS)},
                id="attributes of the level above; whole Sequence",
            ),
            pytest.param(
                Search(Level.SERIES, "1.1"),
                {"00080020": None, "00400275": element("SQ", _ITEMS[0], _ITEMS[1] | {"00401001": {"vr": "SH"}},
                                                      {"00400009": {"vr": "SH"}, "00401001": {"vr": "SH"}})},
                id="Table 10.6.3-4 Request Attributes Sequence has two keys",
            ),
            pytest.param(
                Search(
                    Level.SERIES,
                    "1.1",
                    conditions=(matching.InSequence(("00400275",), (matching.Single(("00400009",), "SH", "S2"),)),),
                ),
                {"00400275": element("SQ", _ITEMS[1])},
                id="C.2.2.2.6 only matching Items",
            ),
            pytest.param(
                Search(Level.INSTANCE, "1.1", "2.1", include=(("00081030",), ("00180050",), ("7FE00010",))),
                {"00081030": element("LO", "Thorax"), "00180050": element("DS", 1.0),
                 "7FE00010": {"vr": "OW", "BulkDataURI": "pixeldata"}},
                id="instances: any level, bulk data by its place",
            ),
            pytest.param(
                Search(Level.INSTANCE, include_private=(("TWO", ("00091001",)), ("NOBODY", ("00091001",)))),
                {"00090011": element("LO", "TWO"), "00091101": element("LO", "at 11"), "00090010": None},
                id="private with its creator",
            ),
            pytest.param(
                Search(Level.INSTANCE, "1.1", "2.1", include_all=True),
                {"00189001": element("LO", "value 1"), "00081030": None, "00080060": None,
                 "7FE00010": {"vr": "OW", "BulkDataURI": "pixeldata"}},
                id="all of the level",
            ),
            pytest.param(
                Search(Level.STUDY, include_all=True),
                {"00081030": element("LO", "Thorax"), "00080062": element("UI", "1.2.840.10008.5.1.4.1.1.2")},
                id="all of the Study",
            ),
            pytest.param(
                Search(Level.STUDY, conditions=(matching.Single(("00081030",), "LO", "Thorax"),)),
                {"00081030": element("LO", "Thorax")},
                id="match keys are returned",
            ),
        ],
    )  # fmt: skip
    def test_return_keys(self, search: Search, expected: dict[str, Any]) -> None:
        new = _ct(
            "1.1",
            "2.1",
            "3.1",
            {"00400275": element("SQ", *_ITEMS), "00090010": element("LO", "ONE"), "00090011": element("LO", "TWO")}
            | _PRIVATE,
        )
        with self.opened() as index:
            _add(index, [new])
            ((_, answer),) = _run(_matches(index, search))
            assert {tag: answer.get(tag) for tag in expected} == expected

    # All of it together

    def test_behaves_like_a_list(self) -> None:
        """Any sequence of adding, replacing and deleting leaves what the model says."""
        suite = self

        class Machine(RuleBasedStateMachine):
            @initialize()
            def start(self) -> None:
                self.model = IndexModel()
                self.context = suite.opened()
                self.index = self.context.__enter__()

            @rule(batch=st.lists(new_instances(), min_size=1, max_size=5), policy=st.sampled_from(suite.policies))
            def add(self, batch: list[NewInstance], policy: Policy) -> None:
                added = self.index.add([self.index.prepare(new) for new in batch], policy)
                assert [(one.outcome, one.replaced_key) for one in added] == self.model.add(batch, policy)

            @rule(
                uids=st.tuples(*map(st.sampled_from, (_STUDIES, _SERIES, _INSTANCES))),
                level=st.sampled_from(Level),
                stored=st.none() | st.integers(0, 99),
            )
            def delete(self, uids: tuple[str, ...], level: Level, stored: int | None) -> None:
                """Delete something that is there (`stored`) or perhaps is not."""
                paths = sorted(str(path_of(new)) for new in self.model.stored.values())
                if stored is not None and paths:
                    uids = tuple(paths[stored % len(paths)].split("/")[1::2])
                uids = uids[:level]
                path = ResourcePath(*uids)
                if self.model.below(path):
                    assert sorted(self.index.delete(path)) == self.model.delete(path)
                else:
                    with pytest.raises(ResourceGone if self.model.was_there(path) else ResourceNotFound):
                        self.index.delete(path)

            @rule(search=searches())
            def search(self, search: Search) -> None:
                assert _run(_matches(self.index, search)) == self.model.search(search), search

            @invariant()
            def agrees(self) -> None:
                for level in Level:
                    assert _run(_matches(self.index, Search(level))) == self.model.search(Search(level))
                    total = len(self.model.search(Search(level)))
                    assert _run(self.index.search(Search(level, limit=0))).total == total
                assert [stored.key for stored in _entries(self.index)] == sorted(
                    new.key for new in self.model.stored.values()
                )

            def teardown(self) -> None:
                if hasattr(self, "context"):
                    self.context.__exit__(None, None, None)

        run_state_machine_as_test(Machine, settings=_STATEFUL)


# Short words for what the tests do ------------------------------------------------------------------------------


def _ct(study: str, series: str, instance: str, more: Attributes | None = None) -> NewInstance:
    return new_instance(header(data_set(study, series, instance, ct_attributes(40) | (more or {}))))


def _add(index: InstanceIndex, batch: Sequence[NewInstance], policy: Policy = "reject") -> list[Outcome]:
    return [added.outcome for added in index.add([index.prepare(new) for new in batch], policy)]


def _run(awaited: Coroutine[Any, Any, T]) -> Any:
    return asyncio.run(awaited)


async def _all(chunks: Coroutine[Any, Any, AsyncIterator[Sequence[T]]]) -> list[T]:
    return [one async for chunk in await chunks for one in chunk]


async def _matches(index: InstanceIndex, search: Search) -> list[tuple[ResourcePath, Attributes]]:
    found = await index.search(search)
    matches = [match async for chunk in found.matches for match in chunk]
    assert found.empty == (not matches)
    answers = []
    for match in matches:
        answer = orjson.loads(match.before + b'"00081190":{"vr":"UR","Value":["url"]}' + match.after)
        assert list(answer) == sorted(answer), "tags ascend"
        del answer["00081190"]
        answers.append((match.path, answer))
    return answers


def _found(index: InstanceIndex, search: Search) -> tuple[list[ResourcePath], int, int | None]:
    async def ask() -> tuple[list[ResourcePath], int, int | None]:
        found = await index.search(search)
        return [match.path async for chunk in found.matches for match in chunk], found.remaining, found.total

    return asyncio.run(ask())


def _entries(index: InstanceIndex) -> list[Any]:
    return [stored for chunk in index.entries() for stored in chunk]


def _counts(index: InstanceIndex) -> tuple[int, int]:
    """Number of Series and Instances of the only Study."""
    ((_, answer),) = _run(_matches(index, Search(Level.STUDY)))
    return answer["00201206"]["Value"][0], answer["00201208"]["Value"][0]
