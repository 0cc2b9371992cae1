"""Pages of line drawings: lines where they should be, sharp or smooth, text that can be read or is left out."""

from __future__ import annotations

import numpy as np
import pytest

from skiagraph.pixels.page import Curve, Grid, Page, Rule, Shape, Words

BLACK, RED = (0, 0, 0), (200, 0, 0)


def page(*shapes: Shape) -> Page:
    return Page(100.0, 50.0, list(shapes))


def curve(*points: tuple[float, float], width: float = 1.0) -> Curve:
    return Curve(np.array(points), BLACK, width)


def dark(
    drawn: Page, columns: int = 200, rows: int = 100, box: tuple[float, float, float, float] | None = None
) -> object:
    return drawn.render(columns, rows, box).max(axis=2) < 128


def test_an_empty_page_is_white() -> None:
    drawn = page().render(200, 100)
    assert drawn.shape == (100, 200, 3)
    assert (drawn == 255).all()


def test_a_grid_has_lines_at_its_step() -> None:
    found = np.asarray(dark(page(Grid(10.0, 10.0, 30.0, 20.0, 5.0, BLACK))))
    assert np.flatnonzero(found[25]).tolist() == [20, 30, 40, 50, 60]
    assert np.flatnonzero(found[:, 25]).tolist() == [20, 30, 40]


def test_a_grid_that_would_be_a_tint_is_left_out() -> None:
    assert not np.asarray(dark(page(Grid(0.0, 0.0, 100.0, 50.0, 1.0, BLACK)))).any()


@pytest.mark.parametrize(
    ("rule", "rows", "columns"),
    [
        (Rule(10.0, 5.0, 10.0, 20.0, BLACK), (10, 40), (20, 20)),
        (Rule(10.0, 20.0, 10.0, 5.0, BLACK), (10, 40), (20, 20)),
        (Rule(-50.0, 5.0, 500.0, 5.0, BLACK), (10, 10), (0, 199)),
    ],
)
def test_rules(rule: Rule, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    places = np.argwhere(np.asarray(dark(page(rule))))
    assert (places[:, 0].min(), places[:, 0].max()) == rows
    assert (places[:, 1].min(), places[:, 1].max()) == columns


def test_curves_are_as_wide_as_they_say_and_smooth() -> None:
    drawn = page(curve((0.0, 10.0), (100.0, 14.0), width=2.0)).render(1000, 500)
    column = drawn[:, 500, 0].astype(int)
    assert (255 - column).sum() / 255 == pytest.approx(20, abs=2)
    assert len(np.unique(drawn)) > 3, "edges are gray"


def test_thin_curves_do_not_fade() -> None:
    drawn = page(curve((0.0, 25.0), (100.0, 25.0), width=0.01)).render(100, 50)
    assert drawn.min() < 80


def test_gaps() -> None:
    found = np.asarray(dark(page(curve((10.0, 10.0), (30.0, 10.0), (40.0, np.nan), (50.0, 10.0), (90.0, 10.0)))))
    columns = np.flatnonzero(found.any(axis=0))
    assert not {70, 80, 90} & set(columns.tolist())
    assert {30, 55, 110, 170} <= set(columns.tolist())


def test_a_lonely_point_is_a_dot() -> None:
    assert 2 <= np.asarray(dark(page(curve((50.0, 25.0))))).sum() <= 9


@pytest.mark.parametrize("value", [1e300, -1e300, np.inf])
def test_points_far_away(value: float) -> None:
    page(curve((10.0, 10.0), (20.0, value), (value, 10.0), (30.0, 10.0))).render(200, 100)


def test_a_region_is_drawn_in_its_size() -> None:
    drawn = page(Rule(50.0, 0.0, 50.0, 50.0, BLACK), curve((0.0, 25.0), (100.0, 25.0)))
    found = np.asarray(dark(drawn, 400, 400, (45.0, 20.0, 55.0, 30.0)))
    assert np.flatnonzero(found[20]).tolist() == [200], "a rule is one pixel wide in every size"
    assert np.flatnonzero(found[:, 20]).tolist() == pytest.approx(list(range(180, 220)), abs=1)


def test_colours_do_not_mix() -> None:
    drawn = page(Curve(np.array([(0.0, 10.0), (100.0, 10.0)]), RED, 2.0), curve((0.0, 30.0), (100.0, 30.0))).render(
        200, 100
    )
    assert tuple(drawn[20, 100]) == RED
    assert tuple(drawn[60, 100]) == BLACK


@pytest.mark.parametrize(("anchor", "left", "right"), [("l", 99, 130), ("m", 84, 116), ("r", 67, 101)])
def test_words_stand_where_their_anchor_is(anchor: str, left: int, right: int) -> None:
    found = np.asarray(dark(page(Words(50.0, 30.0, "MMM", 6.0, BLACK, anchor))))  # type: ignore[arg-type]
    columns = np.flatnonzero(found.any(axis=0))
    assert left <= columns.min()
    assert columns.max() <= right + 8
    assert np.flatnonzero(found.any(axis=1)).max() <= 61, "y is the base line"


def test_words_that_can_not_be_read_are_left_out() -> None:
    drawn = page(Words(50.0, 30.0, "MMM", 2.0, BLACK))
    assert not np.asarray(dark(drawn)).any()
    assert np.asarray(dark(drawn, 800, 400)).any()


@pytest.mark.parametrize("size", [1e-3, 1e-9, 1e-30])
def test_a_region_of_next_to_nothing(size: float) -> None:
    shapes = (
        Words(50.0, 30.0, "MMM", 6.0, BLACK),
        curve((0.0, 0.0), (100.0, 50.0)),
        Rule(0.0, 25.0, 90.0, 25.0, BLACK),
    )
    page(*shapes, Grid(0.0, 0.0, 100.0, 50.0, 1.0, RED)).render(400, 400, (50.0, 25.0, 50.0 + size, 25.0 + size))


def test_words_that_are_too_long_are_cut() -> None:
    found = np.asarray(dark(page(Words(10.0, 30.0, "word " * 50, 6.0, BLACK, most=40.0))))
    assert np.flatnonzero(found.any(axis=0)).max() <= 20 + 80 + 4


def test_the_same_page_gives_the_same_pixels() -> None:
    shapes = [Words(10.0, 30.0, "山田 שלום", 6.0, BLACK), curve((0.0, 0.0), (100.0, 50.0))]
    assert (page(*shapes).render(300, 150) == page(*shapes).render(300, 150)).all()
