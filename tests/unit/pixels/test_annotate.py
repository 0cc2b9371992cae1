"""Annotation: what is written, where, and that every script is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from skiagraph.pixels import annotate, fonts
from skiagraph.standard.rendering import Annotation


def element(*values: Any) -> dict[str, Any]:
    return {"vr": "XX", "Value": list(values)}


PATIENT = {
    "00100010": element({"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"}),
    "00100020": element("ID-1"),
    "00100030": element("19830606"),
    "00100040": element("M"),
    "00101010": element("039Y"),
}
TECHNIQUE = {
    "00080020": element("20220928"),
    "00080030": element("214137.000"),
    "00080060": element("CT"),
    "0008103E": element("Thorax"),
    "00180050": element(5),
    "00185100": element("HFS"),
    "00200011": element(3),
    "00200013": element(12),
    "00200032": element(-1.5, 20, 300.25),
    "00200062": element("L"),
}


def test_patient() -> None:
    assert annotate.lines(PATIENT, Annotation.PATIENT, 1, 1) == [
        "Yamada, Tarou · 山田 太郎 · やまだ たろう",
        "ID ID-1",
        "* 1983-06-06  M  39Y",
    ]


def test_technique() -> None:
    assert annotate.lines(TECHNIQUE, Annotation.TECHNIQUE, 2, 7) == [
        "CT 2022-09-28 21:41",
        "Thorax",
        "Series 3  Image 12  Frame 2 of 7",
        "L HFS",
        "Position -1.5 20.0 300.2 mm  Thickness 5 mm",
    ]


def test_technique_of_a_frame() -> None:
    groups = [{"00209113": element({"00200032": element(0, 0, number)})} for number in range(3)]
    lines = annotate.lines({"52009230": element(*groups)}, Annotation.TECHNIQUE, 3, 3)
    assert lines == ["Frame 3 of 3", "Position 0.0 0.0 2.0 mm"]


@pytest.mark.parametrize("keyword", Annotation)
def test_nothing_is_written_where_nothing_is_known(keyword: Annotation) -> None:
    assert annotate.lines({}, keyword, 1, 1) == []


def test_control_characters_are_not_written() -> None:
    attributes = {"00100020": element("A\r\nB\u202eC\x00")}
    assert annotate.lines(attributes, Annotation.PATIENT, 1, 1) == ["ID A  B C"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"Alphabetic": "Doe^Jane"}, "Doe, Jane", id="family, given"),
        pytest.param({"Alphabetic": "Doe"}, "Doe", id="family alone"),
        pytest.param({"Alphabetic": "^Jane"}, "Jane", id="given alone"),
        pytest.param({"Alphabetic": "Doe^Jane^A^Dr^Jr"}, "Doe, Dr Jane A Jr", id="all components"),
        pytest.param({"Alphabetic": "A^B^C^D^E^F^G"}, "A, D B C E", id="too many components"),
        pytest.param({"Ideographic": "山田^太郎"}, "山田 太郎", id="ideographic alone"),
        pytest.param({"Alphabetic": "^^", "Phonetic": "x"}, "x", id="empty group"),
        pytest.param({}, "", id="empty"),
        pytest.param("Doe", "", id="no name"),
        pytest.param(None, "", id="null"),
    ],
)
def test_person_name(value: Any, expected: str) -> None:
    assert annotate.person_name({"00100010": element(value)}, "00100010") == expected


def test_where_it_stands() -> None:
    gray = np.full((300, 400), 100, np.uint8)
    found = annotate.annotate(gray, ["Top"], ["Bottom"])
    changed = np.argwhere(found != 100)
    assert (gray == 100).all(), "the picture that was given stays as it is"
    top, bottom = changed[changed[:, 0] < 150], changed[changed[:, 0] >= 150]
    assert top[:, 0].max() < 40
    assert bottom[:, 0].min() > 260
    assert changed[:, 1].max() < 100
    assert found.max() > 240
    assert found.min() < 20, "white with a dark edge"


def test_in_colour() -> None:
    found = annotate.annotate(np.full((60, 90, 3), (200, 10, 10), np.uint8), ["X"], [])
    assert found.shape == (60, 90, 3)
    assert (found.min(axis=-1) > 150).any(), "white"
    assert (found.max(axis=-1) < 80).any(), "with a dark edge"


def test_nothing_to_write() -> None:
    picture = np.zeros((5, 5), np.uint8)
    assert annotate.annotate(picture, [], []) is picture


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (3, 500), (500, 3), (64, 64)])
def test_small_pictures(shape: tuple[int, int]) -> None:
    found = annotate.annotate(np.zeros(shape, np.uint8), ["A very long name of a patient"], ["technique", "more"])
    assert found.shape == shape


def test_long_lines_are_broken_and_not_cut() -> None:
    gray = np.zeros((200, 120), np.uint8)
    words = "one two three four five six seven eight nine ten"
    found = annotate.annotate(gray, [words], [])
    used = np.flatnonzero(found.any(axis=1))
    assert used.max() > 18, "several lines"
    assert not found[:, -1].any()


# Scripts

NAMES = {
    "Latin": "Buc, Jérôme Wałęsa Ĥoraĉo Ķēniņš Çağrı Œ",
    "Greek": "Διονυσιος",
    "Cyrillic": "Люкceмбypг",
    "Arabic": "قباني لنزار",
    "Hebrew": "שרון דבורה",
    "Thai": "สมชาย ใจดี",
    "Chinese": "王 小東 张 小东",
    "Japanese": "山田 太郎 やまだ ﾔﾏﾀﾞ ﾀﾛｳ 丂丄",
    "Korean": "홍 길동 洪 吉洞 김희중",
    "Devanagari": "अमिता शर्मा",
    "Georgian": "გიორგი",
    "Armenian": "Նարեկ",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.skipif(fonts.missing() is not None, reason=str(fonts.missing()))
def test_every_letter_has_a_glyph(name: str) -> None:
    """A letter that a font does not have looks like one that no font has: the box of the missing glyph."""
    for run, face in fonts.runs(name):
        font = fonts.font(face, 32)
        box = font.getmask("\U0010fffe")
        for character in run.replace(" ", ""):
            mask = font.getmask(character)
            assert mask.size != box.size or bytes(mask) != bytes(box), f"{character} in {face.file}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("abc", ["abc"], id="one script"),
        pytest.param("Yamada 山田", ["Yamada ", "山田"], id="two scripts"),
        pytest.param("山田 太郎", ["山田 太郎"], id="blanks belong to what stands before"),
        pytest.param("קבא, לנז", ["לנז", ", ", "קבא"], id="right to left across a comma"),
        pytest.param("ID קבא, לנז · X", ["ID ", "לנז ", ", ", "קבא", "· X"], id="right to left within Latin"),
        pytest.param("", [], id="empty"),
    ],
)
def test_runs(text: str, expected: list[str]) -> None:
    assert [run for run, _ in fonts.runs(text)] == expected


def test_ideographs_have_the_shape_of_their_country() -> None:
    assert fonts.runs("山田 やまだ")[0][1] is fonts.JAPANESE
    assert fonts.runs("王小東")[0][1] is fonts.CHINESE
    assert fonts.runs("홍 길동 洪")[-1][1] is fonts.KOREAN


def test_the_blocks_are_in_order() -> None:
    starts = [start for start, _ in fonts._BLOCKS]
    assert starts == sorted(starts)
    assert all(fonts.face_of(chr(code)).file for code in (*range(0, 0x3000, 7), 0xFFFF, 0x10FFFF))
