"""The parameters of images in the URI Service: PS3.18 §9.5.1.2, §9.5.2; as the Rendered resources spell them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.errors import BadRequest
from skiagraph.pixels.viewport import fit
from skiagraph.standard.rendering import Viewport, Window
from skiagraph.wire.query import parse_query
from skiagraph.wire.rendering_query import parse_rendered
from skiagraph.wire.uri_image_query import NAMES, ImageQuery, parse_image, rendered_query


def parse(query: str) -> ImageQuery:
    return parse_image(dict(parse_query(query)))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("", ImageQuery(), id="9.5.1.2 all are optional"),
        pytest.param("annotation=patient", ImageQuery(annotation="patient"), id="9.5.1.2.2 patient"),
        pytest.param("annotation=technique,patient", ImageQuery(annotation="technique,patient"), id="9.5.1.2.2 both"),
        pytest.param("annotation=other", ImageQuery(annotation="other"), id="8.3.5.1.1 another keyword"),
        pytest.param("imageQuality=1", ImageQuery(quality=1), id="9.5.1.2.3 worst"),
        pytest.param("imageQuality=100", ImageQuery(quality=100), id="9.5.1.2.3 best"),
        pytest.param("rows=1&columns=32768", ImageQuery(rows=1, columns=32768), id="9.5.1.2.4 both"),
        pytest.param("rows=64", ImageQuery(rows=64), id="9.5.2.5 rows alone"),
        pytest.param("columns=64", ImageQuery(columns=64), id="9.5.2.5 columns alone"),
        pytest.param("region=0,0,1,1", ImageQuery(region=(0, 0, 1, 1)), id="9.5.1.2.5 all"),
        pytest.param(
            "region=0.25,0.1e0,+0.75,5e-1", ImageQuery(region=(0.25, 0.1, 0.75, 0.5)), id="9.5.1.2.5 decimals"
        ),
        pytest.param(
            "windowCenter=-600.5&windowWidth=1.5e3", ImageQuery(window=("-600.5", "1.5e3")), id="9.5.1.2.6 window"
        ),
        pytest.param("windowWidth=1&windowCenter=0", ImageQuery(window=("0", "1")), id="C.11.2.1.2 least width"),
        pytest.param("frameNumber=7", ImageQuery(frame=7), id="9.5.1.2.1 frame"),
        pytest.param("frameNumber=007", ImageQuery(frame=7), id="9.5.1.2.1 leading zeros"),
        pytest.param(
            "presentationUID=1.2&presentationSeriesUID=1.3", ImageQuery(presentation=("1.3", "1.2")), id="9.5.1.2.7"
        ),
        pytest.param(
            "presentationUID=1.2&presentationSeriesUID=1.3&region=0,0,1,1&rows=2&columns=3&imageQuality=4",
            ImageQuery(quality=4, rows=2, columns=3, region=(0, 0, 1, 1), presentation=("1.3", "1.2")),
            id="9.5.1.2.7 what may stand beside it",
        ),
    ],
)
def test_what_a_query_says(query: str, expected: ImageQuery) -> None:
    assert parse(query) == expected


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("annotation", id="9.5.1.2.2 annotation without value"),
        pytest.param("annotation=", id="9.5.1.2.2 annotation is empty"),
        pytest.param("annotation=patient,", id="5.1.3 annotation: an empty element"),
        pytest.param("annotation=a%20b", id="8.3.5.1.1 annotation is no keyword"),
        pytest.param("imageQuality", id="9.5.1.2.3 imageQuality without value"),
        pytest.param("imageQuality=0", id="9.5.1.2.3 imageQuality below 1"),
        pytest.param("imageQuality=101", id="9.5.1.2.3 imageQuality above 100"),
        pytest.param("imageQuality=90.5", id="9.5.1.2.3 imageQuality is no integer"),
        pytest.param("imageQuality=90,91", id="9.5.1.2.3 imageQuality: a list"),
        pytest.param("rows=0", id="9.5.1.2.4.1 rows: 0"),
        pytest.param("rows=-1", id="9.5.1.2.4.1 rows: negative"),
        pytest.param("rows=", id="9.5.1.2.4.1 rows is empty"),
        pytest.param("rows=1.5", id="9.5.1.2.4.1 rows is no integer"),
        pytest.param("rows=32769", id="rows: larger than is supported"),
        pytest.param("columns=0", id="9.5.1.2.4.2 columns: 0"),
        pytest.param("columns=x", id="9.5.1.2.4.2 columns is no integer"),
        pytest.param(f"columns={'9' * 5000}", id="9.5.1.2.4.2 columns: endless"),
        pytest.param("columns=1,2", id="9.5.1.2.4.2 columns: a list"),
        pytest.param("region", id="9.5.1.2.5 region without value"),
        pytest.param("region=0,0,1", id="9.5.1.2.5 region of three"),
        pytest.param("region=0,0,1,1,1", id="9.5.1.2.5 region of five"),
        pytest.param("region=0,0,,1", id="9.5.1.2.5 region with an empty element"),
        pytest.param("region=-0.1,0,1,1", id="9.5.1.2.5 xmin below 0"),
        pytest.param("region=0,0,1.1,1", id="9.5.1.2.5 xmax above 1"),
        pytest.param("region=0,0,1,2", id="9.5.1.2.5 ymax above 1"),
        pytest.param("region=0.5,0,0.5,1", id="9.5.1.2.5 no width"),
        pytest.param("region=0,0.6,1,0.5", id="9.5.1.2.5 ymin above ymax"),
        pytest.param("region=0,0,1,one", id="9.5.1.2.5 no decimal"),
        pytest.param("region=0,0,1,nan", id="5.1.1 nan is no decimal"),
        pytest.param("region=0,0,1,0.12345678901234567", id="5.1.1 a decimal of more than 16 characters"),
        pytest.param("windowCenter=40", id="9.5.1.2.6 windowCenter alone"),
        pytest.param("windowWidth=400", id="9.5.1.2.6 windowWidth alone"),
        pytest.param("windowCenter=&windowWidth=400", id="9.5.1.2.6 windowCenter is empty"),
        pytest.param("windowCenter=40&windowWidth", id="9.5.1.2.6 windowWidth without value"),
        pytest.param("windowCenter=x&windowWidth=400", id="9.5.1.2.6 windowCenter is no decimal"),
        pytest.param("windowCenter=40,41&windowWidth=400", id="9.5.1.2.6 windowCenter: a list"),
        pytest.param("windowCenter=40&windowWidth=0.5", id="C.11.2.1.2 windowWidth below 1"),
        pytest.param("windowCenter=40&windowWidth=1e999", id="5.1.1 infinite"),
        pytest.param("frameNumber=0", id="9.5.2.1 frameNumber: 0"),
        pytest.param("frameNumber=-1", id="9.5.2.1 frameNumber: negative"),
        pytest.param("frameNumber=1,2", id="9.5.2.1 frameNumber: more than one"),
        pytest.param("frameNumber=first", id="9.5.2.1 frameNumber is no integer"),
        pytest.param("frameNumber=", id="9.5.2.1 frameNumber is empty"),
        pytest.param("presentationUID=1.2", id="9.5.1.2.7 presentationUID alone"),
        pytest.param("presentationSeriesUID=1.2", id="9.5.1.2.7 presentationSeriesUID alone"),
        pytest.param("presentationUID=x&presentationSeriesUID=1.2", id="9.5.1.2.7.2 presentationUID is no UID"),
        pytest.param("presentationUID=1.2&presentationSeriesUID=", id="9.5.1.2.7.1 presentationSeriesUID is empty"),
        pytest.param(
            "presentationUID=1.2&presentationSeriesUID=1.3&windowCenter=1&windowWidth=2", id="9.5.1.2.7 and window"
        ),
        pytest.param("presentationUID=1.2&presentationSeriesUID=1.3&frameNumber=1", id="9.5.1.2.7 and frameNumber"),
    ],
)
def test_what_is_wrong(query: str) -> None:
    with pytest.raises(BadRequest):
        parse(query)


def test_names_of_what_is_given() -> None:
    query = (
        "annotation=patient&imageQuality=1&rows=1&columns=1&region=0,0,1,1"
        "&presentationUID=1.2&presentationSeriesUID=1.3"
    )
    assert {*parse(query).given} | {"windowCenter", "windowWidth", "frameNumber"} == NAMES
    assert parse("windowCenter=1&windowWidth=2&frameNumber=3").given == ("windowCenter", "windowWidth", "frameNumber")
    assert parse("").given == ()


@pytest.mark.parametrize(
    ("query", "viewport"),
    [
        pytest.param("", None, id="9.5.2.5 neither: as it is"),
        pytest.param("rows=50&columns=60", Viewport(60, 50), id="9.5.2.5 both are bounds"),
        pytest.param("rows=50", Viewport(32768, 50), id="9.5.2.5 rows alone"),
        pytest.param("columns=60", Viewport(60, 32768), id="9.5.2.5 columns alone"),
        pytest.param("region=0.25,0.5,0.75,1", Viewport(100, 50, 50, 50, 100, 50), id="9.5.2.4 as many pixels"),
        pytest.param("region=0.2512,0,0.5,0.5", Viewport(50, 50, 50, 0, 50, 50), id="9.5.2.4 whole pixels"),
        pytest.param("region=0,0,0.0001,0.0001", Viewport(1, 1, 0, 0, 1, 1), id="9.5.2.4 at least one pixel"),
        pytest.param("region=0.9999,0.9999,1,1", Viewport(1, 1, 199, 99, 1, 1), id="9.5.2.4 the last pixel"),
        pytest.param(
            "region=0.1234,0,0.5,1&columns=1000",
            Viewport(1000, 32768, 24.68, 0, 75.32, 100),
            id="9.5.2.4 parts of pixels where it is scaled",
        ),
    ],
)
def test_region_and_size_as_viewport(query: str, viewport: Viewport | None) -> None:
    assert parse_rendered(rendered_query(parse(query), 200, 100)).viewport == viewport


def test_the_others_as_the_rendered_resources_spell_them() -> None:
    image = parse("windowCenter=+1e2&windowWidth=2.5&imageQuality=7&annotation=patient,x-other")
    asked = parse_rendered(rendered_query(image, 0, 0))
    assert asked.window == Window(100, 2.5)
    assert asked.quality == 7
    assert [member.value for member in asked.annotation] == ["patient"]
    assert asked.unsupported_annotation == ("x-other",)


_FRACTION = st.integers(0, 10**6).map(lambda number: number / 10**6)
_SIZE = st.integers(1, 200_000)
_BOUND = st.none() | st.integers(1, 512)


@given(st.tuples(_FRACTION, _FRACTION), st.tuples(_FRACTION, _FRACTION), _SIZE, _SIZE, _BOUND, _BOUND)
def test_every_region_of_every_image_is_one_that_can_be_shown(
    x: tuple[float, float], y: tuple[float, float], columns: int, rows: int, width: int | None, height: int | None
) -> None:
    if x[0] == x[1] or y[0] == y[1]:
        return
    image = ImageQuery(region=(min(x), min(y), max(x), max(y)), columns=width, rows=height)
    query = rendered_query(image, columns, rows)
    if width is None and height is None and (max(x) - min(x)) * columns > 30000:
        return
    if width is None and height is None and (max(y) - min(y)) * rows > 30000:
        return
    viewport = parse_rendered(query).viewport
    assert viewport is not None
    if viewport.width * viewport.height > 2**26:
        return
    shown = fit(columns, rows, viewport)
    assert 0 <= shown.left < shown.right <= columns
    assert 0 <= shown.upper < shown.lower <= rows
    if width is None and height is None:
        assert (shown.width, shown.height) == (shown.right - shown.left, shown.lower - shown.upper)
        assert abs(shown.left - min(x) * columns) <= 1
        assert abs(shown.lower - max(y) * rows) <= 1
