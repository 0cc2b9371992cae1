"""The suite of what Storage Commitment holds: subclass `CommittedSuite`, say how an index is made.

    class TestMyIndex(CommittedSuite):
        def new_index(self, folder):
            return MyIndex(folder)

Needs pytest, which the package itself does not.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skiagraph.errors import Conflict
from skiagraph.index.base import Index, NewInstance, Outcome, StoredInstance
from skiagraph.testing.headers import ct_attributes, element, header, new_instance
from skiagraph.testing.index_model import path_of
from skiagraph.values import Attributes, ResourcePath

KEEP = 3600.0


class CommittedSuite:
    """What was committed is neither deleted nor replaced for its time."""

    def new_index(self, folder: Path) -> Index:
        """Make an empty index in an empty folder."""
        raise NotImplementedError

    @contextmanager
    def opened(self) -> Iterator[Index]:
        with tempfile.TemporaryDirectory() as folder:
            index = self.new_index(Path(folder))
            try:
                yield index
            finally:
                index.close()

    @pytest.mark.parametrize(
        "path", [ResourcePath("1.1"), ResourcePath("1.1", "2.1"), ResourcePath("1.1", "2.1", "3.1")], ids=str
    )
    def test_is_not_deleted(self, path: ResourcePath) -> None:
        with self.opened() as index:
            one = _add(index, _ct("1.1", "2.1", "3.1"))
            assert _commit(index, one) == [True]
            with pytest.raises(Conflict, match=f"{path} was not deleted: 1 Instance is committed"):
                index.delete(path, keep_committed=KEEP)
            assert asyncio.run(index.locate(one.path)) == one
            assert index.delete(path) == [one.key]

    def test_number_and_date_are_those_of_all_series(self) -> None:
        with self.opened() as index:
            uids = (("2.1", "3.1"), ("2.2", "3.2"), ("2.2", "3.3"))
            instances = [_add(index, _ct("1.1", series, uid)) for series, uid in uids]
            _commit(index, *instances[:2])
            until = time.strftime("%Y-%m-%d", time.gmtime(time.time() + KEEP))
            with pytest.raises(Conflict, match=f"2 Instances are committed.* until {until}"):
                index.delete(ResourcePath("1.1"), keep_committed=KEEP)
            assert index.delete(instances[2].path, keep_committed=KEEP) == [instances[2].key]

    def test_can_be_deleted_when_the_time_is_over(self) -> None:
        with self.opened() as index:
            one = _add(index, _ct("1.1", "2.1", "3.1"))
            _commit(index, one, age=KEEP + 1)
            assert index.delete(one.path, keep_committed=KEEP) == [one.key]

    def test_is_not_replaced(self) -> None:
        with self.opened() as index:
            one = _add(index, _ct("1.1", "2.1", "3.1"))
            other = _ct("1.1", "2.1", "3.1", {"00081030": element("LO", "Other")})
            _commit(index, one)
            (added,) = index.add([index.prepare(other)], "replace", keep_committed=KEEP)
            assert (added.outcome, added.stored_path) == (Outcome.DUPLICATE, one.path)
            (added,) = index.add([index.prepare(other)], "replace")
            assert added.outcome is Outcome.REPLACED
            index.delete(one.path, keep_committed=KEEP)  # what replaced it is not committed

    def test_what_has_gone_since_is_not_committed(self) -> None:
        with self.opened() as index:
            gone, replaced, stays = (_add(index, _ct("1.1", "2.1", uid)) for uid in ("3.1", "3.2", "3.3"))
            index.delete(gone.path)
            other = _ct("1.1", "2.1", "3.2", {"00081030": element("LO", "Other")})
            index.add([index.prepare(other)], "replace")
            assert _commit(index, gone, replaced, stays) == [False, False, True]


def _ct(study: str, series: str, uid: str, more: Attributes | None = None) -> NewInstance:
    attributes = ct_attributes(0)
    for tag, value in (("0020000D", study), ("0020000E", series), ("00080018", uid)):
        attributes[tag] = element("UI", value)
    return new_instance(header(attributes | (more or {})))


def _add(index: Index, new: NewInstance) -> StoredInstance:
    index.add([index.prepare(new)], "reject")
    stored = asyncio.run(index.identify(path_of(new).sop_instance_uid or ""))
    assert stored is not None
    return stored


def _commit(index: Index, *instances: StoredInstance, age: float = 0.0) -> list[bool]:
    (kept,) = index.together([lambda books: books.commit(instances, time.time() - age)])
    assert isinstance(kept, list), kept
    return kept
