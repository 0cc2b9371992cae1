"""services.event_queue: the queue of a subscriber by number; what is acknowledged is not given again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import orjson
import pytest

from archives import BASE, Given, opened
from skiagraph.errors import UpgradeRequired
from skiagraph.standard import event_report

REPORT = event_report.state_report("1.2.3", {})


@pytest.fixture
def given(tmp_path: Path) -> Iterator[Given]:
    with opened(tmp_path / "data") as archive:
        yield archive


def report(given: Given, *ae_titles: str) -> None:
    given.archive.index.together([lambda books, ae=ae: books.report(REPORT, [ae]) for ae in ae_titles])  # type: ignore[misc]


def numbers(given: Given, ae: str, query: str = "") -> list[int]:
    answer = given.get(f"subscribers/{ae}/events", query=query)
    assert answer.status == 200
    return [one["number"] for one in orjson.loads(answer.body)]


def test_each_subscriber_has_its_own(given: Given) -> None:
    report(given, "A", "B", "A")
    assert numbers(given, "A") == [1, 3]
    assert numbers(given, "B") == [2]
    assert numbers(given, "C") == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("after=0", [1, 2, 3, 4, 5]),
        ("after=2", [3, 4, 5]),
        ("limit=2", [1, 2]),
        ("after=2&limit=1", [3]),
        ("after=5", []),
        ("after=999999999999999999", []),
        ("limit=0", []),
        ("limit=99999", [1, 2, 3, 4, 5]),
    ],
)
def test_a_cursor_reads_on(given: Given, query: str, expected: list[int]) -> None:
    report(given, *["A"] * 5)
    assert numbers(given, "A", query) == expected


def test_reading_acknowledges_nothing(given: Given) -> None:
    report(given, "A")
    assert numbers(given, "A") == numbers(given, "A") == [1]


def test_what_is_acknowledged_is_not_given_again(given: Given) -> None:
    report(given, "A", "B", "A", "A")
    assert given.get("subscribers/A/events", method="DELETE", query="upto=3").status == 204
    assert numbers(given, "A") == [4]
    assert numbers(given, "B") == [2]
    assert given.get("subscribers/A/events", method="DELETE", query="upto=1").status == 204
    assert numbers(given, "A") == [4], "a lower number takes nothing back"
    assert numbers(given, "A", "after=0")[-1] == 4


@pytest.mark.parametrize("query", ["", "upto=0", "upto=2", "upto=x", "upto=-1", "upto=999999999999999999"])
def test_what_is_not_there_can_not_be_acknowledged(given: Given, query: str) -> None:
    report(given, "A")
    assert given.get("subscribers/A/events", method="DELETE", query=query).status == 400


def test_message_ids_are_16_bits(given: Given) -> None:
    async def low() -> None:
        await given.archive.journal.write(lambda books: books.report(REPORT, [f"X{n}" for n in range(70_000)]))

    asyncio.run(low())
    report(given, "A")
    (one,) = orjson.loads(given.get("subscribers/A/events").body)
    assert one["number"] == 70_001
    assert one["report"]["00000110"]["Value"] == [70_000 % 65_535 + 1]


@pytest.mark.parametrize("ae", ["A B", "A?B", "A%42", 'A"<>B', "A#B", "A&B=C", "A;B", "{A}"])
def test_the_link_leads_on_whatever_the_ae_title(given: Given, ae: str) -> None:
    report(given, ae)
    answer = given.get(f"subscribers/{ae}/events")
    assert answer.status == 200
    assert answer.headers["link"] == f'<{BASE}/subscribers/{quote(ae, safe="")}/events?after=1>; rel="next"'


@pytest.mark.parametrize("ae", ["ABCDEFGHIJKLMNOPQ", "A\\B", "\u00c4E", "A\tB", " "])
def test_what_is_no_ae_title(given: Given, ae: str) -> None:
    assert given.get(f"subscribers/{ae}/events").status == 400


@pytest.mark.parametrize("path", ["subscribers/A", "ws/subscribers/A"])
def test_without_a_handshake(given: Given, path: str) -> None:
    answer = given.get(path)
    assert answer.status == 426
    assert isinstance(answer.error, UpgradeRequired)
