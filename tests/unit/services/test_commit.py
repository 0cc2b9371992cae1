"""services.commit: group commit, and what becomes of the bytes of those that are not committed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from skiagraph.blobs.file import FileBlobStore
from skiagraph.bus.local import LocalBus
from skiagraph.errors import StorageFull
from skiagraph.index.base import Added, Outcome
from skiagraph.services.commit import GroupCommit, Ready


class Index:
    """Remembers the groups; `answers` maps what was prepared to an outcome or an error."""

    def __init__(self, answers: dict[str, Added | Exception] | None = None) -> None:
        self.answers = answers or {}
        self.groups: list[list[str]] = []
        self.named: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()

    def add(self, batch: Sequence[Any], policy: str, *, keep_committed: float = 0.0) -> list[Added]:
        assert self.gate.wait(30)
        self.groups.append([name for name, _ in batch])
        results = [self.answers.get(name, Added(Outcome.ADDED)) for name, _ in batch]
        for result in results:
            if isinstance(result, Exception):
                raise result
        self.named.update(key for _, key in batch)
        return results  # type: ignore[return-value]

    def known(self, keys: Sequence[str]) -> set[str]:
        return self.named.intersection(keys)


@pytest.fixture
def blobs(tmp_path: Path) -> Iterator[FileBlobStore]:
    store = FileBlobStore(tmp_path)
    yield store
    store.close()


def ready(blobs: FileBlobStore, name: str) -> Ready:
    staged = blobs.stage()
    staged.write([name.encode()])
    return Ready(staged, (name, staged.key))


def commit_all(blobs: FileBlobStore, index: Index, names: Sequence[str]) -> list[Added | BaseException]:
    async def run() -> list[Added | BaseException]:
        commits = GroupCommit(blobs, index, "reject", LocalBus(None))  # type: ignore[arg-type]
        return await asyncio.gather(*(commits.commit(ready(blobs, name)) for name in names), return_exceptions=True)

    return asyncio.run(run())


def contents(blobs: FileBlobStore) -> list[str]:
    return [blobs.path(key).read_text() for key in blobs.keys()]  # noqa: SIM118


def test_what_is_ready_together_is_committed_together(blobs: FileBlobStore) -> None:
    index = Index()
    index.gate.clear()

    async def run() -> None:
        commits = GroupCommit(blobs, index, "reject", LocalBus(None))  # type: ignore[arg-type]
        first = asyncio.ensure_future(commits.commit(ready(blobs, "a")))
        for _ in range(10):
            await asyncio.sleep(0)
        others = [asyncio.ensure_future(commits.commit(ready(blobs, name))) for name in "bcd"]
        await asyncio.sleep(0)
        index.gate.set()
        await asyncio.gather(first, *others)

    asyncio.run(run())
    assert index.groups == [["a"], ["b", "c", "d"]]
    assert sorted(contents(blobs)) == ["a", "b", "c", "d"]


def test_one_at_fault_harms_nobody_else(blobs: FileBlobStore) -> None:
    index = Index({"bad": RuntimeError("fault")})
    results = commit_all(blobs, index, ["one", "bad", "two"])
    assert [type(result) for result in results] == [Added, RuntimeError, Added]
    assert contents(blobs) == ["one", "two"]


def test_a_full_disk_fails_the_group_and_leaves_nothing(blobs: FileBlobStore) -> None:
    results = commit_all(blobs, Index({"two": StorageFull()}), ["one", "two"])
    assert [type(result) for result in results] == [StorageFull, StorageFull]
    assert contents(blobs) == []


def test_blobs_that_nobody_names_are_deleted(blobs: FileBlobStore) -> None:
    old = ready(blobs, "old")
    blobs.publish([old.staged])
    blobs.settle([old.staged])
    answers: dict[str, Added | Exception] = {
        "same": Added(Outcome.SAME),
        "duplicate": Added(Outcome.DUPLICATE),
        "kept": Added(Outcome.KEPT),
        "new": Added(Outcome.REPLACED, replaced_key=old.staged.key),
    }
    commit_all(blobs, Index(answers), list(answers))
    assert contents(blobs) == ["new"]


def test_a_commit_that_failed_only_to_say_so_keeps_its_blob(blobs: FileBlobStore) -> None:
    class Lost(Index):
        def add(self, batch: Sequence[Any], policy: str, *, keep_committed: float = 0.0) -> list[Added]:
            super().add(batch, policy)
            raise ConnectionError("lost while committing")

    (result,) = commit_all(blobs, Lost(), ["one"])
    assert isinstance(result, ConnectionError)
    assert contents(blobs) == ["one"]


def test_a_client_that_went_away_does_not_stop_the_others(blobs: FileBlobStore) -> None:
    index = Index()
    index.gate.clear()

    async def run() -> Added:
        commits = GroupCommit(blobs, index, "reject", LocalBus(None))  # type: ignore[arg-type]
        gone = asyncio.ensure_future(commits.commit(ready(blobs, "gone")))
        stays = asyncio.ensure_future(commits.commit(ready(blobs, "stays")))
        for _ in range(5):
            await asyncio.sleep(0)
        gone.cancel()
        index.gate.set()
        return await stays

    assert asyncio.run(run()).outcome is Outcome.ADDED
    assert sorted(contents(blobs)) == ["gone", "stays"]


def test_what_is_committed_is_answered_even_if_tidying_up_fails(
    blobs: FileBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(blobs, "settle", fail)
    (result,) = commit_all(blobs, Index(), ["one"])
    assert isinstance(result, Added)
    assert contents(blobs) == ["one"]


def test_nobody_waits_for_an_answer_that_never_comes(blobs: FileBlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("worse")

    monkeypatch.setattr(blobs, "publish", fail)
    monkeypatch.setattr(blobs, "delete", fail)
    results = commit_all(blobs, Index(), ["one", "two"])
    assert [type(result) for result in results] == [RuntimeError, RuntimeError]
