"""The parameters of Rendered and Thumbnail resources: PS3.18 §8.3.5.1, §8.3.5.2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiagraph.errors import BadRequest
from skiagraph.standard.rendering import Annotation, IccProfile, Viewport, VoiFunction, Window
from skiagraph.wire.rendering_query import (
    LARGEST_VIEWPORT,
    RenderingQuery,
    check_presentation_state,
    parse_rendered,
    parse_thumbnail,
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("", RenderingQuery(), id="8.3.5.1 all are optional"),
        pytest.param("accept=image/png", RenderingQuery(), id="accept is read elsewhere"),
        pytest.param("Window=1,2", RenderingQuery(unknown=("Window",)), id="8.3 names are case-sensitive"),
        pytest.param("x=1&y=2&x=3", RenderingQuery(unknown=("x", "y")), id="8.3 unknown parameters are ignored"),
        # window
        pytest.param("window=40,400,linear", RenderingQuery(Window(40, 400)), id="window: center comes first"),
        pytest.param(
            "window=-600.5,1.5e3,linear-exact",
            RenderingQuery(Window(-600.5, 1500, VoiFunction.LINEAR_EXACT)),
            id="window: decimals with sign, fraction, exponent",
        ),
        pytest.param(
            "window=+0,0.25,sigmoid", RenderingQuery(Window(0, 0.25, VoiFunction.SIGMOID)), id="C.11.2.1.3 width > 0"
        ),
        pytest.param("window=0,1,linear", RenderingQuery(Window(0, 1)), id="C.11.2.1.2 linear: width of 1"),
        pytest.param(
            "window=40%2C400%2Clinear&viewport=9%2c9&annotation=patient%2Ctechnique",
            RenderingQuery(Window(40, 400), Viewport(9, 9), annotation=frozenset(Annotation)),
            id="commas as browsers and HTTP libraries encode them",
        ),
        # viewport
        pytest.param("viewport=512,256", RenderingQuery(viewport=Viewport(512, 256)), id="viewport: two values"),
        pytest.param(
            "viewport=512,256,10",
            RenderingQuery(viewport=Viewport(512, 256, x=10)),
            id="viewport: trailing values may be missing",
        ),
        pytest.param(
            "viewport=512,512,,,512,128.5",
            RenderingQuery(viewport=Viewport(512, 512, region_width=512, region_height=128.5)),
            id="viewport: elision keeps the commas",
        ),
        pytest.param(
            "viewport=512,512,,7",
            RenderingQuery(viewport=Viewport(512, 512, y=7)),
            id="viewport: one elided value",
        ),
        pytest.param(
            "viewport=9,9,-3,-4,5,6",
            RenderingQuery(viewport=Viewport(9, 9, 3, 4, 5, 6)),
            id="viewport: absolute values of sx, sy do not flip",
        ),
        pytest.param(
            "viewport=9,9,1,2,-5,6",
            RenderingQuery(viewport=Viewport(9, 9, 1, 2, 5, 6, flip_horizontally=True)),
            id="viewport: negative sw flips horizontally",
        ),
        pytest.param(
            "viewport=9,9,,,,-6",
            RenderingQuery(viewport=Viewport(9, 9, region_height=6, flip_vertically=True)),
            id="viewport: negative sh flips vertically",
        ),
        # quality
        pytest.param("quality=1", RenderingQuery(quality=1), id="quality: lowest"),
        pytest.param("quality=100", RenderingQuery(quality=100), id="quality: best"),
        # annotation
        pytest.param(
            "annotation=patient",
            RenderingQuery(annotation=frozenset({Annotation.PATIENT})),
            id="annotation: one",
        ),
        pytest.param(
            "annotation=technique,patient,technique",
            RenderingQuery(annotation=frozenset(Annotation)),
            id="annotation: list",
        ),
        pytest.param(
            "annotation=patient,laterality,Patient",
            RenderingQuery(
                annotation=frozenset({Annotation.PATIENT}), unsupported_annotation=("laterality", "Patient")
            ),
            id="8.3.5.1.1 unsupported keywords are ignored and named",
        ),
        # iccprofile
        *(
            pytest.param(f"iccprofile={name}", RenderingQuery(icc_profile=member), id=f"iccprofile: {name}")
            for name, member in (
                ("no", IccProfile.NO),
                ("yes", IccProfile.YES),
                ("srgb", IccProfile.SRGB),
                ("adobergb", IccProfile.ADOBE_RGB),
                ("rommrgb", IccProfile.ROMM_RGB),
                ("displayp3", IccProfile.DISPLAY_P3),
            )
        ),
        # charset
        pytest.param("charset=UTF-8,%22ISO_IR%20100%22", RenderingQuery(charset=("utf-8", '"iso_ir 100"')), id="8.8"),
        pytest.param("charset=", RenderingQuery(), id="8.8 unsupported character sets are ignored"),
    ],
)
def test_parse_rendered(query: str, expected: RenderingQuery) -> None:
    assert parse_rendered(query) == expected


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("window", id="window: no value"),
        pytest.param("window=", id="window: empty value"),
        pytest.param("window=40,400", id="window: function missing"),
        pytest.param("window=40", id="window: width missing"),
        pytest.param("window=40,,linear", id="window: width elided"),
        pytest.param("window=,400,linear", id="window: center elided"),
        pytest.param("window=40,400,linear,1", id="window: too many values"),
        pytest.param("window=40,400,LINEAR", id="window: upper case function"),
        pytest.param("window=40,400,linear_exact", id="window: DICOM term with underscore"),
        pytest.param("window=40,400,cubic", id="window: unknown function"),
        pytest.param("window=a,400,linear", id="window: no number"),
        pytest.param("window=nan,400,linear", id="window: NaN"),
        pytest.param("window=inf,400,linear", id="window: infinity"),
        pytest.param("window=1e999,400,linear", id="window: beyond all numbers"),
        pytest.param("window=1.,400,linear", id="5.1.1 decimal: no digit behind the point"),
        pytest.param("window=.5,400,linear", id="5.1.1 decimal: no digit before the point"),
        pytest.param("window=1%20,400,linear", id="5.1.1 decimal: blanks"),
        pytest.param("window=1.2345678901234567,400,linear", id="5.1.1 decimal: more than 16 characters"),
        pytest.param("window=%D9%A1,400,linear", id="5.1.1 decimal: digits of other scripts"),
        pytest.param("window=40,0,linear", id="C.11.2.1.2 linear: width of 0"),
        pytest.param("window=40,0.5,linear", id="C.11.2.1.2 linear: width below 1"),
        pytest.param("window=40,-5,linear", id="C.11.2.1.2 linear: negative width"),
        pytest.param("window=40,0,linear-exact", id="C.11.2.1.3 linear-exact: width of 0"),
        pytest.param("window=40,0,sigmoid", id="C.11.2.1.3 sigmoid: width of 0"),
        pytest.param("window=40,-1,sigmoid", id="C.11.2.1.3 sigmoid: negative width"),
        pytest.param("window=1,2,linear&window=1,2,linear", id="window twice"),
        pytest.param("viewport", id="viewport: no value"),
        pytest.param("viewport=", id="viewport: empty"),
        pytest.param("viewport=512", id="viewport: one value"),
        pytest.param("viewport=512,", id="viewport: height missing"),
        pytest.param("viewport=,512", id="viewport: width missing"),
        pytest.param("viewport=0,512", id="viewport: zero width"),
        pytest.param("viewport=512,-512", id="viewport: negative size"),
        pytest.param("viewport=512.5,512", id="viewport: fraction of a pixel"),
        pytest.param("viewport=5e2,512", id="viewport: exponent"),
        pytest.param("viewport=512,512,", id="viewport: trailing comma"),
        pytest.param("viewport=512,512,,,", id="viewport: trailing commas"),
        pytest.param("viewport=512,512,1,2,", id="viewport: trailing comma behind numbers"),
        pytest.param("viewport=512,512,a", id="viewport: no number"),
        pytest.param("viewport=512,512,0,0,0,5", id="viewport: empty source region"),
        pytest.param("viewport=512,512,0,0,5,0", id="viewport: empty source region, height"),
        pytest.param("viewport=512,512,1,2,3,4,5", id="viewport: too many values"),
        pytest.param(f"viewport={LARGEST_VIEWPORT + 1},5", id="viewport: unsupported size"),
        pytest.param("viewport=99999999999999999999,5", id="viewport: absurd size"),
        pytest.param("viewport=5,5&viewport=5,5", id="viewport twice"),
        pytest.param("quality", id="quality: no value"),
        pytest.param("quality=", id="quality: empty"),
        pytest.param("quality=0", id="quality: below the range"),
        pytest.param("quality=101", id="quality: above the range"),
        pytest.param("quality=90.5", id="quality: no integer"),
        pytest.param("quality=-5", id="quality: negative"),
        pytest.param("quality=high", id="quality: no number"),
        pytest.param("quality=90,80", id="quality: two values"),
        pytest.param("annotation", id="annotation: no value"),
        pytest.param("annotation=", id="annotation: empty value"),
        pytest.param("annotation=patient,", id="annotation: empty element"),
        pytest.param("annotation=1st", id="annotation: no keyword token"),
        pytest.param("annotation=a%20b", id="annotation: blank in it"),
        pytest.param("iccprofile", id="iccprofile: no value"),
        pytest.param("iccprofile=", id="iccprofile: empty"),
        pytest.param("iccprofile=sRGB", id="iccprofile: keywords are case-sensitive"),
        pytest.param("iccprofile=cmyk", id="iccprofile: unknown"),
        pytest.param("iccprofile=no,yes", id="iccprofile: two values"),
        pytest.param("window=%zz", id="broken percent-encoding"),
    ],
)
def test_malformed_parameters_are_refused(query: str) -> None:
    """§8.3: a supported parameter with an invalid value is 400."""
    with pytest.raises(BadRequest) as caught:
        parse_rendered(query)
    assert len(caught.value.message) > 20


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("", RenderingQuery(), id="no parameter"),
        pytest.param("viewport=128,64", RenderingQuery(viewport=Viewport(128, 64)), id="8.3.5.2 width and height"),
        pytest.param(
            "window=1,2,linear&quality=7", RenderingQuery(unknown=("window", "quality")), id="others are unknown here"
        ),
        pytest.param("charset=utf-8", RenderingQuery(charset=("utf-8",)), id="charset"),
    ],
)
def test_parse_thumbnail(query: str, expected: RenderingQuery) -> None:
    assert parse_thumbnail(query) == expected


@pytest.mark.parametrize("query", ["viewport=128", "viewport=128,128,0", "viewport=128,128,0,0,5,5", "viewport=0,0"])
def test_thumbnails_take_a_size_alone(query: str) -> None:
    """§8.3.5.2: anything more is 400."""
    with pytest.raises(BadRequest):
        parse_thumbnail(query)


def test_presentation_states_take_no_window_and_no_region() -> None:
    """§8.3.5.1.6."""
    check_presentation_state(parse_rendered("viewport=100,100&annotation=patient"))
    for query in ("window=1,2,linear", "viewport=100,100,1", "viewport=100,100,,,5", "viewport=100,100,,,,-5"):
        with pytest.raises(BadRequest):
            check_presentation_state(parse_rendered(query))


@given(st.text(alphabet="windowvieprtqualy=,&%.-+e0123456789", max_size=60))
def test_anything_is_understood_or_refused(query: str) -> None:
    try:
        parse_rendered(query)
        parse_thumbnail(query)
    except BadRequest:
        pass


@pytest.mark.parametrize(
    ("query", "text"),
    [
        pytest.param("window=", "'window' has no value: window=center,width,function", id="no value"),
        pytest.param("window=40", "has 1 value: window=center,width,function", id="one value"),
        pytest.param("viewport=5,5,1,2,3,4,5", "has 7 values: viewport=vw,vh,sx,sy,sw,sh", id="too many"),
        pytest.param("viewport=5,5,1,x", "The y of the source region of 'viewport' is 'x'", id="which number"),
    ],
)
def test_refusals_say_what_was_wrong_and_what_is_right(query: str, text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_rendered(query)
    assert text in caught.value.message


def test_a_thumbnail_has_no_source_region() -> None:
    with pytest.raises(BadRequest, match="has 6 values: viewport=vw,vh is needed, width and height of the result"):
        parse_thumbnail("viewport=5,5,0,0,1,1")
