"""The pool: what is alike is done once, what was done is kept within bounds, what fails fails for all who wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from skiagraph.workers import Workers


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(2, 1000)
    yield made
    made.close()


def test_work_runs_in_threads(workers: Workers) -> None:
    async def main() -> str:
        return await workers.run(lambda: threading.current_thread().name)

    assert asyncio.run(main()).startswith("worker")
    assert asyncio.run(main()).startswith("worker"), "whatever the event loop"


def test_no_more_at_a_time_than_threads(workers: Workers) -> None:
    lock, now, most = threading.Lock(), 0, 0
    both = threading.Barrier(2)

    def work() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        both.wait(10)
        with lock:
            now -= 1

    async def main() -> None:
        await asyncio.gather(*(workers.run(work) for _ in range(10)))

    asyncio.run(main())
    assert most == 2


def test_alike_is_done_once(workers: Workers) -> None:
    done = 0

    async def make() -> bytes:
        nonlocal done
        done += 1
        await asyncio.sleep(0)
        return b"result"

    async def main() -> list[bytes]:
        together = await asyncio.gather(*(workers.once("key", make, len) for _ in range(5)))
        return [*together, await workers.once("key", make, len)]

    assert asyncio.run(main()) == [b"result"] * 6
    assert done == 1


def test_what_is_kept_is_bounded(workers: Workers) -> None:
    made: list[int] = []

    def maker(number: int, size: int) -> object:
        async def make() -> bytes:
            made.append(number)
            return bytes(size)

        return workers.once(number, make, len)

    async def main() -> None:
        for number in range(6):  # 200 bytes each: five of them are kept
            await maker(number, 200)  # type: ignore[misc]
        await maker(1, 200)  # type: ignore[misc]
        await maker(0, 200)  # type: ignore[misc]
        await maker(9, 251)  # type: ignore[misc]
        await maker(9, 251)  # type: ignore[misc]

    asyncio.run(main())
    assert made == [0, 1, 2, 3, 4, 5, 0, 9, 9], "least recently used go; what is too large never stays"


def test_errors_are_everybodys_and_are_not_kept(workers: Workers) -> None:
    calls = 0

    async def fail() -> bytes:
        nonlocal calls
        calls += 1
        raise ValueError("no")

    async def main() -> list[object]:
        return list(await asyncio.gather(*(workers.once("key", fail, len) for _ in range(3)), return_exceptions=True))

    assert [type(result) for result in asyncio.run(main())] == [ValueError] * 3
    assert calls == 1
    with pytest.raises(ValueError, match="no"):
        asyncio.run(workers.once("key", fail, len))
    assert calls == 2


def test_one_who_gives_up_does_not_spoil_it_for_others(workers: Workers) -> None:
    async def main() -> bytes:
        go = asyncio.Event()

        async def make() -> bytes:
            await go.wait()
            return b"result"

        first = asyncio.create_task(workers.once("key", make, len))
        second = asyncio.create_task(workers.once("key", make, len))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        go.set()
        return await second

    assert asyncio.run(main()) == b"result"


def test_ahead(workers: Workers) -> None:
    made: list[str] = []

    async def main() -> None:
        go = asyncio.Event()

        async def make() -> bytes:
            await go.wait()
            made.append("x")
            return b"result"

        for key in range(5):
            workers.ahead(key, make, len)
        go.set()
        assert await workers.once(0, make, len) == b"result"
        await asyncio.sleep(0)

    asyncio.run(main())
    assert len(made) == 2, "no more than there are threads"


def test_what_nobody_waits_for_fails_in_silence(workers: Workers) -> None:
    async def fail() -> bytes:
        raise ValueError

    async def main() -> None:
        workers.ahead("key", fail, len)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(main())


def test_a_loop_that_ended_leaves_nothing_behind(workers: Workers) -> None:
    async def never() -> bytes:
        await asyncio.Event().wait()
        return b""

    async def begin() -> None:
        workers.ahead("key", never, len)
        await asyncio.sleep(0)

    async def make() -> bytes:
        return b"result"

    asyncio.run(begin())
    assert asyncio.run(workers.once("key", make, len)) == b"result"


# What takes several steps


def test_a_step_is_waited_for_when_nobody_wants_it(workers: Workers) -> None:
    """Nobody else may touch what a step works on, or close it, before it is over."""
    begun, go_on = threading.Event(), threading.Event()
    over = []

    def step() -> None:
        begun.set()
        go_on.wait(10)
        over.append(True)

    async def main() -> None:
        task = asyncio.create_task(workers.to_the_end(step))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert over

    asyncio.run(main())


def test_steps_give_what_they_give(workers: Workers) -> None:
    def fail() -> None:
        raise ValueError("no")

    async def main() -> None:
        assert await workers.to_the_end(pow, 2, 3) == 8
        with pytest.raises(ValueError, match="no"):
            await workers.to_the_end(fail)

    asyncio.run(main())


def test_turns(workers: Workers) -> None:
    """As many at a time as there are threads, in each line."""
    now, most = {"a": 0, "b": 0}, {"a": 0, "b": 0}

    async def one(line: str) -> None:
        async with workers.turn(line):
            now[line] += 1
            most[line] = max(most[line], now[line])
            await asyncio.sleep(0)
            now[line] -= 1

    async def main() -> None:
        await asyncio.gather(*(one(line) for line in "aabbaabb"))

    asyncio.run(main())
    asyncio.run(main())
    assert most == {"a": 2, "b": 2}


def test_a_line_may_have_room_for_less(workers: Workers) -> None:
    now = most = 0

    async def one() -> None:
        nonlocal now, most
        async with workers.turn("long", 1):
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1

    async def main() -> None:
        await asyncio.gather(*(one() for _ in range(4)))

    asyncio.run(main())
    assert most == 1


def test_what_is_wanted_by_many_is_made_once(workers: Workers) -> None:
    made = 0

    async def make() -> int:
        nonlocal made
        made += 1
        await asyncio.sleep(0)
        return made

    async def main() -> None:
        assert await asyncio.gather(*(workers.once("key", make) for _ in range(5))) == [1] * 5
        assert await workers.once("key", make) == 2, "nothing is kept"

    asyncio.run(main())


def test_what_nobody_wants_any_more_is_not_made(workers: Workers) -> None:
    ended = []

    async def make() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def main() -> None:
        tasks = [asyncio.create_task(workers.once("key", make)) for _ in range(3)]
        await asyncio.sleep(0)
        for task in tasks[:2]:
            task.cancel()
        await asyncio.gather(*tasks[:2], return_exceptions=True)
        assert not ended, "somebody waits"
        tasks[2].cancel()
        await asyncio.gather(tasks[2], return_exceptions=True)
        await asyncio.sleep(0)
        assert ended

    asyncio.run(main())


def test_what_was_begun_ahead_goes_on(workers: Workers) -> None:
    async def main() -> bytes:
        go = asyncio.Event()

        async def make() -> bytes:
            await go.wait()
            return b"result"

        workers.ahead("key", make, len)
        task = asyncio.create_task(workers.once("key", make, len))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        later = asyncio.create_task(workers.once("key", make, len))
        await asyncio.sleep(0)
        go.set()
        return await later

    assert asyncio.run(main()) == b"result"


def test_work_that_waits_in_line_is_dropped_when_nobody_wants_it(workers: Workers) -> None:
    go_on = threading.Event()
    done: list[int] = []

    def work(number: int) -> int:
        go_on.wait(10)
        done.append(number)
        return number

    async def main() -> None:
        tasks = [
            asyncio.create_task(workers.once(number, lambda number=number: workers.run(work, number)))
            for number in range(6)
        ]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
        go_on.set()
        assert await workers.run(pow, 2, 3) == 8, "its turn comes at once"

    asyncio.run(main())
    assert set(done) <= {0, 1}, "what had begun alone"


def test_what_fails_fails_for_all_who_want_it(workers: Workers) -> None:
    async def make() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    async def main() -> None:
        found = await asyncio.gather(*(workers.once("key", make) for _ in range(3)), return_exceptions=True)
        assert [str(error) for error in found] == ["no"] * 3

    asyncio.run(main())
